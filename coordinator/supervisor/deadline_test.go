//go:build linux

package supervisor

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stubborn is a program with a child, neither of which obeys TERM.
const stubborn = `trap "" TERM; sh -c 'trap "" TERM; echo $$ > $HERE/child; while :; do sleep 1; done' & echo $$ > $HERE/up; while :; do sleep 1; done`

func TestNothingStartsWithoutAuthority(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "nocgroup")
	refused := func(when string) {
		t.Helper()
		if r := h.do(h.shell("a", "true")); !strings.Contains(r.Err, ErrNoAuthority.Error()) {
			t.Errorf("%s: got %q", when, r.Err)
		}
	}
	refused("before the first extension")
	h.extend(20*time.Millisecond, 0)
	time.Sleep(30 * time.Millisecond)
	refused("after the deadline")
	h.extend(-time.Second, 0)
	refused("after an extension into the past")
	h.long()
	h.sh("a", "true")
	h.waitFor("a")
	h.extend(0, 0)
	refused("after the agent has given its authority up")
}

func TestRunsEndWhenTheDeadlinePasses(t *testing.T) {
	both(t, func(t *testing.T, flags string) {
		h := newHouse(t, flags)
		h.long()
		h.sh("kind", `trap "echo bye; exit 4" TERM; echo > $HERE/kind; while :; do sleep 0.01; done`)
		h.sh("stubborn", stubborn)
		h.file("kind")
		h.file("child")
		h.extend(50*time.Millisecond, 150*time.Millisecond)
		deadline := BootTime() + 50*time.Millisecond
		kind, hard := h.ask(order{Do: "wait", ID: "kind"}), h.ask(order{Do: "wait", ID: "stubborn"})
		r := h.get(kind, "kind")
		if r.Exit.Code != 4 || r.Exit.Cause != CauseDeadline || !strings.Contains(r.Output, "bye") || r.At < deadline-10*time.Millisecond {
			t.Errorf("the kind run got no TERM at the deadline: %+v", r)
		}
		r = h.get(hard, "stubborn")
		if r.Exit.Signal != syscall.SIGKILL || r.Exit.Cause != CauseDeadline {
			t.Errorf("the stubborn run: %+v", r)
		}
		if after := r.At - deadline; after < 140*time.Millisecond {
			t.Errorf("killed %v after the deadline, before the grace was over", after)
		} else {
			t.Logf("deadline + grace + %v", after-150*time.Millisecond)
		}
		h.allDead()
		if r := h.do(h.shell("late", "true")); !strings.Contains(r.Err, ErrNoAuthority.Error()) {
			t.Errorf("a start after the deadline: %q", r.Err)
		}
		h.long()
		h.sh("late", "true")
		h.waitFor("late")
	})
}

func TestExtensionsKeepRunsAlive(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "nocgroup")
	h.extend(400*time.Millisecond, 0)
	h.sh("a", "sleep 0.9; echo done")
	done := h.ask(order{Do: "wait", ID: "a"})
	for range 8 {
		time.Sleep(100 * time.Millisecond)
		h.extend(400*time.Millisecond, 0)
	}
	h.extend(time.Minute, 0)
	if r := h.get(done, "wait"); r.Exit.Cause != CauseItself || r.Output != "done\n" {
		t.Errorf("got %+v", r)
	}
}

func TestAFrozenAgentsRunsDie(t *testing.T) {
	both(t, func(t *testing.T, flags string) {
		h := newHouse(t, flags)
		h.extend(300*time.Millisecond, 50*time.Millisecond)
		deadline := BootTime() + 300*time.Millisecond
		h.sh("a", stubborn)
		h.file("child")
		h.freeze(h.agent)
		done := h.ask(order{Do: "wait", ID: "a"})
		h.eventually("the tree is dead", func() bool { return len(h.alive()) == 0 })
		t.Logf("dead %v after deadline and grace", BootTime()-deadline-50*time.Millisecond)
		if BootTime() < deadline {
			t.Error("dead before the deadline")
		}
		h.kill(h.agent, syscall.SIGCONT)
		if r := h.get(done, "wait"); r.Exit.Cause != CauseDeadline {
			t.Errorf("the agent wakes and learns %+v", r)
		}
	})
}

func TestALogThatHangsHoldsNothingUp(t *testing.T) {
	t.Parallel()
	h := emptyHouse(t)
	var err error
	var nobody *os.File
	if nobody, h.stderr, err = os.Pipe(); err != nil {
		t.Fatal(err)
	}
	defer nobody.Close()
	if err := h.stderr.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.stderr.Write(make([]byte, 1<<20)); err == nil {
		t.Fatal("the pipe is not full: nothing is tested")
	}
	h.open("nocgroup")
	h.extend(300*time.Millisecond, 0)
	h.sh("a", stubborn)
	h.file("child")
	h.freeze(h.agent)
	h.eventually("the tree is dead", func() bool { return len(h.alive()) == 0 })
	h.kill(h.agent, syscall.SIGKILL)
	h.exitCode()
}

func TestAnAgentThatLeavesItsLineLosesItsRuns(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "nocgroup")
	h.long()
	h.sh("a", stubborn)
	h.file("child")
	h.do(order{Do: "hang up"})
	h.eventually("the tree is dead", func() bool { return len(h.alive()) == 0 })
	if !isAlive(h.agent) {
		t.Error("the agent died too")
	}
}
