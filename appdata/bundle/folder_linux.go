package bundle

import (
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/coterie-ha/coterie/appdata"
)

// folder is an open folder of a tree that is read as a whole. What is in it is opened by
// its name alone, through no link, and without what an os.File asks of the system for
// each: with small files that would take as long as reading them.
type folder struct{ fd int }

const openDir = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC

// openFolder opens the root of a tree, which may be a link itself.
func openFolder(root string) (folder, error) {
	fd, err := again(func() (int, error) { return unix.Open(root, openDir, 0) })
	if err != nil {
		return folder{}, &os.PathError{Op: "open", Path: root, Err: err}
	}
	return folder{fd}, nil
}

// below opens a folder in it, part by part.
func (f folder) below(name string) (folder, error) {
	at := f
	for part := range strings.SplitSeq(name, "/") {
		fd, err := again(func() (int, error) { return unix.Openat(at.fd, part, openDir|unix.O_NOFOLLOW, 0) })
		if at != f {
			at.close()
		}
		if err != nil {
			return folder{}, err
		}
		at = folder{fd}
	}
	return at, nil
}

// close of a folder that was only read can lose nothing.
func (f folder) close() { _ = unix.Close(f.fd) }

// open opens a file. If it is a FIFO, nobody is waited for.
func (f folder) open(name string) (plainFile, error) { return f.openWith(name, 0) }

func (f folder) openWith(name string, flags int) (plainFile, error) {
	fd, err := again(func() (int, error) {
		return unix.Openat(f.fd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC|flags, 0)
	})
	return plainFile{fd}, err
}

// plainFile is a file that is open to be read.
type plainFile struct{ fd int }

func (f plainFile) Read(p []byte) (int, error) {
	n, err := again(func() (int, error) { return unix.Read(f.fd, p) })
	switch {
	case err != nil:
		return 0, err
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

func (f plainFile) rewind() error {
	_, err := unix.Seek(f.fd, 0, io.SeekStart)
	return err
}

func (f plainFile) close() error { return unix.Close(f.fd) }

// stat asks the server, where there is one.
func (f plainFile) stat() (look, error) {
	var s unix.Statx_t
	_, err := again(func() (int, error) {
		return 0, unix.Statx(f.fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_FORCE_SYNC, unix.STATX_BASIC_STATS, &s)
	})
	return look{
		plain: s.Mode&unix.S_IFMT == unix.S_IFREG, mode: uint32(s.Mode) & 0o777, size: int64(s.Size), inode: s.Ino,
		changed: appdata.Stamp{Sec: s.Mtime.Sec, Nsec: int32(s.Mtime.Nsec)}, seen: appdata.Stamp{Sec: s.Ctime.Sec, Nsec: int32(s.Ctime.Nsec)},
	}, err
}

// again repeats a call that a signal interrupted.
func again(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
