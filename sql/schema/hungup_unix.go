//go:build unix

package schema

import (
	"errors"
	"net"
	"syscall"
)

// hungUp tells whether an idle connection is of no use any more, without
// sending anything. Otherwise the first statement after a restart or failover
// of the server would be the one to find out, once per connection.
func hungUp(c net.Conn) bool {
	if b, ok := c.(*bounded); ok {
		c = b.Conn
	}
	s, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return true
	}
	var next [1]byte
	var n int
	var rerr error
	// Not raw.Read: the deadline of the last statement has passed.
	if err := raw.Control(func(fd uintptr) {
		n, _, rerr = syscall.Recvfrom(int(fd), next[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	}); err != nil {
		return true
	}
	switch {
	case errors.Is(rerr, syscall.EAGAIN), errors.Is(rerr, syscall.EINTR):
		return false
	case rerr != nil, n == 0:
		return true
	}
	// Unasked, a server tells of notifications (A), settings (S) and notices (N).
	// An error is its last word; what is encrypted cannot be known.
	return next[0] != 'A' && next[0] != 'S' && next[0] != 'N'
}
