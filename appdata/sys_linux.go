package appdata

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

func allMounts() ([]Mount, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return parseMountinfo(bytes.NewReader(text))
}

// mountOf names the file system of an open directory. The kernel knows it by a
// number, so neither links nor mounts on top of each other can mislead us.
func mountOf(dir *os.File) (Mount, error) {
	mounts, err := allMounts()
	if err != nil {
		return Mount{}, err
	}
	id, err := mountID(dir)
	if err != nil {
		return Mount{}, err
	}
	for _, m := range mounts {
		if m.id == id {
			return m, nil
		}
	}
	return Mount{}, fmt.Errorf("mount %d of %q is gone", id, dir.Name())
}

func mountID(dir *os.File) (int, error) {
	info, err := os.Open(fmt.Sprintf("/proc/self/fdinfo/%d", dir.Fd()))
	if err != nil {
		return 0, err
	}
	defer info.Close()
	for lines := bufio.NewScanner(info); lines.Scan(); {
		if value, found := strings.CutPrefix(lines.Text(), "mnt_id:"); found {
			return strconv.Atoi(strings.TrimSpace(value))
		}
	}
	return 0, errors.New("fdinfo: no mnt_id")
}

// placeOf gives the path that an open directory really has.
func placeOf(dir *os.File) (string, error) {
	return os.Readlink(fmt.Sprintf("/proc/self/fd/%d", dir.Fd()))
}

func placeID(path string) (string, error) {
	var s unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, unix.AT_STATX_FORCE_SYNC, unix.STATX_TYPE|unix.STATX_INO, &s); err != nil {
		return "", &fs.PathError{Op: "statx", Path: path, Err: err}
	}
	return fmt.Sprintf("%d:%d %d", s.Dev_major, s.Dev_minor, s.Ino), nil
}

func spaceOf(dir *os.File) (space, error) {
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(dir.Fd()), &s); err != nil {
		return space{}, os.NewSyscallError("statfs", err)
	}
	found := space{free: int64(s.Bavail) * s.Bsize, size: int64(s.Blocks) * s.Bsize, freeInodes: int64(s.Ffree), inodes: int64(s.Files)}
	if s.Files == 0 {
		found.freeInodes = -1
	}
	return found, nil
}

func chownLike(name string, like fs.FileInfo) error {
	want, ok := like.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.ErrUnsupported
	}
	return os.Chown(name, int(want.Uid), int(want.Gid))
}
