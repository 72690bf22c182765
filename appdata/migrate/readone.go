package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/coterie-ha/coterie/appdata"
)

// sight is what reading one file has shown.
type sight int

const (
	isSame sight = iota
	isChanged
	isMissing
	isBad
	isUnread // it could not be read, so that nothing is known of it
)

// readOne reads one file, and says in words what is wrong with it.
func (p Plan) readOne(ctx context.Context, one Proof, buf []byte, progress *Progress) (sight, string) {
	defer progress.Files.Add(1)
	path, err := appdata.Unquote(one.Path)
	if err != nil || !filepath.IsLocal(path) {
		return isBad, "is no path"
	}
	at := p.placeOf(path)
	info, err := os.Lstat(at)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return isMissing, "missing"
	case err != nil:
		return isUnread, shortError(err)
	case one.Kind == "l":
		if target, err := os.Readlink(at); err != nil || appdata.Quote(target) != one.Target {
			return isChanged, "changed"
		}
		return isSame, ""
	case !info.Mode().IsRegular(), info.Size() != one.Size, !sameTime(time.Unix(0, one.Time), info.ModTime()):
		return isChanged, "changed"
	}
	digest, err := hashFile(ctx, at, buf, progress)
	switch {
	case err != nil:
		return isUnread, shortError(err)
	case digest != one.Digest:
		return isBad, "has another content"
	}
	return isSame, ""
}

func hashFile(ctx context.Context, at string, buf []byte, progress *Progress) (string, error) {
	f, err := openPlain(at)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := forget(f); err != nil {
		return "", err
	}
	sum := sha256.New()
	for ctx.Err() == nil {
		n, err := f.Read(buf)
		sum.Write(buf[:n])
		if slow := progress.read(ctx, int64(n)); slow != nil {
			return "", slow
		}
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(sum.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", context.Cause(ctx)
}

func (r *Reading) count(one Proof, got sight, why string) {
	r.Files++
	r.Bytes += one.Size
	switch got {
	case isSame:
		r.Same++
		return
	case isChanged:
		r.Changed++
	case isMissing:
		r.Missing++
		if len(r.Gone) < 1000 {
			r.Gone = append(r.Gone, one.Path)
		}
	default: // what cannot be read is not as it was proved either, as far as anybody knows
		r.Bad++
		r.Sample = append([]string{one.Path + ": " + why}, r.Sample...)
		r.Sample = r.Sample[:min(len(r.Sample), sampleSize)]
		return
	}
	if len(r.Sample) < sampleSize {
		r.Sample = append(r.Sample, one.Path+": "+why)
	}
}

func digestOf(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
