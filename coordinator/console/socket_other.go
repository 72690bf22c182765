//go:build !linux

package console

import "syscall"

// longestSocket is what fits in sockaddr_un beside its final zero, on the BSDs.
const longestSocket = 103

// narrow does nothing here: the umask and the directory keep others out until
// the mode is set.
func narrow(_, _ string, _ syscall.RawConn) error { return nil }
