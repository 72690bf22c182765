package appdata

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"time"
)

// reader reads the content of files, for one worker.
type reader struct {
	*walk
	buf   []byte // of content
	names []byte // of directories
	looks []byte // of entries
}

// listRoom is how many bytes of names are asked for at once.
const listRoom = 32 << 10

// list is room for names.
func (r *reader) list() []byte {
	if r.names == nil {
		r.names = make([]byte, listRoom)
	}
	return r.names
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

func (r *reader) digestOpen(ctx context.Context, f content, e *Entry) error {
	for try := range 2 {
		began := time.Since(r.begun)
		before := *e // the server was asked for it just before the file was opened
		if try > 0 || r.TrustCache {
			var err error
			if before, err = f.stat(); err != nil {
				return err
			}
		}
		if before.Kind != File {
			return errNoFile
		}
		digest, err := r.hash(ctx, f, before.Size)
		if err != nil {
			return err
		}
		after, err := f.stat()
		if err != nil {
			return err
		}
		if after.Kind != File {
			return errNoFile
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

// hash reads a file to its end. One that has come to the size it had is not asked for
// more: had it grown, whoever looks at it next would see that.
func (r *reader) hash(ctx context.Context, f content, size int64) (Digest, error) {
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
		size -= int64(n)
		switch {
		case errors.Is(err, io.EOF), err == nil && n > 0 && size == 0:
			return Digest(h.Sum(nil)), nil
		case err != nil:
			return Digest{}, err
		}
	}
}

// merged says that a file is compared without some of its fields.
func (w *walk) merged(n *node, e *Entry) bool {
	if w.Normal == nil {
		return false
	}
	_, wanted := w.Normal(join(n.dir.Path, e.Name))
	return wanted
}

// normal reads a file that is compared without some of its fields. It is small, or
// that is all that is told of it.
func (r *reader) normal(dir handle, e *Entry, path string) error {
	if e.Size > MaxText {
		return errTooLarge
	}
	f, err := dir.open(e.Name)
	if err != nil {
		return err
	}
	return errors.Join(r.normalOpen(f, e, path), f.Close())
}

func (r *reader) normalOpen(f content, e *Entry, path string) error {
	began := time.Since(r.begun)
	before, err := f.stat()
	if err != nil {
		return err
	}
	if before.Kind != File {
		return errNoFile
	}
	text, err := io.ReadAll(io.LimitReader(f, MaxText+1))
	if err != nil {
		return err
	}
	r.progress.Read.Add(int64(len(text)))
	after, err := f.stat()
	if err != nil {
		return err
	}
	name := e.Name
	*e = after
	e.Name = name
	if !before.sameStat(&after, true) {
		e.Racy = true // read again next time
		return nil
	}
	e.Raw, e.Racy = sha256.Sum256(text), r.racy(e, began)
	normal, _ := r.Normal(path)
	text, err = normal(text)
	if err != nil {
		e.Digest = e.Raw // what is the same to the last byte is the same
		return err
	}
	e.Digest = sha256.Sum256(text)
	return nil
}
