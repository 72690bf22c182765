package bundle

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"path"
	"time"

	"github.com/coterie-ha/coterie/appdata"
)

// packer writes entries in turn; the folder of the last one stays open.
type packer struct {
	*packing
	out    *tar.Writer
	sum    hash.Hash
	buffer []byte
	name   string
	dir    folder
}

func (r *packer) leave() {
	if r.name != "." {
		r.dir.close()
	}
	r.name, r.dir = ".", r.root
}

// enter has the folder of the next file open.
func (r *packer) enter(dir string) error {
	if dir == r.name {
		return nil
	}
	r.leave()
	if dir == "." {
		return nil
	}
	opened, err := r.root.below(dir)
	if err == nil {
		r.name, r.dir = dir, opened
	}
	return err
}

func (r *packer) member(ctx context.Context, e *Entry) (err error) {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	folder := path.Dir(e.Path)
	switch e.Kind {
	case appdata.Link:
		return r.out.WriteHeader(e.header())
	case appdata.Folder:
		folder = e.Path
	}
	if err := r.enter(folder); err != nil {
		return fmt.Errorf("%w: %w", ErrChanging, err)
	}
	if e.Kind == appdata.Folder {
		names, err := r.dir.attributes()
		if err := r.without(e.Path, names, err); err != nil {
			return err
		}
		return r.out.WriteHeader(e.header())
	}
	f, err := r.dir.open(path.Base(e.Path))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrChanging, err)
	}
	defer func() { err = errors.Join(err, f.close()) }()
	before, err := f.stat()
	if err != nil {
		return err
	}
	if !before.plain || before.size != e.Size || before.mode != e.Mode || max(before.changed.Sec, 0) != e.MTime {
		return ErrChanging
	}
	if err := r.out.WriteHeader(e.header()); err != nil {
		return err
	}
	return r.content(ctx, f, e, before)
}

// content writes a file that must stay as it is while it is read. What a file system
// says of its times does not tell two changes of one moment apart, so a file that was
// changed just now is read twice.
func (r *packer) content(ctx context.Context, f plainFile, e *Entry, before look) error {
	digest, err := r.pass(ctx, f, e, r.out)
	if err != nil {
		return err
	}
	after, err := f.stat()
	if err != nil {
		return err
	}
	if after != before || e.Digest != (appdata.Digest{}) && e.Digest != digest {
		return ErrChanging
	}
	if e.Digest == (appdata.Digest{}) && before.since(r.begun) {
		if err := f.rewind(); err != nil {
			return err
		}
		again, err := r.pass(ctx, f, e, io.Discard)
		if err != nil {
			return err
		}
		if again != digest {
			return ErrChanging
		}
	}
	e.Digest = digest
	names, err := f.attributes()
	return r.without(e.Path, names, err)
}

// pass reads a file from its beginning.
func (r *packer) pass(ctx context.Context, f plainFile, e *Entry, out io.Writer) (appdata.Digest, error) {
	if r.buffer == nil {
		r.buffer = make([]byte, 256<<10)
	}
	r.sum.Reset()
	for left := e.Size; left > 0; {
		if ctx.Err() != nil {
			return appdata.Digest{}, context.Cause(ctx)
		}
		n, err := f.Read(r.buffer[:min(left, int64(len(r.buffer)))])
		if errors.Is(err, io.EOF) {
			return appdata.Digest{}, ErrChanging
		}
		if err != nil {
			return appdata.Digest{}, err
		}
		left -= int64(n)
		r.progress.Read.Add(int64(n))
		r.sum.Write(r.buffer[:n])
		if _, err := out.Write(r.buffer[:n]); err != nil {
			return appdata.Digest{}, err
		}
	}
	return appdata.Digest(r.sum.Sum(nil)), nil
}

// look is what can be seen of an open file without reading it.
type look struct {
	plain         bool // a regular file
	mode          uint32
	size          int64
	inode         uint64
	changed, seen appdata.Stamp // its content; anything about it
}

// settled is how old a change is that cannot be followed by one that looks the same: FAT
// and some servers keep times to 2 s.
const settled = 2 * time.Second

// since says that a file was changed not long before a moment, or after it.
func (l look) since(moment time.Time) bool {
	moment = moment.Add(-settled)
	return l.changed.Time().After(moment) || l.seen.Time().After(moment)
}
