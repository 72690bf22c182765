package cluster

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// brood is a program with children that come and go at every moment, beside
// some that write all the time.
const brood = `
for i in 1 2 3 4 5 6; do sh -c 'while :; do echo x; done' & done
while :; do /bin/true & /bin/true & /bin/true & wait $!; done`

func TestAFrozenTreeStandsStill(t *testing.T) {
	said, err := os.OpenFile(filepath.Join(t.TempDir(), "said"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	size := func() int64 {
		info, err := said.Stat()
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	parent := exec.Command("sh", "-c", brood)
	parent.Stdout = said
	parent.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = parent.Wait() }() // it is killed
	defer syscall.Kill(-parent.Process.Pid, syscall.SIGKILL)
	for range 50 {
		time.Sleep(5 * time.Millisecond)
		thaw := FreezeTree(parent.Process.Pid)
		before := size()
		time.Sleep(10 * time.Millisecond)
		if after := size(); after != before {
			t.Fatalf("%d bytes were written by processes that stand still", after-before)
		}
		thaw()
	}
}
