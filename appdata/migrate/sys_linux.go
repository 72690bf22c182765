package migrate

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// facts are what the system knows of a file beyond fs.FileInfo.
type facts struct {
	uid, gid     uint32
	links        uint64
	inode, dev   uint64
	changedSec   int64
	changedNsec  int64
	blocks       int64 // of 512 bytes
	systemOwners bool
}

func factsOf(info fs.FileInfo) facts {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return facts{links: 1}
	}
	return facts{
		uid: s.Uid, gid: s.Gid, links: uint64(s.Nlink), inode: s.Ino, dev: uint64(s.Dev), //nolint:unconvert // their types differ between processors
		changedSec: s.Ctim.Sec, changedNsec: s.Ctim.Nsec, blocks: s.Blocks, systemOwners: true,
	}
}

func mayRead(name string) bool { return unix.Access(name, unix.R_OK) == nil }

// attributesOf are the names of the extended attributes that are to be kept, among
// them access-control lists; labels of SELinux are the share's own affair.
func attributesOf(list func([]byte) (int, error)) ([]string, error) {
	n, err := list(nil)
	if err != nil || n == 0 {
		return nil, ignoreUnsupported(err)
	}
	buf := make([]byte, n+256)
	if n, err = list(buf); err != nil {
		return nil, ignoreUnsupported(err)
	}
	var names []string
	for name := range bytes.SplitSeq(buf[:n], []byte{0}) {
		if s := string(name); s != "" && s != "security.selinux" && !strings.HasPrefix(s, "trusted.") && s != "system.nfs4_acl" {
			names = append(names, s)
		}
	}
	return names, nil
}

func ignoreUnsupported(err error) error {
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	return err
}

func hasAttributes(name string) bool {
	names, err := attributesOf(func(b []byte) (int, error) { return unix.Llistxattr(name, b) })
	return err == nil && len(names) > 0
}

const accessList = "system.posix_acl_access"

func hasList(name string) bool {
	names, err := attributesOf(func(b []byte) (int, error) { return unix.Llistxattr(name, b) })
	return err == nil && slices.ContainsFunc(names, func(one string) bool { return strings.HasPrefix(one, "system.posix_acl_") })
}

// setList tries whether a file can have an access-control list: one by which its owner's
// group may read, once more.
func setList(name string) error {
	text := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range [...]struct {
		tag, may uint16
		id       uint32
	}{{1, 6, math.MaxUint32}, {4, 4, math.MaxUint32}, {8, 4, 0}, {16, 4, math.MaxUint32}, {32, 0, math.MaxUint32}} {
		text = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(text, e.tag), e.may), e.id)
	}
	return unix.Setxattr(name, accessList, text, 0)
}

// bearsAttributes says whether what a name leads to has attributes that are to be kept.
func bearsAttributes(name string) (bool, error) {
	names, err := attributesOf(func(b []byte) (int, error) { return unix.Listxattr(name, b) })
	return len(names) > 0, err
}

// copyAttributes gives to what from has. What the other end cannot hold is told.
func copyAttributes(to, from *os.File) error {
	names, err := attributesOf(func(b []byte) (int, error) { return unix.Flistxattr(int(from.Fd()), b) })
	if err != nil {
		return err
	}
	for _, name := range names {
		value, err := attribute(from, name)
		if err == nil {
			err = unix.Fsetxattr(int(to.Fd()), name, value, 0)
		}
		if err != nil {
			return &lossError{"attributes", &fs.PathError{Op: "set attribute " + name + " of", Path: to.Name(), Err: err}}
		}
	}
	return nil
}

// forgetLists takes from a folder the access-control list that it has from the one above,
// so that what is made in it has what its original has and nothing else.
func forgetLists(dir string) error {
	for _, name := range []string{"system.posix_acl_default", accessList} {
		if err := ignoreUnsupported(unix.Removexattr(dir, name)); err != nil {
			return &fs.PathError{Op: "remove attribute " + name + " of", Path: dir, Err: err}
		}
	}
	return nil
}

// setAttribute tries whether a file can have one.
func setAttribute(name string) error { return unix.Setxattr(name, "user.coterie", []byte("probe"), 0) }

// sameAttributes says whether b has the extended attributes of a, with their values.
func sameAttributes(a, b *os.File) (bool, error) {
	names, err := attributesOf(func(buf []byte) (int, error) { return unix.Flistxattr(int(a.Fd()), buf) })
	if err != nil {
		return false, err
	}
	for _, name := range names {
		x, err := attribute(a, name)
		if err != nil {
			return false, err
		}
		y, err := attribute(b, name)
		if ignoreUnsupported(err) != nil {
			return false, err
		}
		if err != nil || !bytes.Equal(x, y) {
			return false, nil
		}
	}
	return true, nil
}

// attribute reads one, which no system lets be larger.
func attribute(f *os.File, name string) ([]byte, error) {
	value := make([]byte, 64<<10)
	n, err := unix.Fgetxattr(int(f.Fd()), name, value)
	if err != nil {
		return nil, &fs.PathError{Op: "get attribute " + name + " of", Path: f.Name(), Err: err}
	}
	return value[:n], nil
}

// room is what a file system has left; inodes -1 when it does not count them.
func room(dir string) (bytes, inodes int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	inodes = int64(s.Ffree)
	if s.Files == 0 {
		inodes = -1
	}
	return int64(s.Bavail) * s.Bsize, inodes, nil
}

// exchange swaps two names in one step; ErrUnsupported where that cannot be done.
func exchange(a, b string) error {
	err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENOTSUP) {
		return errors.ErrUnsupported
	}
	return err
}

// copyRange copies up to n bytes within the kernel, or on the server itself.
func copyRange(to, from *os.File, n int64) (int64, error) {
	got, err := unix.CopyFileRange(int(from.Fd()), nil, int(to.Fd()), nil, int(n), 0)
	if errors.Is(err, unix.EXDEV) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EBADF) || errors.Is(err, unix.EPERM) {
		return 0, errors.ErrUnsupported
	}
	return int64(got), err
}

// nextData is where content begins and ends from an offset on; io.EOF as -1.
func nextData(f *os.File, at int64) (begin, end int64, err error) {
	begin, err = unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return -1, -1, nil
	}
	if err != nil {
		return 0, 0, err
	}
	end, err = unix.Seek(int(f.Fd()), begin, unix.SEEK_HOLE)
	return begin, end, err
}

// syncAll has all that was written below a folder on the disk.
func syncAll(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return &fs.PathError{Op: "sync", Path: dir, Err: err}
	}
	return nil
}

// forget has the next read ask the server again.
func forget(f *os.File) error { return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }

// Machine is the identity of this host: not its name, which may be given twice.
func Machine() string {
	id, err := os.ReadFile("/etc/machine-id")
	if err != nil || len(bytes.TrimSpace(id)) == 0 {
		name, err := os.Hostname()
		if err != nil {
			name = "unknown"
		}
		id = []byte(name)
	}
	sum := sha256.Sum256(append([]byte("coterie migration "), bytes.TrimSpace(id)...))
	return hex.EncodeToString(sum[:8])
}

// A Holder is a process that has files open.
type Holder struct {
	PID     int
	Command string
	Paths   []string
}

// holders are the processes that have something below the folders open or work
// there. blind says that there are processes at which this user may not look.
func holders(folders []string) (found []Holder, blind bool, err error) {
	all, err := os.ReadDir("/proc")
	if err != nil {
		return nil, true, err
	}
	for _, e := range all {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		open, err := os.ReadDir("/proc/" + e.Name() + "/fd")
		if errors.Is(err, fs.ErrPermission) {
			blind = true
			continue
		}
		if err != nil {
			continue // it has ended
		}
		h := Holder{PID: pid}
		links := []string{"/proc/" + e.Name() + "/cwd"}
		for _, fd := range open {
			links = append(links, "/proc/"+e.Name()+"/fd/"+fd.Name())
		}
		for _, link := range links {
			at, err := os.Readlink(link)
			if err == nil && slices.ContainsFunc(folders, func(f string) bool { return within(at, f) }) {
				sample(&h.Paths, at)
			}
		}
		if len(h.Paths) > 0 {
			if name, err := os.ReadFile("/proc/" + e.Name() + "/comm"); err == nil {
				h.Command = strings.TrimSpace(string(name))
			}
			found = append(found, h)
		}
	}
	return found, blind, nil
}

func isAlive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// lock keeps a second run out for as long as the file is open; ErrBusy when there is one.
func lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrBusy
	}
	return err
}
