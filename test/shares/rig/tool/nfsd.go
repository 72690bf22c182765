//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Flags of an export (see linux/nfsd/export.h).
const (
	exportReadOnly    = 0x1
	exportInsecure    = 0x2 // from ports that anybody may use: a user's network comes from those
	exportSquash      = 0x4
	exportCross       = 0x4000
	exportNoSubtree   = 0x400
	exportNumber      = 0x2000
	exportAsEverybody = exportInsecure | exportNoSubtree | exportNumber | exportCross
)

// exported are the folders that the server shows: one file system, and in it some
// that have rules of their own.
var exported = []struct {
	place  string
	number int
	flags  int
}{
	{"/export", 0, exportAsEverybody},
	{"/export/squashed", 1, exportAsEverybody | exportSquash},
	{"/export/readonly", 2, exportAsEverybody | exportReadOnly},
	{"/export/small", 3, exportAsEverybody},
}

// nfsd makes a kernel NFS server of this guest: the file system of its disk, and
// the answers that rpc.mountd and exportfs would give. It answers until it is killed.
func nfsd([]string) error {
	if err := exports(); err != nil {
		return err
	}
	channels := map[string]func([]string) string{"auth.unix.ip": clientOf, "nfsd.export": exportOf, "nfsd.fh": folderOf}
	var fds []unix.PollFd
	var answer []func([]string) string
	for name, f := range channels {
		fd, err := unix.Open(filepath.Join("/proc/net/rpc", name, "channel"), unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fds, answer = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}), append(answer, f)
	}
	for _, w := range [][2]string{{"versions", "-2 -3 +4 +4.1 +4.2"}, {"portlist", "tcp 2049"}, {"threads", "4"}, {"v4_end_grace", "Y"}} {
		if err := os.WriteFile("/proc/fs/nfsd/"+w[0], []byte(w[1]+"\n"), 0o600); err != nil {
			return err
		}
	}
	fmt.Println("nfsd: serving")
	for buf := make([]byte, 8192); ; {
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			return err
		}
		for i := range fds {
			if fds[i].Revents&unix.POLLIN == 0 {
				continue
			}
			n, err := unix.Read(int(fds[i].Fd), buf)
			if err != nil || n <= 0 {
				continue // another has been answered meanwhile
			}
			line := answer[i](strings.Fields(string(buf[:n])))
			if _, err := unix.Write(int(fds[i].Fd), []byte(line+"\n")); err != nil {
				fmt.Printf("nfsd: %q: %v\n", line, err)
			}
		}
	}
}

// exports makes the folders: on the disk that the host gave, if there is one.
func exports() error {
	// The folder in which the server remembers its clients is what lets the grace
	// period, in which it waits for those of a former life, be ended at once.
	for _, dir := range []string{"/export", "/var/lib/nfs/v4recovery"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount("/dev/vda", "/export", "ext4", 0, ""); err != nil {
		return fmt.Errorf("the disk: %w", err)
	}
	for _, folder := range []string{"share", "other", "empty", "squashed", "readonly", "small"} {
		if err := os.MkdirAll("/export/"+folder, 0o777); err != nil {
			return err
		}
	}
	for _, folder := range []string{"squashed", "readonly"} {
		if err := unix.Mount("/export/"+folder, "/export/"+folder, "", unix.MS_BIND, ""); err != nil {
			return err
		}
	}
	if err := unix.Mount("small", "/export/small", "tmpfs", 0, "size=8m"); err != nil {
		return err
	}
	return unix.Mount("nfsd", "/proc/fs/nfsd", "nfsd", 0, "")
}

func forEver() int64 { return time.Now().Add(1000 * time.Hour).Unix() }

// clientOf answers "nfsd ADDRESS": everybody is one client.
func clientOf(words []string) string {
	return fmt.Sprintf("%s %s %d rig", words[0], words[1], forEver())
}

// exportOf answers "CLIENT FOLDER": whether the folder is an export, and of what rules.
func exportOf(words []string) string {
	for _, e := range exported {
		if e.place == words[1] {
			return fmt.Sprintf("%s %s %d %d 65534 65534 %d", words[0], words[1], forEver(), e.flags, e.number)
		}
	}
	return fmt.Sprintf("%s %s %d", words[0], words[1], forEver())
}

// folderOf answers "CLIENT KIND NUMBER": which folder has a number.
func folderOf(words []string) string {
	for _, e := range exported {
		// The number lies in a handle as four bytes of this machine's order.
		if words[1] == "1" && words[2] == fmt.Sprintf(`\x%02x000000`, e.number) {
			return fmt.Sprintf("%s %s %s %d %s", words[0], words[1], words[2], forEver(), e.place)
		}
	}
	return fmt.Sprintf("%s %s %s %d", words[0], words[1], words[2], forEver())
}
