package bundle

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncFile leaves it to syncAll, which is one call for all.
func syncFile(*os.File) error { return nil }

// syncAll has all that was written to the file system of a folder on the disk.
func syncAll(dir *os.File) error { return unix.Syncfs(int(dir.Fd())) }

func syncFolder(dir *os.File) error {
	err := dir.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil // some network file systems cannot, and have nothing better to offer
	}
	return err
}

// roomAt is how many bytes and files a folder's file system has room for; -1 where that
// is not known.
func roomAt(dir *os.File) (bytes, files int64, err error) {
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(dir.Fd()), &s); err != nil {
		return 0, 0, err
	}
	files = -1
	if s.Files > 0 {
		files = int64(s.Ffree)
	}
	return int64(s.Bavail) * s.Bsize, files, nil
}
