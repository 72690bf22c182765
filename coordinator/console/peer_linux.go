package console

import (
	"net"
	"syscall"
)

// peerOf asks the kernel who opened the other end.
func peerOf(c *net.UnixConn) (user int, ok bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, false
	}
	var cred *syscall.Ucred
	if cerr := raw.Control(func(fd uintptr) {
		cred, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); cerr != nil || err != nil {
		return 0, false
	}
	return int(cred.Uid), true
}
