//go:build linux || darwin

package supervisor

import (
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// pipe makes a pipe whose reading end serves the poller and whose writing end,
// a bare descriptor, blocks.
func pipe() (r *os.File, w int, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	var fds [2]int
	if err := syscall.Pipe(fds[:]); err != nil {
		return nil, -1, os.NewSyscallError("pipe", err)
	}
	syscall.CloseOnExec(fds[0])
	syscall.CloseOnExec(fds[1])
	if err := syscall.SetNonblock(fds[0], true); err != nil {
		closeAll(fds[:])
		return nil, -1, os.NewSyscallError("set nonblocking", err)
	}
	return os.NewFile(uintptr(fds[0]), "output"), fds[1], nil
}

func dupCloseOnExec(fd uintptr) (int, error) {
	return unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3)
}

// markOpenFiles marks what is open from first on close-on-exec.
func markOpenFiles(dir string, first int) error {
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		if fd, err := strconv.Atoi(n.Name()); err == nil && fd >= first {
			syscall.CloseOnExec(fd)
		}
	}
	return nil
}
