//go:build linux

package rig

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// awaitPort waits until somebody listens.
func awaitPort(t testing.TB, address string, port int, log string) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
		if err == nil {
			_ = conn.Close() // nothing was said
			return
		}
		if time.Since(begun) > patience {
			text, _ := os.ReadFile(log) // perhaps it says why
			t.Fatalf("nobody listens at %s:%d:\n%s", address, port, text)
		}
	}
}

// awaitMount waits until something of FUSE lies at a place.
func awaitMount(t testing.TB, place string) error {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile("/proc/self/mounts")
		if err != nil {
			return err
		}
		if strings.Contains(string(text), " "+place+" fuse") {
			return nil
		}
		if time.Since(begun) > patience {
			return fmt.Errorf("nothing was mounted at %s", place)
		}
	}
}

func writeText(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
