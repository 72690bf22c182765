package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// A Go program forks with its parent held inside the kernel until the child runs
// another program: a child that is stopped before that holds it there for good.
func TestATreeThatForksWithoutEndStandsStill(t *testing.T) {
	if os.Getenv("COTERIE_FORKS") != "" {
		for {
			_ = exec.Command("/bin/true").Run() // stopped, killed and started again on purpose
		}
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(program, "-test.run=^"+t.Name()+"$")
	parent.Env = append(os.Environ(), "COTERIE_FORKS=1")
	parent.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = parent.Wait() }() // it is killed
	defer syscall.Kill(-parent.Process.Pid, syscall.SIGKILL)
	held := 0
	for range 100 {
		time.Sleep(3 * time.Millisecond)
		thaw := FreezeTree(parent.Process.Pid)
		if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", parent.Process.Pid)); err == nil && stateIn(text) == 'D' {
			held++
		}
		before := descendants(parent.Process.Pid)
		time.Sleep(3 * time.Millisecond)
		if after := descendants(parent.Process.Pid); !slices.Equal(before, after) {
			t.Fatalf("descendants %v, then %v", before, after)
		}
		thaw()
	}
	t.Logf("held by its child: %d times of 100", held)
}
