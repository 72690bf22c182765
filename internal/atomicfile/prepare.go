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
func Prepare(temp string, data []byte, old fs.FileInfo, target string) error {
	return prepare(temp, data, old, target, 0o600)
}

// PrepareNew is Prepare for a file that is not there yet, with the mode perm, as given.
func PrepareNew(temp string, data []byte, perm fs.FileMode) error {
	return prepare(temp, data, nil, temp, perm)
}

func prepare(temp string, data []byte, old fs.FileInfo, target string, perm fs.FileMode) (err error) {
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, discard(f))
		}
	}()
	made, err := f.Stat()
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	return settle(f, old, target, made.Mode(), perm)
}

// Replace renames what was prepared. An error that wraps ErrNotDurable comes after
// the rename.
func Replace(temp, target string) error {
	if err := rename(temp, target); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(target)); err != nil {
		return fmt.Errorf("%w: %w", ErrNotDurable, err)
	}
	return nil
}

// Name gives what was prepared a name that nothing has yet, also when another host wants it
// at the same moment; else the error wraps fs.ErrExist. Both are on one file system.
func Name(temp, target string) error {
	if err := nameNew(temp, target); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(target)); err != nil {
		return fmt.Errorf("%w: %w", ErrNotDurable, err)
	}
	return nil
}

// settle gives a temporary file the owner, label and mode of the file that it is to
// replace, or perm where there is none, and has it on the disk. It was made with the mode
// made.
func settle(tmp *os.File, old fs.FileInfo, target string, made, perm fs.FileMode) error {
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
	if old != nil || made != perm { // over a network it takes round trips to change what is so already
		if err := tmp.Chmod(perm); err != nil {
			return err
		}
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
