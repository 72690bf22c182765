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
	target, err := follow(path)
	if err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	old, err := os.Stat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("replace %s: %w", path, err)
	case !old.Mode().IsRegular():
		return fmt.Errorf("replace %s: not a regular file", path)
	}
	if err := replace(target, old, perm, fill); err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	return nil
}

// follow resolves the symbolic links at path. The file itself need not exist,
// but a link that leads nowhere is an error: what it should become is a guess.
func follow(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSymlink {
		return path, nil // if it cannot be seen, Stat will say why
	}
	return filepath.EvalSymlinks(path)
}

func replace(target string, old fs.FileInfo, perm fs.FileMode, fill func(io.Writer) error) (err error) {
	dir := filepath.Dir(target)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(target)+".tmp-*")
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
	if err := settle(tmp, old, target, perm); err != nil {
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
