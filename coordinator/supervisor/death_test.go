//go:build linux

package supervisor

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// will appends a line to a file; the line tells what was alive.
func (h *house) will() []string {
	return []string{"/bin/sh", "-c", `echo spoken >> $0/will; echo last words`, h.dir}
}

// willOver only speaks when those processes are dead. A zombie is: it holds nothing any more.
func (h *house) willOver(pids ...int) []string {
	script := `for p; do l=; { read -r l < /proc/$p/stat; } 2>/dev/null; case "$l" in ""|*") Z "*) ;; *) exit 1;; esac; done; echo spoken >> $0/will`
	argv := []string{"/bin/sh", "-c", script, h.dir}
	for _, pid := range pids {
		argv = append(argv, strconv.Itoa(pid))
	}
	return argv
}

func (h *house) spoken() int {
	text, err := os.ReadFile(h.dir + "/will")
	if err != nil {
		return 0
	}
	return strings.Count(string(text), "spoken")
}

func TestAKilledAgentsTreesDieBeforeItsLastWill(t *testing.T) {
	both(t, func(t *testing.T, flags string) {
		h := newHouse(t, flags)
		h.long()
		h.sh("a", stubborn)
		h.sh("b", `setsid sh -c 'trap "" TERM; echo $$ > $HERE/escaped; while :; do sleep 1; done' & sleep 1000`)
		child, escaped := h.number("child"), h.number("escaped")
		h.do(order{Do: "session", Argv: h.willOver(child, escaped)})
		h.kill(h.agent, syscall.SIGKILL)
		if code := h.exitCode(); code != 128+9 {
			t.Errorf("exit code %d, want %d", code, 128+9)
		}
		if n := h.spoken(); n != 1 {
			t.Errorf("last will spoken %d times over the dead", n)
		}
		h.allDead()
		after, err := time.ParseDuration(h.logged("last will", "after"))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("will started %v after the agent's death was seen", after)
	})
}

func TestTheLastWillIsSpokenOnceAndTheLatest(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "nocgroup")
	h.do(order{Do: "session", Argv: []string{"/bin/sh", "-c", "echo spoken >> " + h.dir + "/will; exit 1"}})
	h.do(order{Do: "session", Argv: h.will()})
	h.do(order{Do: "exit", Code: 5})
	if code := h.exitCode(); code != 5 {
		t.Errorf("exit code %d, want 5", code)
	}
	if n := h.spoken(); n != 1 {
		t.Errorf("spoken %d times", n)
	}
	if got := h.logged("last will", "output"); got != "last words" {
		t.Errorf("logged %q", got)
	}
}

func TestAFarewellSilencesTheLastWill(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "nocgroup")
	h.do(order{Do: "session", Argv: h.will()})
	if r := h.do(order{Do: "farewell"}); r.Err != "" {
		t.Error(r.Err)
	}
	h.do(order{Do: "exit"})
	if code := h.exitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if n := h.spoken(); n != 0 {
		t.Errorf("spoken %d times", n)
	}
}

func TestASessionAfterAFarewellSpeaksAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "nocgroup")
	h.do(order{Do: "session", Argv: h.will()})
	h.do(order{Do: "farewell"})
	h.do(order{Do: "session", Argv: h.will()})
	h.kill(h.agent, syscall.SIGKILL)
	h.exitCode()
	if n := h.spoken(); n != 1 {
		t.Errorf("spoken %d times", n)
	}
}

func TestALastWillThatHangsIsKilled(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "nocgroup")
	h.do(order{Do: "session", Argv: []string{"/bin/sh", "-c", `sleep 1000 & echo waiting; trap "" TERM; sleep 1000`}})
	began := time.Now()
	h.kill(h.agent, syscall.SIGKILL)
	h.exitCode()
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("took %v", took)
	}
	if got := h.logged("last will", "output"); got != "waiting" {
		t.Errorf("logged %q", got)
	}
}

func TestWhatTheAgentStartedItselfIsDeadBeforeTheWill(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "nocgroup")
	// Many, so that a will that does not wait for them is spoken too early.
	r := h.do(order{Do: "spawn", Argv: []string{"/bin/sh", "-c", `trap "" TERM HUP; n=0; while [ $n -lt 80 ]; do setsid sleep 1000 & n=$((n+1)); done; echo > $0/up; sleep 1000`, h.dir}})
	if r.Err != "" {
		t.Fatal(r.Err)
	}
	h.file("up")
	h.do(order{Do: "session", Argv: h.willOver(h.alive()...)})
	h.kill(h.agent, syscall.SIGKILL)
	h.exitCode()
	if n := h.spoken(); n != 1 {
		t.Errorf("spoken %d times over the dead", n)
	}
	h.allDead()
}

func TestAKilledSupervisorTakesAllTreesAlong(t *testing.T) {
	alone(t, func(t *testing.T, flags string) {
		h := newHouse(t, flags)
		h.long()
		h.sh("a", stubborn)
		h.sh("b", `setsid sh -c 'trap "" TERM; echo $$ > $HERE/escaped; while :; do sleep 1; done' & sleep 1000`)
		h.file("child")
		h.file("escaped")
		waiting := h.ask(order{Do: "wait", ID: "a"})
		began := BootTime()
		h.sup.Process.Kill()
		r := h.get(h.end, "the client's end")
		if !strings.Contains(r.Err, ErrGone.Error()) {
			t.Errorf("Run returned %q", r.Err)
		}
		t.Logf("client ended after %v", r.At-began)
		if r := h.get(waiting, "wait"); !strings.Contains(r.Err, ErrGone.Error()) {
			t.Errorf("Wait returned %q", r.Err)
		}
		h.eventually("the agent has ended", func() bool { return !isAlive(h.agent) })
		h.allDead()
	})
}

func TestTheNextStartSweepsAfterBothWereKilled(t *testing.T) {
	alone(t, func(t *testing.T, flags string) {
		h := newHouse(t, flags)
		h.long()
		program := h.sh("a", stubborn)
		child := h.number("child")
		h.freeze(h.agent) // it must not clean up
		h.sup.Process.Kill()
		h.exitCode()
		h.kill(h.agent, syscall.SIGKILL)
		h.eventually("the program has died with the supervisor", func() bool { return !isAlive(program) })
		if !isAlive(child) {
			t.Fatal("the child has died: nothing is tested")
		}
		<-h.exited
		h.open(flags)
		h.allDead()
		if flags != "cgroup" && !strings.Contains(h.log.String(), "killed what a dead supervisor had left running") {
			t.Error("the sweep is not in the log")
		}
	})
}

func TestAFrozenSupervisorIsReplacedByTheAgentsOwnHand(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "nocgroup")
	h.long()
	h.sh("a", stubborn)
	h.file("child")
	h.freeze(h.sup.Process.Pid)
	h.long() // a healthy supervisor would answer
	r := h.get(h.end, "the client's end")
	if !strings.Contains(r.Err, ErrSilent.Error()) {
		t.Errorf("Run returned %q", r.Err)
	}
	h.eventually("the agent has ended", func() bool { return !isAlive(h.agent) })
	h.allDead()
}

// Both at once: the agent has lost its authority, and who should end its runs
// stands still.
func TestAFrozenSupervisorDoesNotKeepRunsAliveBeyondTheDeadline(t *testing.T) {
	both(t, func(t *testing.T, flags string) {
		h := newHouse(t, flags)
		h.long()
		h.sh("a", stubborn)
		h.file("child")
		h.freeze(h.sup.Process.Pid)
		h.extend(300*time.Millisecond, 200*time.Millisecond)
		end := BootTime() + 500*time.Millisecond
		r := h.get(h.end, "the client's end")
		if !strings.Contains(r.Err, ErrSilent.Error()) {
			t.Errorf("Run returned %q", r.Err)
		}
		h.allDead()
		t.Logf("all dead %v after deadline and grace", BootTime()-end)
		if late := BootTime() - end; late > time.Second {
			t.Errorf("all dead only %v after deadline and grace", late)
		}
	})
}

// A supervisor that is awake is believed, however long a run takes to end.
func TestAnAwakeSupervisorIsNotReplacedAfterTheDeadline(t *testing.T) {
	both(t, func(t *testing.T, flags string) {
		h := newHouse(t, flags)
		h.extend(200*time.Millisecond, 600*time.Millisecond)
		h.sh("a", stubborn)
		h.file("child")
		done := h.ask(order{Do: "wait", ID: "a"})
		if r := h.get(done, "wait"); r.Exit.Cause != CauseDeadline {
			t.Errorf("got %+v", r)
		}
		h.long()
		h.sh("b", "true")
		h.waitFor("b")
	})
}

func TestSignalsReachTheAgent(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "nocgroup")
	h.do(order{Do: "session", Argv: h.will()})
	h.sup.Process.Signal(syscall.SIGTERM)
	if code := h.exitCode(); code != 15 {
		t.Errorf("exit code %d", code)
	}
	if n := h.spoken(); n != 1 {
		t.Errorf("spoken %d times", n)
	}
}

func TestASecondTermKillsAnAgentThatDoesNotStop(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "nocgroup")
	h.do(order{Do: "ignore"})
	h.sup.Process.Signal(syscall.SIGTERM)
	time.Sleep(50 * time.Millisecond)
	if !isAlive(h.agent) {
		t.Fatal("the first TERM killed it")
	}
	h.sup.Process.Signal(syscall.SIGINT)
	if code := h.exitCode(); code != 128+9 {
		t.Errorf("exit code %d", code)
	}
}
