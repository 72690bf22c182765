package demo

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "place-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestAFolderOfSomebodyElseIsLeftAlone(t *testing.T) {
	dir := shortDir(t)
	precious := filepath.Join(dir, "precious")
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := takePlace(dir); err == nil {
		t.Error("a folder with something in it was taken")
	}
	if err := sweep(dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}

func TestALivingDemoKeepsItsFolder(t *testing.T) {
	t.Parallel() // it is waited for the other's end
	dir := shortDir(t)
	p, err := takePlace(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := sweep(dir); err != nil {
		t.Error(err)
	}
	if busy, ok := errors.AsType[*BusyError](errOf(takePlace(dir))); !ok {
		t.Errorf("taken twice: %v", busy)
	}
	if _, err := os.Stat(p.path("share")); err != nil {
		t.Error(err)
	}
	if err := p.remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is there: %v", err)
	}
}

func errOf(_ *place, err error) error { return err }

func takePlace(dir string) (*place, error) {
	dir, err := choosePlace(dir)
	if err != nil {
		return nil, err
	}
	return openPlace(dir)
}

// What a demo and its reaper left when both were killed: a folder, and a process
// that was frozen and so did not hear that its parent had died.
func TestTheNextDemoEndsWhatADeadOneLeft(t *testing.T) {
	dir := shortDir(t)
	p, err := takePlace(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.lock.Close(); err != nil {
		t.Fatal(err)
	}
	left := exec.Command("sleep", "60")
	left.Env = []string{markEnv + "=" + filepath.Join(dir, "app-a")}
	if err := left.Start(); err != nil {
		t.Fatal(err)
	}
	if err := signalTo(left.Process.Pid, sigStop); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- left.Wait() }()
	again, err := takePlace(dir)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("a frozen process is still there")
	}
	if err := again.remove(); err != nil {
		t.Error(err)
	}
}

func TestProcessesAreFoundByTheirMark(t *testing.T) {
	dir := shortDir(t)
	c := exec.Command("sleep", "60")
	c.Env = []string{markEnv + "=" + filepath.Join(dir, "app-b")}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	found, err := marked(dir)
	if err != nil || len(found) != 1 || found[0].pid != c.Process.Pid || found[0].node != "app-b" || found[0].parent != os.Getpid() {
		t.Errorf("got %+v, %v", found, err)
	}
	if other, err := marked(dir + "x"); err != nil || len(other) != 0 {
		t.Errorf("another demo's: %+v, %v", other, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	if err := endAll(dir); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil {
		t.Error("it ended well")
	}
}
