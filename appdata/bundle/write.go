package bundle

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coterie-ha/coterie/appdata"
)

// ErrChanging says that a file is not as it was found, or was changed while it was read.
var ErrChanging = errors.New("changed while it was read")

// Write writes the bundle, and reads each file once. One that is not as Look or List
// found it is an error that wraps ErrChanging; what was written then is no bundle.
//
// The manifest is before the files and has their digests. Where these are not known
// yet, the files are packed first, aside.
func (x Export) Write(ctx context.Context, c *Content, out io.Writer) error {
	if c.read {
		if err := x.head(c, out); err != nil {
			return err
		}
		return x.files(ctx, c, out)
	}
	return x.aside(func(spool *os.File) error {
		if err := x.files(ctx, c, spool); err != nil {
			return err
		}
		c.read = true
		if err := x.head(c, out); err != nil {
			return err
		}
		if _, err := spool.Seek(0, io.SeekStart); err != nil {
			return err
		}
		_, err := io.Copy(out, spool)
		return err
	})
}

// aside gives a file that is gone afterwards, also if this process is killed.
func (x Export) aside(use func(*os.File) error) error {
	spool, err := os.CreateTemp(x.Temp, ".coterie-bundle-*")
	if err != nil {
		return err
	}
	removed := os.Remove(spool.Name())
	err = errors.Join(use(spool), spool.Close())
	if removed != nil { // some systems remove no file that is open
		err = errors.Join(err, os.Remove(spool.Name()))
	}
	return err
}

// head writes what is before the files, in frames of its own.
func (x Export) head(c *Content, out io.Writer) error {
	text, err := c.Manifest.write()
	if err != nil {
		return err
	}
	vouched, err := sign(x.Key, sha256.Sum256(text))
	if err != nil {
		return err
	}
	frames, err := newFramer(out, 0)
	if err != nil {
		return err
	}
	return errors.Join(firstMembers(tar.NewWriter(frames), text, vouched), frames.Close())
}

func firstMembers(out *tar.Writer, text, vouched []byte) error {
	for _, first := range []struct {
		name string
		text []byte
	}{{manifestMember, text}, {signatureMember, vouched}} {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: first.name, Size: int64(len(first.text)), Mode: 0o644, ModTime: time.Unix(0, 0)}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if _, err := out.Write(first.text); err != nil {
			return err
		}
	}
	return out.Flush()
}

// files writes the entries, and the end. Frames are filled on all processors: what each
// has is decided before any file is read, so a frame needs no other.
func (x Export) files(ctx context.Context, c *Content, out io.Writer) error {
	root, err := openFolder(x.Root)
	if err != nil {
		return err
	}
	defer root.close()
	frames, err := newFramer(out, x.Workers)
	if err != nil {
		return err
	}
	inside, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	p := packing{root: root, progress: x.Progress, begun: time.Now()}
	defer func() { c.bare(p.bare) }() // no frame is at work any more
	if p.progress == nil {
		p.progress = new(appdata.Progress)
	}
	for rest := c.Manifest.Files; len(rest) > 0 && inside.Err() == nil; {
		n := batch(rest)
		some := rest[:n]
		rest = rest[n:]
		if n == 1 && some[0].Size > frameSize {
			if err := p.large(inside, &some[0], frames); err != nil {
				fail(err)
			}
			continue
		}
		frames.fill(func(frame []byte) ([]byte, error) {
			frame, err := p.batch(inside, some, frame)
			if err != nil {
				fail(err)
			}
			return frame, err
		})
	}
	if _, err := frames.Write(make([]byte, 2*tarBlock)); err != nil {
		fail(err)
	}
	err = frames.Close()
	if inside.Err() != nil {
		return context.Cause(inside) // the first error, and not what came of it
	}
	return err
}

// bare adds what was found while the files were packed, in order.
func (c *Content) bare(more []Left) {
	for _, left := range more {
		if !slices.Contains(c.Bare, left) {
			c.Bare = append(c.Bare, left)
		}
	}
	slices.SortFunc(c.Bare, func(a, b Left) int { return strings.Compare(a.Path, b.Path) })
}

// tarBlock is what the members of a tar are filled up to; two of zeros are its end.
const tarBlock = 512

// batch is how many entries the next frame has: as many as it has room for; a file that
// is larger has frames of its own.
func batch(files []Entry) int {
	room := int64(frameSize)
	for i := range files {
		room -= files[i].Size + 2*tarBlock + int64(len(files[i].Path)+len(files[i].Target))
		if room < 0 {
			return max(i, 1)
		}
	}
	return len(files)
}

// packing reads the files of a tree into frames, several at once.
type packing struct {
	root     folder
	progress *appdata.Progress
	begun    time.Time

	mu   sync.Mutex
	bare []Left // guarded by mu
}

// without notes the attributes that a bundle does not carry.
func (p *packing) without(name string, attributes []string, err error) error {
	if err != nil || len(attributes) == 0 {
		return err
	}
	for i, each := range attributes {
		switch each {
		case "system.posix_acl_access":
			attributes[i] = "its access control list"
		case "system.posix_acl_default":
			attributes[i] = "the access control list for what is made in it"
		default:
			attributes[i] = appdata.Quote(each)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bare = append(p.bare, Left{Path: name, Why: "without " + strings.Join(attributes, ", ")})
	return nil
}

// batch appends members to a frame.
func (p *packing) batch(ctx context.Context, files []Entry, frame []byte) ([]byte, error) {
	w := frameWriter{frame}
	r := packer{packing: p, out: tar.NewWriter(&w), sum: sha256.New(), dir: p.root, name: "."}
	defer r.leave()
	for i := range files {
		if err := r.member(ctx, &files[i]); err != nil {
			return w.frame, fmt.Errorf("%s: %w", appdata.Quote(files[i].Path), err)
		}
	}
	return w.frame, r.out.Flush()
}

// large has a file that is more than a frame compressed as it is read.
func (p *packing) large(ctx context.Context, e *Entry, frames *framer) error {
	r := packer{packing: p, out: tar.NewWriter(frames), sum: sha256.New(), dir: p.root, name: "."}
	defer r.leave()
	if err := r.member(ctx, e); err != nil {
		return fmt.Errorf("%s: %w", appdata.Quote(e.Path), err)
	}
	if err := r.out.Flush(); err != nil {
		return err
	}
	frames.cut()
	return nil
}

// frameWriter appends to a frame.
type frameWriter struct{ frame []byte }

func (w *frameWriter) Write(p []byte) (int, error) {
	w.frame = append(w.frame, p...)
	return len(p), nil
}
