//go:build !linux

package bundle

import (
	"io"
	"os"
	"syscall"

	"github.com/coterie-ha/coterie/appdata"
)

// folder is an open folder of a tree that is read as a whole.
type folder struct{ root *os.Root }

func openFolder(root string) (folder, error) {
	r, err := os.OpenRoot(root)
	return folder{r}, err
}

func (f folder) below(name string) (folder, error) {
	r, err := f.root.OpenRoot(name)
	return folder{r}, err
}

// close of a folder that was only read can lose nothing.
func (f folder) close() { _ = f.root.Close() }

func (f folder) open(name string) (plainFile, error) {
	opened, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	return plainFile{opened}, err
}

// plainFile is a file that is open to be read.
type plainFile struct{ *os.File }

func (f plainFile) rewind() error {
	_, err := f.Seek(0, io.SeekStart)
	return err
}

func (f plainFile) close() error { return f.Close() }

func (f plainFile) stat() (look, error) {
	info, err := f.Stat()
	if err != nil {
		return look{}, err
	}
	at := info.ModTime()
	changed := appdata.Stamp{Sec: at.Unix(), Nsec: int32(at.Nanosecond())}
	return look{plain: info.Mode().IsRegular(), mode: uint32(info.Mode().Perm()), size: info.Size(), changed: changed, seen: changed}, nil
}
