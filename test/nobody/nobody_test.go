package nobody

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

func TestAnAddressIsRefusedAndGivenToNobodyElse(t *testing.T) {
	a := Address(t)
	for range 20000 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if port := l.Addr().(*net.TCPAddr).Port; port == a.Port {
			t.Fatalf("port %d was given to another", port)
		}
		l.Close()
	}
	if conn, err := net.Dial("tcp", a.String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("got %v, %v, want a refusal", conn, err)
	}
}
