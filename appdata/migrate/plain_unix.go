//go:build unix

package migrate

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// openPlain opens a regular file, never through a link, and never waits for a pipe.
func openPlain(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// listFolder lists a folder, never through a link; errNoFolder when it is none.
func listFolder(name string) ([]fs.DirEntry, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_DIRECTORY, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP) {
		return nil, errNoFolder
	}
	if err != nil {
		return nil, err
	}
	all, err := f.ReadDir(-1)
	return all, errors.Join(err, f.Close())
}

// umask is the process's. Nobody else may make files meanwhile, so it is asked at the start.
func umask() fs.FileMode {
	old := syscall.Umask(0o077)
	syscall.Umask(old)
	return fs.FileMode(old)
}
