package appdata

import (
	"errors"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// handle is an open directory. Names are looked up in it one part at a time
// and never through a link, so no path can be too long, and nobody who moves
// things about can lead a scan out of the tree.
type handle struct{ fd int }

const openDir = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC

func openRoot(path string) (handle, error) {
	fd, err := again(func() (int, error) { return unix.Open(path, openDir, 0) })
	if err != nil {
		return handle{}, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return handle{fd}, nil
}

func (h handle) sub(name string) (handle, error) {
	fd, err := again(func() (int, error) { return unix.Openat(h.fd, name, openDir|unix.O_NOFOLLOW, 0) })
	return handle{fd}, err
}

// passRoot and pass open a directory to go through it and no more: no server is asked to.
func passRoot(path string) (handle, error) {
	fd, err := again(func() (int, error) { return unix.Open(path, unix.O_PATH|openDir, 0) })
	if err != nil {
		return handle{}, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return handle{fd}, nil
}

func (h handle) pass(name string) (handle, error) {
	fd, err := again(func() (int, error) { return unix.Openat(h.fd, name, unix.O_PATH|openDir|unix.O_NOFOLLOW, 0) })
	return handle{fd}, err
}

// close of a directory that was only read can lose nothing.
func (h handle) close() { _ = unix.Close(h.fd) }

// names lists the directory, through a descriptor of its own, which is closed at once: from
// the first read on an SMB client holds the directory open at the server, and who removes it
// there and makes it again meets that. buf is room to list, of listRoom.
func (h handle) names(buf []byte) (names []string, err error) {
	own, err := h.sub(".")
	if err == nil {
		defer own.close()
	} else {
		own = h // it may be listed, and nothing in it entered
	}
	err = own.read(buf, func(part []byte) bool {
		_, _, names = unix.ParseDirent(part, -1, names)
		return true
	})
	return names, err
}

// mostListed bounds what is read of a folder in which a stranger may have put anything.
const mostListed = 1000

// list reads names until one of them is the one that is wanted, and forgets them: the client
// of a network file system asks its server for what it lists.
func (h handle) list(want string) error {
	n := 0
	return h.read(make([]byte, listRoom), func(part []byte) bool {
		_, count, names := unix.ParseDirent(part, -1, nil)
		n += count
		return n < mostListed && !slices.Contains(names, want)
	})
}

func (h handle) read(buf []byte, each func(part []byte) bool) error {
	for {
		n, err := again(func() (int, error) { return unix.ReadDirent(h.fd, buf) })
		if err != nil || n == 0 || !each(buf[:n]) {
			return err
		}
	}
}

// stat asks the server, unless cached: opening the directory has not brought
// the attributes of its files up to date.
func (h handle) stat(name string, cached bool) (Entry, error) {
	flags := unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT | unix.AT_STATX_FORCE_SYNC
	if cached {
		flags = unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT | unix.AT_STATX_DONT_SYNC
	}
	return statx(h.fd, name, flags)
}

func statFile(f *os.File) (Entry, error) {
	return statx(int(f.Fd()), "", unix.AT_EMPTY_PATH|unix.AT_STATX_FORCE_SYNC)
}

func statx(fd int, name string, flags int) (Entry, error) {
	var s unix.Statx_t
	_, err := again(func() (int, error) { return 0, unix.Statx(fd, name, flags, unix.STATX_BASIC_STATS, &s) })
	if err != nil {
		return Entry{}, err
	}
	e := Entry{
		Mode: uint32(s.Mode) & 0o7777, UID: s.Uid, GID: s.Gid, Links: s.Nlink, Inode: s.Ino,
		MTime: Stamp{s.Mtime.Sec, int32(s.Mtime.Nsec)}, CTime: Stamp{s.Ctime.Sec, int32(s.Ctime.Nsec)},
	}
	switch s.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		e.Kind, e.Size = File, int64(s.Size)
	case unix.S_IFDIR:
		// What is in a folder says all about it: its times and links move with that.
		e.Kind, e.MTime, e.CTime, e.Links = Folder, Stamp{}, Stamp{}, 0
	case unix.S_IFLNK:
		e.Kind = Link
	case unix.S_IFIFO:
		e.Kind = FIFO
	case unix.S_IFSOCK:
		e.Kind = Socket
	case unix.S_IFCHR, unix.S_IFBLK:
		e.Kind = Device
	default:
		e.Kind = Unknown
	}
	return e, nil
}

// open opens what was a file when it was last looked at. If it has become a
// FIFO since, nobody is waited for.
func (h handle) open(name string) (content, error) {
	fd, err := again(func() (int, error) {
		return unix.Openat(h.fd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	})
	return content{fd}, err
}

// content is a file that is open to be read. For an os.File the runtime would ask of each
// whether it can be waited for, which took as long as reading a small one.
type content struct{ fd int }

func (c content) Read(p []byte) (int, error) {
	n, err := again(func() (int, error) { return unix.Read(c.fd, p) })
	switch {
	case err != nil:
		return 0, err
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

func (c content) Seek(offset int64, whence int) (int64, error) {
	return unix.Seek(c.fd, offset, whence)
}

func (c content) Close() error { return unix.Close(c.fd) }

func (c content) stat() (Entry, error) {
	return statx(c.fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_FORCE_SYNC)
}

// kind is stat as the client remembers it; of an open file the kind does not change.
func (c content) kind() (Entry, error) {
	return statx(c.fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC)
}

func (h handle) readlink(name string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := again(func() (int, error) { return unix.Readlinkat(h.fd, name, buf) })
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// again repeats a call that a signal interrupted: the runtime sends itself
// many, and network file systems let them through.
func again(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
