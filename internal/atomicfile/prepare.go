package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Prepare writes a file that is to Replace another, with the mode and owner of that
// one, or for its owner only when old is nil. It is on the disk when Prepare returns,
// so that what follows is quick; on an error nothing is left.
func Prepare(temp string, data []byte, old fs.FileInfo, target string) (err error) {
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, discard(f))
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return settle(f, old, target, 0o600)
}

// Replace renames what was prepared. An error that wraps ErrNotDurable comes after
// the rename.
func Replace(temp, target string) error {
	if err := os.Rename(temp, target); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(target)); err != nil {
		return fmt.Errorf("%w: %w", ErrNotDurable, err)
	}
	return nil
}

// settle gives a temporary file the owner, label and mode of the file that it is to
// replace, and has it on the disk.
func settle(tmp *os.File, old fs.FileInfo, target string, perm fs.FileMode) error {
	// The owner first: changing it clears the set-user-ID and set-group-ID bits.
	if old != nil {
		if err := keepOwner(tmp, old); err != nil {
			return err
		}
		if err := keepLabel(tmp, target); err != nil {
			return err
		}
		perm = old.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
	}
	if err := tmp.Chmod(perm); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	return tmp.Close()
}

// Like gives a file that is to replace another the owner and label of that one; target
// is the path of the other.
func Like(tmp *os.File, old fs.FileInfo, target string) error {
	if err := keepOwner(tmp, old); err != nil {
		return err
	}
	return keepLabel(tmp, target)
}

// OwnerOf gives a file the owner of another, such as the folder that it is put into.
func OwnerOf(tmp *os.File, like fs.FileInfo) error { return keepOwner(tmp, like) }
