//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// boot is the first process of a guest. It loads what the host has packed, sets up
// what the kernel leaves to it, and buries whoever dies. It never returns.
func boot() {
	for _, m := range []struct{ what, where, kind string }{
		{"proc", "/proc", "proc"}, {"sysfs", "/sys", "sysfs"}, {"dev", "/dev", "devtmpfs"}, {"tmp", "/tmp", "tmpfs"}, {"run", "/run", "tmpfs"},
	} {
		say(os.MkdirAll(m.where, 0o755))
		say(unix.Mount(m.what, m.where, m.kind, 0, ""))
	}
	say(os.Chmod("/tmp", 0o1777))
	say(loadModules())
	if name := parameter("rig.host"); name != "" {
		say(unix.Sethostname([]byte(name)))
	}
	say(address("lo", [4]byte{127, 0, 0, 1}, [4]byte{255, 0, 0, 0}))
	say(address("eth0", [4]byte{10, 0, 2, 15}, [4]byte{255, 255, 255, 0}))
	server := exec.Command("/bin/rig", "serve")
	server.Stdout, server.Stderr = os.Stdout, os.Stderr
	server.Env = []string{"PATH=/bin", "HOME=/tmp", "TMPDIR=/tmp"}
	if err := server.Start(); err != nil {
		say(err)
	}
	for {
		if _, err := unix.Wait4(-1, nil, 0, nil); err != nil {
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// say tells the console, which the host keeps: nobody else hears the first process.
func say(err error) {
	if err != nil {
		fmt.Println("rig:", err)
	}
}

func loadModules() error {
	order, err := os.ReadFile("/modules/order")
	if err != nil {
		return err
	}
	var failed []error
	for name := range strings.FieldsSeq(string(order)) {
		file, err := os.Open(filepath.Join("/modules", name))
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(file.Fd()), "", 0)
		if err = errors.Join(err, file.Close()); err != nil {
			failed = append(failed, fmt.Errorf("load %s: %w", name, err))
		}
	}
	return errors.Join(failed...)
}

// parameter reads one word of the kernel's command line.
func parameter(name string) string {
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return ""
	}
	for word := range strings.FieldsSeq(string(line)) {
		if value, found := strings.CutPrefix(word, name+"="); found {
			return value
		}
	}
	return ""
}

// address gives a device an address and switches it on.
func address(device string, ip, mask [4]byte) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	set := func(request uint, fill func(*unix.Ifreq) error) error {
		r, err := unix.NewIfreq(device)
		if err != nil {
			return err
		}
		if err := fill(r); err != nil {
			return err
		}
		if err := unix.IoctlIfreq(fd, request, r); err != nil {
			return fmt.Errorf("set up %s: %w", device, err)
		}
		return nil
	}
	return errors.Join(
		set(unix.SIOCSIFADDR, func(r *unix.Ifreq) error { return r.SetInet4Addr(ip[:]) }),
		set(unix.SIOCSIFNETMASK, func(r *unix.Ifreq) error { return r.SetInet4Addr(mask[:]) }),
		set(unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error { r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING); return nil }),
	)
}
