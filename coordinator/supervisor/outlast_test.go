//go:build linux

package supervisor

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// outlasting starts a run that the end of the agent's authority does not end.
func (h *house) outlasting(id, script string) {
	h.t.Helper()
	o := h.shell(id, script)
	o.Outlast = true
	if r := h.do(o); r.Err != "" {
		h.t.Fatalf("start %s: %s\n%s", id, r.Err, h.log)
	}
}

func TestWhatOutlastsTheDeadlineGoesOnAndOthersEnd(t *testing.T) {
	both(t, func(t *testing.T, flags string) {
		h := newHouse(t, flags)
		h.long()
		h.outlasting("fenced", `while [ ! -e $HERE/go ]; do sleep 0.02; done; echo done; exit 3`)
		h.sh("plain", `sleep 1000`)
		fenced, plain := h.ask(order{Do: "wait", ID: "fenced"}), h.ask(order{Do: "wait", ID: "plain"})
		h.extend(50*time.Millisecond, 50*time.Millisecond)
		if r := h.get(plain, "plain"); r.Exit.Cause != CauseDeadline {
			t.Errorf("the plain run: %+v", r)
		}
		if r := h.do(h.shell("late", "true")); !strings.Contains(r.Err, ErrNoAuthority.Error()) {
			t.Errorf("a start after the deadline: %q", r.Err)
		}
		// Longer than the client waits for a supervisor that should have ended all.
		time.Sleep(400 * time.Millisecond)
		if err := os.WriteFile(filepath.Join(h.dir, "go"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if r := h.get(fenced, "fenced"); r.Exit.Code != 3 || r.Exit.Cause != CauseItself || r.Output != "done\n" {
			t.Errorf("the fenced run: %+v", r)
		}
	})
}

func TestWhatOutlastsTheDeadlineCanBeEndedByTheAgent(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "nocgroup")
	h.long()
	h.outlasting("fenced", stubborn)
	h.file("child")
	h.extend(0, 0)
	done := h.ask(order{Do: "wait", ID: "fenced"})
	h.do(order{Do: "signal", ID: "fenced", Signal: syscall.SIGKILL})
	if r := h.get(done, "fenced"); r.Exit.Signal != syscall.SIGKILL || r.Exit.Cause != CauseKilled {
		t.Errorf("got %+v", r)
	}
	h.allDead()
}

func TestWhatOutlastsTheDeadlineDiesWithTheAgentBeforeItsLastWill(t *testing.T) {
	both(t, func(t *testing.T, flags string) {
		h := newHouse(t, flags)
		h.long()
		h.outlasting("fenced", stubborn)
		h.do(order{Do: "session", Argv: h.willOver(h.number("child"))})
		h.extend(0, 0)
		h.kill(h.agent, syscall.SIGKILL)
		h.exitCode()
		if n := h.spoken(); n != 1 {
			t.Errorf("last will spoken %d times over the dead", n)
		}
		h.allDead()
	})
}
