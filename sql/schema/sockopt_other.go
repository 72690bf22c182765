//go:build !linux

package schema

import (
	"syscall"
	"time"
)

// userTimeout has no counterpart elsewhere; the deadline at each write does
// not depend on it.
func userTimeout(time.Duration) func(network, address string, c syscall.RawConn) error { return nil }
