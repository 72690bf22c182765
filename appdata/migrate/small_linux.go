package migrate

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/coterie-ha/coterie/appdata"
)

// Small files are most of the files, and what they cost is calls of the system. So
// what fits into one block is copied and compared with as few as it takes; all that
// is unusual about a file has it done in the other way.

// small copies such a file, and says whether it did. That the file did not change meanwhile
// is seen when it is proved.
func (c *copier) small(from, to string, buf []byte) (done bool, err error) {
	in, err := openSmall(from)
	if err != nil {
		return false, nil //nolint:nilerr // the other way says what is wrong
	}
	defer unix.Close(in)
	var is unix.Stat_t
	if err := unix.Fstat(in, &is); err != nil || !isUsual(&is) || hasSome(in) {
		return false, nil //nolint:nilerr // as above
	}
	remembered := c.seen.takes(lookAt(&is))
	data, err := readSmall(in, buf[:is.Size+1])
	if err != nil || int64(len(data)) != is.Size {
		return false, nil //nolint:nilerr // as above
	}
	out, err := unix.Open(to, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC|unix.O_NOFOLLOW, is.Mode&0o777)
	if err != nil {
		return false, nil //nolint:nilerr // as above
	}
	err = writeSmall(out, data)
	if err == nil {
		err = c.dressSmall(out, to, &is)
	}
	// A network file system may say only here that there was no room.
	if closed := unix.Close(out); err == nil {
		err = closed
	}
	if err != nil {
		return false, &fs.PathError{Op: "copy to", Path: to, Err: err}
	}
	if remembered {
		c.seen.note(from, lookAt(&is), sha256.Sum256(data))
	}
	c.moved(is.Size)
	return true, nil
}

// isUsual says whether a file is a regular one of one name that fits into a block and has no
// holes worth keeping.
func isUsual(is *unix.Stat_t) bool {
	return is.Mode&unix.S_IFMT == unix.S_IFREG && is.Nlink == 1 && is.Size <= blockSize && (is.Blocks*512 >= is.Size || is.Size <= 1<<16)
}

// dressSmall sets the owner, the mode, and the time, before the file is closed: a share that
// answers in turn has answered all writes then, and closing waits for nothing more.
func (c *copier) dressSmall(out int, to string, is *unix.Stat_t) (err error) {
	owned, mode := int(is.Uid) != c.uid || int(is.Gid) != c.gid, is.Mode&0o7777
	if owned {
		err = c.bear(lossOf("owners", unix.Fchown(out, int(is.Uid), int(is.Gid))))
	}
	if err == nil && (owned || mode != mode&0o777&^uint32(c.umask)) {
		err = c.bear(lossOf("modes", unix.Fchmod(out, mode)))
	}
	if err == nil {
		err = unix.UtimesNanoAt(unix.AT_FDCWD, to, []unix.Timespec{{Nsec: unix.UTIME_OMIT}, is.Mtim}, unix.AT_SYMLINK_NOFOLLOW)
	}
	return err
}

func lookAt(is *unix.Stat_t) look {
	return look{uint64(is.Dev), is.Ino, is.Size, is.Mtim.Nano(), is.Ctim.Nano()} //nolint:unconvert // types differ between processors
}

func openSmall(name string) (int, error) {
	return unix.Open(name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
}

// hasSome says whether a file may have extended attributes of its own.
func hasSome(fd int) bool {
	n, err := unix.Flistxattr(fd, nil)
	return n > 0 || err != nil && ignoreUnsupported(err) != nil
}

// readSmall reads to the end, or until the buffer is full.
func readSmall(fd int, buf []byte) ([]byte, error) {
	n := 0
	for n < len(buf) {
		got, err := unix.Read(fd, buf[n:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, os.NewSyscallError("read", err)
		}
		n += got
		if got == 0 || n == len(buf)-1 { // the buffer has one more than is expected
			break
		}
	}
	return buf[:n], nil
}

func writeSmall(fd int, data []byte) error {
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// compareSmall compares such a file at both ends; known is false when it has to be
// done in the other way.
func compareSmall(from, to string, network bool, buf []byte) (digest appdata.Digest, same, known bool) {
	a, err := openSmall(from)
	if err != nil {
		return digest, false, false
	}
	defer unix.Close(a)
	b, err := openSmall(to)
	if err != nil {
		return digest, false, false
	}
	defer unix.Close(b)
	var before, after unix.Stat_t
	if err := unix.Fstat(a, &before); err != nil || before.Size >= blockSize || hasSome(a) {
		return digest, false, false
	}
	if network && unix.Fadvise(b, 0, 0, unix.FADV_DONTNEED) != nil {
		return digest, false, false
	}
	x, err := readSmall(a, buf[:before.Size+1])
	if err != nil {
		return digest, false, false
	}
	y, err := readSmall(b, buf[blockSize:blockSize+before.Size+1])
	if err != nil {
		return digest, false, false
	}
	if err := unix.Fstat(a, &after); err != nil {
		return digest, false, false
	}
	if int64(len(x)) != before.Size || before.Mtim != after.Mtim || before.Ctim != after.Ctim || !bytes.Equal(x, y) {
		return digest, false, true
	}
	return sha256.Sum256(x), true, true
}

// digestSmall reads such a file whole; known is false when it has to be done in the other way.
func digestSmall(name string, size int64, network bool, buf []byte) (digest appdata.Digest, known bool) {
	f, err := openSmall(name)
	if err != nil {
		return digest, false
	}
	defer unix.Close(f)
	if network && unix.Fadvise(f, 0, 0, unix.FADV_DONTNEED) != nil {
		return digest, false
	}
	data, err := readSmall(f, buf[:size+1])
	if err != nil || int64(len(data)) != size {
		return digest, false
	}
	return sha256.Sum256(data), true
}
