// Package nobody gives tests an address at which nobody listens.
package nobody

import (
	"net"
	"testing"
)

// Address refuses connections until the test is over. A listener that is closed
// again leaves its port to whoever asks next, who may well listen there: this is the
// near end of a connection, so that the system gives its port to nobody else.
func Address(t testing.TB) *net.TCPAddr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		l.Close()
	})
	return conn.LocalAddr().(*net.TCPAddr)
}
