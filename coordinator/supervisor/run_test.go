//go:build linux

package supervisor

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestARunReportsItsOutputAndExit(t *testing.T) {
	both(t, func(t *testing.T, flags string) {
		h := newHouse(t, flags)
		h.long()
		h.sh("a", "echo to stdout; echo to stderr >&2; echo half done >&$COTERIE_PROGRESS_FD; exit 3")
		r := h.waitFor("a")
		if r.Exit.Code != 3 || r.Exit.Cause != CauseItself || r.Output != "to stdout\nto stderr\n" || r.Progress != "half done\n" {
			t.Errorf("got %+v", r)
		}
		h.sh("a", "kill -9 $$") // the name is free again
		if r := h.waitFor("a"); r.Exit.Signal != syscall.SIGKILL || r.Exit.Code != -1 || r.Exit.Cause != CauseItself {
			t.Errorf("got %+v", r)
		}
	})
}

func TestKillEndsATreeThatIgnoresTerm(t *testing.T) {
	both(t, func(t *testing.T, flags string) {
		h := newHouse(t, flags)
		h.long()
		h.sh("a", `trap "" TERM; echo $$ > $HERE/up; while :; do sleep 1; done`)
		h.file("up")
		h.do(order{Do: "signal", ID: "a", Signal: syscall.SIGTERM})
		if pid := h.number("up"); !isAlive(pid) {
			t.Fatal("died of TERM")
		}
		began := time.Now()
		h.do(order{Do: "signal", ID: "a", Signal: syscall.SIGKILL})
		r := h.waitFor("a")
		t.Logf("killed and gone after %v", time.Since(began))
		if r.Exit.Signal != syscall.SIGKILL || r.Exit.Cause != CauseKilled {
			t.Errorf("got %+v", r)
		}
		h.allDead()
	})
}

func TestAProgramThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "nocgroup")
	h.long()
	for name, c := range map[string]struct {
		argv  []string
		dir   string
		errno syscall.Errno
		says  string
	}{
		"missing":            {[]string{"/no/such/program"}, "", syscall.ENOENT, "exec /no/such/program"},
		"missing in path":    {[]string{"no-such-program"}, "", syscall.ENOENT, "find no-such-program"},
		"not executable":     {[]string{"/etc/passwd"}, "", syscall.EACCES, "exec /etc/passwd"},
		"a directory":        {[]string{"/etc"}, "", syscall.EACCES, "exec /etc"},
		"nul in arguments":   {[]string{"/bin/true", "a\x00b"}, "", syscall.EINVAL, "exec /bin/true"},
		"missing directory":  {[]string{"/bin/true"}, "/no/such/dir", syscall.ENOENT, "chdir to /no/such/dir"},
		"arguments too long": {[]string{"/bin/true", strings.Repeat("x", 300<<10)}, "", 0, ErrTooLarge.Error()},
	} {
		r := h.do(order{Do: "start", ID: name, Argv: c.argv, Dir: c.dir, Env: h.env()})
		if r.Errno != c.errno || !strings.Contains(r.Err, c.says) {
			t.Errorf("%s: got %d, %q, want %d, %q", name, r.Errno, r.Err, c.errno, c.says)
		}
	}
	h.sh("missing", "true") // a run that failed to start leaves its name free
	h.waitFor("missing")
}
