package migrate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/coterie-ha/coterie/appdata"
)

// proveOne sees that a file has one content at both ends, and copies it if not.
func (p *pass) proveOne(ctx context.Context, d *folder, e entry, buf []byte) error {
	name := e.name
	from, to, path := filepath.Join(d.from, name), filepath.Join(d.to, name), filepath.Join(d.path, name)
	info, err := os.Lstat(from)
	if errors.Is(err, fs.ErrNotExist) {
		return p.gone(d, to)
	}
	if err != nil {
		return err
	}
	defer p.Progress.Files.Add(1)
	switch {
	case info.Mode().Type() == fs.ModeSymlink:
		return p.proveLink(from, to, path)
	case !info.Mode().IsRegular():
		return nil
	}
	if s := factsOf(info); s.links > 1 {
		p.first(s, to)
	}
	for again := range attempts {
		if again > 0 {
			if info, err = os.Lstat(from); err != nil {
				return err
			}
		}
		done, err := p.tryToProve(ctx, from, to, path, info, buf)
		if done || err != nil {
			return err
		}
		if err := p.copier.whole(ctx, from, to, buf); err != nil && !errors.Is(err, errMoved) {
			return err
		}
		p.boundary("copy " + path)
	}
	p.mu.Lock()
	p.restive = append(p.restive, path)
	p.mu.Unlock()
	return nil
}

// gone removes the copy of a file that is no more.
func (p *pass) gone(d *folder, to string) error {
	if d.final {
		return fmt.Errorf("%w: %s, of which the original has just gone; try again", ErrForeign, to)
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (p *pass) proveLink(from, to, path string) error {
	if err := p.copier.link(from, to); err != nil {
		return err
	}
	target, err := os.Readlink(to)
	if err != nil {
		return err
	}
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	return p.all.add(Proof{Path: appdata.Quote(path), Kind: "l", Target: appdata.Quote(target), From: looks(info, true)})
}

// tryToProve compares both ends, and says whether they are the same. here is how the
// original has looked.
func (p *pass) tryToProve(ctx context.Context, from, to, path string, here fs.FileInfo, buf []byte) (bool, error) {
	there, err := os.Lstat(to)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !there.Mode().IsRegular() {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	proof := Proof{Path: appdata.Quote(path), Kind: "f", Size: here.Size(), Time: here.ModTime().UnixNano(), From: looks(here, true), To: looks(there, false)}
	if !p.dressed(here, there) {
		return false, nil
	}
	if digest, ok := p.known.holds(proof); ok {
		proof.Digest = digest
		p.Progress.Bytes.Add(here.Size())
		return true, p.all.add(proof)
	}
	digest, same, err := p.compare(ctx, from, to, here, buf)
	if err != nil || !same {
		return false, err
	}
	proof.Digest = digest.String()
	line, err := proof.line()
	if err == nil {
		err = p.all.write(line)
	}
	if err != nil {
		return false, err
	}
	p.boundary("prove " + path)
	return true, p.fresh.write(line)
}

// dressed says whether a copy has what belongs to the file beside its content.
func (p *pass) dressed(here, there fs.FileInfo) bool {
	a, b := factsOf(here), factsOf(there)
	switch {
	case here.Size() != there.Size(), !sameTime(here.ModTime(), there.ModTime()):
		return false
	case here.Mode()&keptMode != there.Mode()&keptMode && !p.copier.accepts("modes"):
		return false
	case a.systemOwners && (a.uid != b.uid || a.gid != b.gid) && !p.copier.accepts("owners"):
		return false
	}
	return true
}

// compare reads both ends side by side, or the copy alone of an original that is remembered.
// What looks otherwise than it did at the start was not read as one content.
func (p *pass) compare(ctx context.Context, from, to string, here fs.FileInfo, buf []byte) (digest appdata.Digest, same bool, err error) {
	size := here.Size()
	if half, ok := p.seen.half(from, lookOf(here)); ok {
		if digest, known := digestSmall(to, size, p.plan.Mount.Network(), buf); known {
			p.Progress.Bytes.Add(size)
			if same = [16]byte(digest[:16]) == half; !same {
				p.seen.forget(from)
			}
			return digest, same, nil
		}
	}
	if size < blockSize {
		if digest, same, known := compareSmall(from, to, p.plan.Mount.Network(), buf); known {
			p.Progress.Bytes.Add(size)
			return digest, same, nil
		}
	}
	a, err := openPlain(from)
	if err != nil {
		return digest, false, err
	}
	defer a.Close()
	b, err := openPlain(to)
	if err != nil {
		return digest, false, err
	}
	defer b.Close()
	before, err := a.Stat()
	if err != nil {
		return digest, false, err
	}
	if p.plan.Mount.Network() {
		if err := forget(b); err != nil {
			return digest, false, err
		}
	}
	sum := sha256.New()
	x, y := buf[:blockSize], buf[blockSize:2*blockSize]
	for {
		if ctx.Err() != nil {
			return digest, false, context.Cause(ctx)
		}
		n, errA := io.ReadFull(a, x)
		m, errB := io.ReadFull(b, y)
		for _, err := range []error{errA, errB} {
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return digest, false, err
			}
		}
		if !bytes.Equal(x[:n], y[:m]) {
			return digest, false, nil
		}
		sum.Write(x[:n])
		p.Progress.Bytes.Add(int64(n))
		if errA != nil && errB != nil {
			break
		}
	}
	if err := unmoved(a, before); err != nil {
		return digest, false, nil //nolint:nilerr // a file that moved is not the same, and is copied again
	}
	if same, err = sameAttributes(a, b); err != nil || !same && !p.copier.accepts("attributes") {
		return digest, false, err
	}
	sum.Sum(digest[:0])
	return digest, true, nil
}
