//go:build !unix

package bundle

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// lock is a file that is there as long as somebody works; one who is killed leaves it.
func lock(root *os.Root, name string) (io.Closer, error) {
	f, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fault(Busy, "", "another import or undo is at work in this tree, or was killed: then remove %s", name)
	}
	if err != nil {
		return nil, err
	}
	return removing{f, root, name}, nil
}

type removing struct {
	f    *os.File
	root *os.Root
	name string
}

func (r removing) Close() error { return errors.Join(r.f.Close(), r.root.Remove(r.name)) }

func notEmpty(err error) bool {
	return errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, fs.ErrExist)
}

func noLinks(err error) bool { return errors.Is(err, errors.ErrUnsupported) }
