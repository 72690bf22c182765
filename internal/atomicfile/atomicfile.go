// Package atomicfile replaces a file so that a reader, and a machine that loses
// power, sees the old content or the new and never a part.
//
//	write a temporary file beside it -> fsync -> rename over it -> fsync the folder
//
// Mode, owner and SELinux label of the file that is replaced are kept. On any error the file
// is as it was and no temporary file is left. An error after the rename, from
// making the folder durable, wraps ErrNotDurable: the new content is in place
// and may be lost with the power.
package atomicfile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrNotDurable says that the file has its new content, but the folder could
// not be written through to the disk.
var ErrNotDurable = errors.New("replaced, but not durable")

// Write replaces the file at path by data. A new file gets the mode perm, as
// given and not narrowed by the umask; an existing one keeps mode and owner.
func Write(path string, data []byte, perm fs.FileMode) error {
	return WriteFrom(path, perm, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// WriteFrom is Write for content that fill produces. When fill fails, its error
// comes back wrapped and the file is untouched.
//
// A symbolic link is followed, so that the link stays and its target changes.
func WriteFrom(path string, perm fs.FileMode, fill func(io.Writer) error) error {
	target, old, err := follow(path)
	switch {
	case err != nil:
		return fmt.Errorf("replace %s: %w", path, err)
	case old == nil:
	case !old.Mode().IsRegular():
		return fmt.Errorf("replace %s: not a regular file", path)
	}
	if err := replace(target, old, perm, fill); err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	return nil
}

// follow resolves the symbolic links at path, and looks at the file. That itself need not
// exist (then there is nothing to look at), but a link that leads nowhere is an error: what
// it should become is a guess.
func follow(path string) (string, fs.FileInfo, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path, nil, nil
	case err != nil || info.Mode().Type() != fs.ModeSymlink:
		return path, info, err
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return path, nil, err
	}
	info, err = os.Stat(target)
	return target, info, err
}

// temporary makes a file beside path, and says with which mode. That is perm where the
// umask leaves it, so that over a network nothing has to be changed.
func temporary(path string, perm fs.FileMode) (*os.File, fs.FileMode, error) {
	name := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp-"+rand.Text()[:12])
	tmp, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm.Perm())
	if err != nil {
		return nil, 0, err
	}
	info, err := tmp.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, discard(tmp))
	}
	return tmp, info.Mode(), nil
}

func replace(target string, old fs.FileInfo, perm fs.FileMode, fill func(io.Writer) error) (err error) {
	first := perm
	if old != nil { // whoever may not read the old one is not to read this before it is the same
		first = 0o600
	}
	tmp, made, err := temporary(target, first)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil && !errors.Is(err, ErrNotDurable) {
			err = errors.Join(err, discard(tmp))
		}
	}()
	if err := fill(tmp); err != nil {
		return err
	}
	if err := settle(tmp, old, target, made, perm); err != nil {
		return err
	}
	return Replace(tmp.Name(), target)
}

// discard removes the temporary file; it may be closed already.
func discard(tmp *os.File) error {
	closed := tmp.Close()
	if errors.Is(closed, fs.ErrClosed) {
		closed = nil
	}
	return errors.Join(closed, os.Remove(tmp.Name()))
}
