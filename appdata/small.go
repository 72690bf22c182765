package appdata

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"syscall"
)

// readSmall reads one of our own files on the share, whatever may lie there in
// its stead: links are not followed, a FIFO is not waited for, and no more
// than limit bytes are read. A file in whose place another was put just then is
// "stale" to clients that had found the former: they are asked again.
func readSmall(root *os.Root, dir, name string, limit int64) (data []byte, err error) {
	for range 5 {
		if data, err = readSmallOnce(root, dir, name, limit); !errors.Is(err, syscall.ESTALE) {
			break
		}
	}
	return data, err
}

func readSmallOnce(root *os.Root, dir, name string, limit int64) ([]byte, error) {
	if err := refresh(root, dir); err != nil {
		return nil, err
	}
	f, err := OpenPlain(root, path.Join(dir, name))
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, &damagedError{fmt.Errorf("longer than %d bytes", limit)}
	}
	return data, nil
}

// refresh makes the client of a network file system look anew at a directory
// and those above it. NFS remembers for up to a minute that a name was not
// there, SMB which file a name meant: opening and listing the directory asks the server.
func refresh(root *os.Root, dir string) error {
	for dir != "." {
		if err := list(root, path.Dir(dir), 1); err != nil {
			return err
		}
		// Ours, and small; what a stranger put there is not read to its end.
		if err := list(root, dir, 1000); err != nil {
			return err
		}
		dir = path.Dir(dir)
	}
	return nil
}

func list(root *os.Root, dir string, n int) error {
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	_, err = d.Readdirnames(n)
	if isEOF(err) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

// OpenPlain opens a regular file below a root for reading, and nothing else: a FIFO is
// not waited for.
func OpenPlain(root *os.Root, name string) (*os.File, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &damagedError{fmt.Errorf("not a regular file but %v", info.Mode().Type())}
	}
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	now, err := f.Stat()
	if err == nil && !now.Mode().IsRegular() {
		err = &damagedError{errors.New("not a regular file any more")}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
