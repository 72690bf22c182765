package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

const (
	blockSize = 256 << 10
	rangeSize = 32 << 20 // copied within the kernel at once, so that a signal is heard in between
)

// lossError is something that the share does not hold.
type lossError struct {
	word string // by which it is accepted
	err  error
}

func (e *lossError) Error() string { return e.err.Error() }
func (e *lossError) Unwrap() error { return e.err }

// UnrestError names files that do not come to rest.
type UnrestError struct{ Paths []string }

func (e *UnrestError) Error() string {
	return fmt.Sprintf("%s changed again and again while it was copied", e.Paths[0])
}

// errMoved means that a file changed while it was read.
var errMoved = errors.New("changed while it was copied")

// copier copies single files, with all that belongs to them.
type copier struct {
	accepts  func(word string) bool
	umask    fs.FileMode
	uid, gid int
	moved    func(bytes int64)
	kernel   bool        // copy within the kernel: both ends are on one host
	seen     *remembered // nil: nothing is
}

// file copies a regular file.
func (c *copier) file(ctx context.Context, from, to string, buf []byte) error {
	if done, err := c.small(from, to, buf); done || err != nil {
		return err
	}
	return c.whole(ctx, from, to, buf)
}

// whole copies a file of any kind, and anew what file has copied and was not proved. Its
// time is set last, when it is closed, whatever that does to it.
func (c *copier) whole(ctx context.Context, from, to string, buf []byte) error {
	in, err := openPlain(from)
	if err != nil {
		return err
	}
	defer in.Close() // only read
	before, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := createNew(to, before.Mode().Perm())
	if err != nil {
		return err
	}
	err = c.fill(ctx, out, in, before, buf)
	if err == nil {
		err = c.dress(out, in, before)
	}
	// A network file system may say only here that there was no room.
	if closed := out.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Chtimes(to, time.Time{}, before.ModTime())
	}
	if err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return nil
}

// createNew makes a file; what has its name is half a copy of ours.
func createNew(name string, mode fs.FileMode) (*os.File, error) {
	out, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		if err := os.Remove(name); err != nil {
			return nil, err
		}
		out, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	}
	return out, err
}

// fill copies the content, and leaves holes where there are some.
func (c *copier) fill(ctx context.Context, out, in *os.File, info fs.FileInfo, buf []byte) error {
	size := info.Size()
	if factsOf(info).blocks*512 >= size {
		if err := c.piece(ctx, out, in, size, buf); err != nil {
			return err
		}
		return unmoved(in, info)
	}
	for at := int64(0); at < size; {
		begin, end, err := nextData(in, at)
		if err != nil {
			return err
		}
		if begin < 0 {
			break
		}
		for _, f := range []*os.File{in, out} {
			if _, err := f.Seek(begin, io.SeekStart); err != nil {
				return err
			}
		}
		if err := c.piece(ctx, out, in, min(end, size)-begin, buf); err != nil {
			return err
		}
		at = end
	}
	if err := out.Truncate(size); err != nil {
		return err
	}
	return unmoved(in, info)
}

// piece copies n bytes from where both files are.
func (c *copier) piece(ctx context.Context, out, in *os.File, n int64, buf []byte) error {
	for c.kernel && n > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		got, err := copyRange(out, in, min(n, rangeSize))
		if errors.Is(err, errors.ErrUnsupported) {
			break
		}
		if err != nil {
			return err
		}
		if got == 0 {
			return errMoved // it has become shorter
		}
		n -= got
		c.moved(got)
	}
	for n > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		got, err := io.ReadFull(in, buf[:min(n, blockSize)])
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return errMoved
			}
			return err
		}
		if _, err := out.Write(buf[:got]); err != nil {
			return err
		}
		n -= int64(got)
		c.moved(int64(got))
	}
	return nil
}

// unmoved says whether a file still looks as it did.
func unmoved(f *os.File, before fs.FileInfo) error {
	now, err := f.Stat()
	if err != nil {
		return err
	}
	a, b := factsOf(before), factsOf(now)
	if now.Size() != before.Size() || !now.ModTime().Equal(before.ModTime()) || a.changedSec != b.changedSec || a.changedNsec != b.changedNsec {
		return errMoved
	}
	return nil
}

// dress gives a new file what belongs to a file beside its content: attributes,
// owner, and mode, which the others may have changed.
func (c *copier) dress(out, in *os.File, info fs.FileInfo) error {
	if err := c.bear(copyAttributes(out, in)); err != nil {
		return err
	}
	s := factsOf(info)
	if s.systemOwners && (int(s.uid) != c.uid || int(s.gid) != c.gid) {
		if err := c.bear(lossOf("owners", out.Chown(int(s.uid), int(s.gid)))); err != nil {
			return err
		}
	} else if info.Mode()&keptMode == info.Mode().Perm()&^c.umask {
		return nil // made with it
	}
	return c.bear(lossOf("modes", out.Chmod(info.Mode()&keptMode)))
}

const keptMode = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

func lossOf(word string, err error) error {
	if err == nil {
		return nil
	}
	return &lossError{word, err}
}

// bear forgets a loss that was accepted.
func (c *copier) bear(err error) error {
	if e, ok := errors.AsType[*lossError](err); ok && c.accepts(e.word) {
		return nil
	}
	return err
}

// link copies a symbolic link.
func (c *copier) link(from, to string) error {
	target, err := os.Readlink(from)
	if err != nil {
		return err
	}
	if is, err := os.Readlink(to); err == nil && is == target {
		return nil
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(target, to); err != nil {
		return err
	}
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if s := factsOf(info); s.systemOwners && (int(s.uid) != c.uid || int(s.gid) != c.gid) {
		return c.bear(lossOf("owners", os.Lchown(to, int(s.uid), int(s.gid))))
	}
	return nil
}

// sameTime compares times of two file systems, of which the second may be coarser.
func sameTime(a, b time.Time) bool {
	d := a.Sub(b).Abs()
	return d < time.Microsecond || b.Nanosecond() == 0 && d < 2*time.Second
}
