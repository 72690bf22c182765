package through

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// do does a call.
func (s *server) do(q question) ([]byte, error) {
	path, is := s.paths[q.node]
	if !is && q.op != initialise && q.op != release && q.op != releaseDir && q.op != destroy && q.op != Flush {
		return nil, unix.ESTALE
	}
	switch q.op {
	case initialise:
		return started(), nil
	case Lookup:
		return s.found(filepath.Join(path, q.texts(0)[0]))
	case GetAttr:
		return s.attributes(q, path)
	case SetAttr:
		return s.setAttributes(q, path)
	case Open, Create, Read, Write, Flush, FSync, FAllocate, LSeek, CopyRange, release:
		return s.file(q, path)
	case OpenDir, ReadDir, FSyncDir, releaseDir:
		return s.folder(q, path)
	case SetXAttr, GetXAttr, ListXAttr, RemoveXAttr:
		return s.extended(q, s.full(path))
	case StatFS:
		return s.space()
	case destroy:
		return nil, nil
	}
	return s.name(q, path)
}

func started() []byte {
	const atomicTruncate, bigWrites = 1 << 3, 1 << 5
	n := binary.NativeEndian
	b := n.AppendUint32(n.AppendUint32(nil, 7), 31)
	b = n.AppendUint32(n.AppendUint32(b, 0), atomicTruncate|bigWrites)
	b = n.AppendUint16(n.AppendUint16(b, 0), 0)
	b = n.AppendUint32(n.AppendUint32(b, 1<<17), 1) // max_write, and times in nanoseconds
	return append(b, make([]byte, 64-len(b))...)
}

// name does what changes names.
func (s *server) name(q question, path string) ([]byte, error) {
	made := func(name string, err error) ([]byte, error) {
		if err != nil {
			return nil, err
		}
		s.gone(name) // whatever had the name before
		return s.found(name)
	}
	switch q.op {
	case ReadLink:
		text, err := os.Readlink(s.full(path))
		return []byte(text), err
	case Symlink:
		t := q.texts(0)
		name := filepath.Join(path, t[0])
		return made(name, unix.Symlink(t[1], s.full(name)))
	case MkNod:
		name := filepath.Join(path, q.texts(16)[0])
		return made(name, unix.Mknod(s.full(name), q.u32(0), int(q.u32(4))))
	case MkDir:
		name := filepath.Join(path, q.texts(8)[0])
		err := unix.Mkdir(s.full(name), q.u32(0)&0o7777)
		if err == nil {
			err = unix.Chmod(s.full(name), q.u32(0)&0o7777) // without our own mask
		}
		return made(name, err)
	case Link:
		name := filepath.Join(path, q.texts(8)[0])
		return made(name, unix.Link(s.full(s.paths[q.u64(0)]), s.full(name)))
	case Unlink, RmDir:
		name := filepath.Join(path, q.texts(0)[0])
		remove := unix.Unlink
		if q.op == RmDir {
			remove = unix.Rmdir
		}
		err := remove(s.full(name))
		if err == nil {
			s.gone(name)
		}
		return nil, err
	case Rename:
		return nil, s.rename(path, s.paths[q.u64(0)], q.texts(8), 0)
	case Rename2:
		return nil, s.rename(path, s.paths[q.u64(0)], q.texts(16), uint(q.u32(8)))
	}
	return nil, unix.ENOSYS
}

func (s *server) rename(from, to string, names []string, flags uint) error {
	from, to = filepath.Join(from, names[0]), filepath.Join(to, names[1])
	if err := unix.Renameat2(unix.AT_FDCWD, s.full(from), unix.AT_FDCWD, s.full(to), flags); err != nil {
		return err
	}
	const aside = "\x00aside"
	if flags&unix.RENAME_EXCHANGE != 0 {
		s.moved(to, aside)
		s.moved(from, to)
		s.moved(aside, from)
		return nil
	}
	s.gone(to)
	s.moved(from, to)
	return nil
}

// file does what is done with open files.
func (s *server) file(q question, path string) ([]byte, error) {
	const direct = 1 // nothing is cached
	switch q.op {
	case Open:
		fd, err := unix.Open(s.full(path), int(q.u32(0))&^(unix.O_NOFOLLOW|unix.O_CREAT|unix.O_EXCL|unix.O_DIRECT|unix.O_APPEND)|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		return opened(s.handle(fd), direct), nil
	case Create:
		name := filepath.Join(path, q.texts(16)[0])
		fd, err := unix.Open(s.full(name), int(q.u32(0))&^(unix.O_DIRECT|unix.O_APPEND)|unix.O_CREAT|unix.O_CLOEXEC, q.u32(4)&0o7777)
		if err != nil {
			return nil, err
		}
		if err := unix.Fchmod(fd, q.u32(4)&0o7777); err != nil {
			return nil, errors.Join(err, unix.Close(fd))
		}
		s.gone(name)
		b, err := s.found(name)
		if err != nil {
			return nil, errors.Join(err, unix.Close(fd))
		}
		return append(b, opened(s.handle(fd), direct)...), nil
	case Flush: // each close of a descriptor; what was written is there already
		return nil, nil
	case release:
		fd := s.files[q.u64(0)]
		delete(s.files, q.u64(0))
		return nil, unix.Close(fd)
	}
	fd, is := s.files[q.u64(0)]
	if !is {
		return nil, unix.EBADF
	}
	n := binary.NativeEndian
	switch q.op {
	case Read:
		b := make([]byte, q.u32(16))
		got, err := unix.Pread(fd, b, int64(q.u64(8)))
		return b[:max(got, 0)], err
	case Write:
		got, err := unix.Pwrite(fd, q.body[40:40+q.u32(16)], int64(q.u64(8)))
		return word(uint32(got)), err
	case FSync:
		return nil, unix.Fsync(fd)
	case FAllocate:
		return nil, unix.Fallocate(fd, q.u32(24), int64(q.u64(8)), int64(q.u64(16)))
	case LSeek:
		at, err := unix.Seek(fd, int64(q.u64(8)), int(q.u32(16)))
		return n.AppendUint64(nil, uint64(at)), err
	case CopyRange:
		from, to := int64(q.u64(8)), int64(q.u64(32))
		got, err := unix.CopyFileRange(fd, &from, s.files[q.u64(24)], &to, int(q.u64(40)), 0)
		return word(uint32(got)), err
	}
	return nil, unix.ENOSYS
}

// folder does what is done with folders that are listed.
func (s *server) folder(q question, path string) ([]byte, error) {
	switch q.op {
	case OpenDir:
		all, err := os.ReadDir(s.full(path))
		if err != nil {
			return nil, err
		}
		s.last++
		s.lists[s.last] = all
		return opened(s.last, 0), nil
	case ReadDir:
		return s.list(q.u64(0), q.u64(8), int(q.u32(16))), nil
	case releaseDir:
		delete(s.lists, q.u64(0))
		return nil, nil
	}
	fd, err := unix.Open(s.full(path), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return nil, errors.Join(unix.Fsync(fd), unix.Close(fd))
}

func (s *server) attributes(q question, path string) ([]byte, error) {
	var st unix.Stat_t
	err := error(nil)
	if fd, open := s.files[q.u64(8)]; open && q.u32(0)&1 != 0 {
		err = unix.Fstat(fd, &st)
	} else {
		err = unix.Lstat(s.full(path), &st)
	}
	return attributes(make([]byte, 16), &st), err
}

// What setAttributes is to set.
const (
	setMode = 1 << iota
	setUID
	setGID
	setSize
	setATime
	setMTime
	setHandle
	setATimeNow
	setMTimeNow
)

func (s *server) setAttributes(q question, path string) ([]byte, error) {
	valid, full := q.u32(0), s.full(path)
	has := func(bit uint32) bool { return valid&bit != 0 }
	if has(setSize) {
		var err error
		if fd, open := s.files[q.u64(8)]; open && has(setHandle) {
			err = unix.Ftruncate(fd, int64(q.u64(16)))
		} else {
			err = unix.Truncate(full, int64(q.u64(16)))
		}
		if err != nil {
			return nil, err
		}
	}
	if has(setUID) || has(setGID) {
		uid, gid := -1, -1
		if has(setUID) {
			uid = int(q.u32(76))
		}
		if has(setGID) {
			gid = int(q.u32(80))
		}
		if err := unix.Lchown(full, uid, gid); err != nil {
			return nil, err
		}
	}
	if has(setMode) { // after the owner, which takes bits away
		if err := unix.Chmod(full, q.u32(68)&0o7777); err != nil {
			return nil, err
		}
	}
	times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Nsec: unix.UTIME_OMIT}}
	for i, of := range []struct {
		set, now  uint32
		sec, nsec int
	}{{setATime, setATimeNow, 32, 56}, {setMTime, setMTimeNow, 40, 60}} {
		switch {
		case has(of.now):
			times[i].Nsec = unix.UTIME_NOW
		case has(of.set):
			times[i] = unix.Timespec{Sec: int64(q.u64(of.sec)), Nsec: int64(q.u32(of.nsec))}
		}
	}
	if has(setATime) || has(setMTime) {
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, full, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return nil, err
		}
	}
	return s.attributes(question{body: make([]byte, 16)}, path)
}

func (s *server) extended(q question, full string) ([]byte, error) {
	switch q.op {
	case SetXAttr:
		size := int(q.u32(0))
		name := q.texts(8)[0]
		at := 8 + len(name) + 1
		return nil, unix.Lsetxattr(full, name, q.body[at:at+size], int(q.u32(4)))
	case RemoveXAttr:
		return nil, unix.Lremovexattr(full, q.texts(0)[0])
	}
	size := int(q.u32(0))
	b := make([]byte, size)
	var got int
	var err error
	if q.op == GetXAttr {
		got, err = unix.Lgetxattr(full, q.texts(8)[0], b)
	} else {
		got, err = unix.Llistxattr(full, b)
	}
	switch {
	case err != nil:
		return nil, err
	case size == 0:
		return word(uint32(got)), nil
	}
	return b[:got], nil
}

// space is struct fuse_kstatfs.
func (s *server) space() ([]byte, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(s.dir, &st); err != nil {
		return nil, err
	}
	n := binary.NativeEndian
	var b []byte
	for _, v := range []uint64{st.Blocks, st.Bfree, st.Bavail, st.Files, st.Ffree} {
		b = n.AppendUint64(b, v)
	}
	for _, v := range []uint32{uint32(st.Bsize), uint32(st.Namelen), uint32(st.Frsize)} {
		b = n.AppendUint32(b, v)
	}
	return append(b, make([]byte, 28)...), nil
}
