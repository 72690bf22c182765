package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Create makes a file that must not be there yet, with all of its content at
// once. When anything has the name already, or gets it from another host at
// the same moment, that is left alone and the error wraps fs.ErrExist.
func Create(path string, data []byte, perm fs.FileMode) error {
	if err := create(path, data, perm); err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	return nil
}

func create(path string, data []byte, perm fs.FileMode) (err error) {
	tmp, made, err := temporary(path, perm)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil && !errors.Is(err, ErrNotDurable) {
			err = errors.Join(err, discard(tmp))
		}
	}()
	if _, err := tmp.Write(data); err != nil {
		return err
	}
	if made != perm {
		if err := tmp.Chmod(perm); err != nil {
			return err
		}
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := nameNew(tmp.Name(), path); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("%w: %w", ErrNotDurable, err)
	}
	return nil
}

// nameNew moves the file to a name that nothing has. A hard link never
// replaces, also on NFS; without links (SMB) the kernel renames without replacing.
func nameNew(from, to string) error {
	err := os.Link(from, to)
	switch {
	case err == nil:
		return os.Remove(from)
	case errors.Is(err, fs.ErrExist) && sameFile(from, to):
		// NFS: the link was made, its answer was lost, and the request made again found it.
		return os.Remove(from)
	case errors.Is(err, syscall.EPERM), errors.Is(err, errors.ErrUnsupported):
		return renameNew(from, to)
	}
	return err
}

func sameFile(a, b string) bool {
	x, err := os.Lstat(a)
	if err != nil {
		return false
	}
	y, err := os.Lstat(b)
	return err == nil && os.SameFile(x, y)
}
