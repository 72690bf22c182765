package appdata

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"time"
)

// reader reads the content of files, for one worker.
type reader struct {
	*walk
	buf []byte
}

var errNoFile = errors.New("became something else while it was looked at")

// digest reads a file. Size and times of e are then those that go with the
// content. A file that changed meanwhile is read once more; one that keeps
// changing, as a log does, has no digest.
func (r *reader) digest(ctx context.Context, dir handle, e *Entry) error {
	f, err := dir.open(e.Name)
	if err != nil {
		return err
	}
	err = r.digestOpen(ctx, f, e)
	return errors.Join(err, f.Close())
}

func (r *reader) digestOpen(ctx context.Context, f *os.File, e *Entry) error {
	for range 2 {
		began := time.Since(r.begun)
		before, err := statFile(f)
		if err != nil {
			return err
		}
		if before.Kind != File {
			return errNoFile
		}
		digest, err := r.hash(ctx, f)
		if err != nil {
			return err
		}
		after, err := statFile(f)
		if err != nil {
			return err
		}
		name := e.Name
		*e = after
		e.Name = name
		if before.sameStat(&after, true) {
			e.Digest = digest
			e.Racy = r.racy(e, began)
			return nil
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	e.Racy = true
	return nil
}

func (r *reader) hash(ctx context.Context, f *os.File) (Digest, error) {
	if r.buf == nil {
		r.buf = make([]byte, 256<<10)
	}
	h := sha256.New()
	for {
		if err := r.bytes.wait(ctx, int64(len(r.buf))); err != nil {
			return Digest{}, err
		}
		if ctx.Err() != nil {
			return Digest{}, context.Cause(ctx)
		}
		n, err := f.Read(r.buf)
		h.Write(r.buf[:n])
		r.progress.Read.Add(int64(n))
		switch {
		case err == io.EOF:
			return Digest(h.Sum(nil)), nil
		case err != nil:
			return Digest{}, err
		}
	}
}
