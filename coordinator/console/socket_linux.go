package console

import "syscall"

// longestSocket is what fits in sockaddr_un beside its final zero.
const longestSocket = 107

// narrow sets the mode that bind will give to the socket's file. Only Linux
// takes it from the descriptor.
func narrow(_, _ string, c syscall.RawConn) error {
	var err error
	if cerr := c.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), socketMode) }); cerr != nil {
		return cerr
	}
	return err
}
