//go:build linux

package rig

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
)

// program is a server or a file system of the host that a test runs, with all that
// it starts in one process group.
type program struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has been reaped
}

func begin(t testing.TB, log string, env []string, argv ...string) program {
	t.Helper()
	Need(t, argv[0])
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p := program{exec.Command(argv[0], argv[1:]...), make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Env = out, out, append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the parent-death signal comes when this thread ends
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // killed
		}
		close(p.ended)
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.end)
	return p
}

func (p program) end() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // it may have ended
	<-p.ended
}

// freeze stops it with all that it has started, until join.
func (p program) freeze(t testing.TB) (join func()) {
	t.Helper()
	if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	return func() { _ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGCONT) }
}
