package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// The label itself belongs to the system's policy; another attribute goes the same way.
func TestAnAttributeOfTheOldFileIsKept(t *testing.T) {
	const name = "user.coterie"
	dir := t.TempDir()
	old, tmp := filepath.Join(dir, "old"), filepath.Join(dir, "tmp")
	write(t, old, "old", 0o600)
	write(t, tmp, "new", 0o600)
	f, err := os.OpenFile(tmp, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := keepAttribute(f, old, name); err != nil {
		t.Errorf("a file without it: %v", err)
	}
	if err := unix.Setxattr(old, name, []byte("tomcat_t"), 0); errors.Is(err, unix.ENOTSUP) {
		t.Logf("NOT TESTED: %s has no attributes", dir)
		return
	} else if err != nil {
		t.Fatal(err)
	}
	if err := keepAttribute(f, old, name); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 100)
	if n, err := unix.Getxattr(tmp, name, got); err != nil || string(got[:n]) != "tomcat_t" {
		t.Errorf("got %q, %v", got[:max(n, 0)], err)
	}
}
