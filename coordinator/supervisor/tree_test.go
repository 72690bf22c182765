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

// loop never ends by itself, nor by TERM, and says who it is.
const loop = `trap "" TERM; echo $$ > $HERE/escaped; while :; do sleep 1; done`

func TestNoDescendantEscapes(t *testing.T) {
	for name, script := range map[string]string{
		"setsid":                      `setsid sh -c '` + loop + `' & sleep 1000`,
		"double fork":                 `( sh -c '` + loop + `' & ) ; sleep 1000`,
		"double fork and setsid":      `( setsid sh -c '` + loop + `' & ) ; sleep 1000`,
		"closes its descriptors":      `( setsid sh -c '` + loop + `' <&- >&- 2>&- & ) ; sleep 1000`,
		"hides all marks":             `( setsid env -i HERE=$HERE TEST_ID="$TEST_ID" PATH=$PATH sh -c '` + loop + `' & ) ; sleep 1000`,
		"stopped":                     `sh -c 'echo $$ > $HERE/escaped; kill -STOP $$' & sleep 1000`,
		"hides all marks and waits":   `( setsid env -i HERE=$HERE TEST_ID="$TEST_ID" PATH=$PATH sh -c '` + loop + `' & ) ; trap "" TERM; while :; do sleep 1; done`,
		"a session within a session":  `setsid sh -c '( setsid sh -c "exec setsid sh -c '"'"'echo \$\$ > \$HERE/escaped; exec sleep 1000'"'"'" & ) ; sleep 1000' & sleep 1000`,
		"first thread ends, not last": `exec setsid sh -c 'echo $$ > $HERE/escaped; exec sleep 1000' & sleep 1000`,
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, flags string) {
				h := newHouse(t, flags)
				h.long()
				h.sh("a", script)
				escaped := h.number("escaped")
				h.sh("b", "exec sleep 1000") // another run, which must live on
				h.do(order{Do: "signal", ID: "a", Signal: syscall.SIGKILL})
				r := h.waitFor("a")
				if r.Err != "" || isAlive(escaped) {
					t.Errorf("reported %+v while %d is alive: %v", r, escaped, isAlive(escaped))
				}
				h.eventually("only the other run is alive", func() bool { return len(h.alive()) == 1 })
			})
		})
	}
}

func TestWhatAProgramLeavesBehindIsEnded(t *testing.T) {
	both(t, func(t *testing.T, flags string) {
		h := newHouse(t, flags)
		h.long()
		h.extend(time.Minute, 3*time.Second)
		// The grandchild holds the pipe, and writes after the program has ended.
		h.sh("a", `sh -c 'trap "echo late; exit" TERM; echo > $HERE/up; while :; do sleep 0.01; done' & setsid sleep 1000 & until [ -s $HERE/up ]; do sleep 0.01; done; echo early; exit 6`)
		r := h.waitFor("a")
		if r.Exit.Code != 6 || r.Exit.Cause != CauseItself || r.Exit.Leftovers < 2 || !strings.HasPrefix(r.Output, "early\n") || !strings.HasSuffix(r.Output, "late\n") {
			t.Errorf("got %+v", r)
		}
		h.allDead()
		h.long()
		h.sh("a", `setsid sh -c '`+loop+`' & until [ -s $HERE/escaped ]; do sleep 0.01; done`)
		if r := h.waitFor("a"); r.Exit.Code != 0 || r.Exit.Leftovers < 1 {
			t.Errorf("a leftover that does not obey TERM: got %+v", r)
		}
		h.allDead()
	})
}

func TestAForkBombIsDefused(t *testing.T) {
	both(t, func(t *testing.T, flags string) {
		h := newHouse(t, flags)
		h.long()
		// Heads that fork a successor in a session of its own and end at once:
		// the tree is never where it was last seen. And a brood beside them.
		hydra := h.dir + "/hydra"
		if err := os.WriteFile(hydra, []byte(`[ -e $HERE/stop ] && exit; setsid sh $0 & exit`), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.WriteFile(h.dir+"/stop", nil, 0o644) }) // whatever fails, the host gets rid of it
		h.sh("a", `trap "" TERM; for i in 1 2 3 4; do setsid sh $HERE/hydra & done; n=0; while [ $n -lt 60 ]; do setsid sleep 1000 & n=$((n+1)); done; echo > $HERE/up; sleep 1000`)
		h.file("up")
		began := time.Now()
		h.do(order{Do: "signal", ID: "a", Signal: syscall.SIGKILL})
		r := h.waitFor("a")
		for strings.Contains(r.Err, "cannot be killed") { // not yet, on a busy host
			r = h.waitFor("a")
		}
		t.Logf("defused after %v", time.Since(began))
		if r.Err != "" || r.Exit.Signal != syscall.SIGKILL {
			t.Errorf("got %+v", r)
		}
		h.allDead()
	})
}

// Each process of this run lives for a fraction of a millisecond, outside the
// program's group, and its parent is dead: nobody meets one of them in /proc.
func TestWhoNeverStandsStillIsKilledByGroup(t *testing.T) {
	both(t, func(t *testing.T, flags string) {
		h := newHouse(t, flags)
		h.long()
		t.Cleanup(func() { os.WriteFile(h.dir+"/stop", nil, 0o644) })
		h.sh("crowd", `n=0; while [ $n -lt 200 ]; do sleep 1000 & n=$((n+1)); done; echo > $HERE/crowd; wait`)
		h.file("crowd") // so that a look takes its time
		h.sh("a", `for i in 1 2 3 4; do setsid sh -c 'c="[ -e $HERE/stop ] && : > $HERE/alive || eval \"\$c\" &"; eval "$c"'; done; echo > $HERE/up; sleep 1000`)
		h.file("up")
		began := time.Now()
		h.do(order{Do: "signal", ID: "a", Signal: syscall.SIGKILL})
		r := h.waitFor("a")
		for strings.Contains(r.Err, "cannot be killed") { // not yet, on a busy host
			r = h.waitFor("a")
		}
		t.Logf("gone after %v", time.Since(began))
		if r.Err != "" || r.Exit.Signal != syscall.SIGKILL {
			t.Errorf("got %+v", r)
		}
		if err := os.WriteFile(h.dir+"/stop", nil, 0o644); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
		if _, err := os.Stat(h.dir + "/alive"); err == nil {
			t.Error("it lived on after the run was reported as ended")
		}
	})
}

func TestTermReachesTheWholeTreeAndAStoppedOne(t *testing.T) {
	both(t, func(t *testing.T, flags string) {
		h := newHouse(t, flags)
		h.long()
		h.sh("a", `trap "echo one" TERM; setsid sh -c 'trap "echo two; exit" TERM; echo > $HERE/up; while :; do sleep 0.01; done' & kill -STOP $$; wait; wait; exit 0`)
		h.file("up")
		h.do(order{Do: "signal", ID: "a", Signal: syscall.SIGTERM})
		r := h.waitFor("a")
		if !strings.Contains(r.Output, "one") || !strings.Contains(r.Output, "two") || r.Exit.Cause != CauseKilled {
			t.Errorf("got %+v", r)
		}
	})
}

func TestALivingIDIsNotStartedTwice(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "nocgroup")
	h.long()
	h.sh("a", "sleep 1000")
	if r := h.do(h.shell("a", "true")); !strings.Contains(r.Err, ErrDuplicate.Error()) {
		t.Errorf("got %+v", r)
	}
}

// Each lives for a millisecond, has a successor and no parent: at every glance it
// is another one.
func TestARelayOfOrphansIsNotMissed(t *testing.T) {
	both(t, func(t *testing.T, flags string) {
		h := newHouse(t, flags)
		h.long()
		const relay = "if [ $1 -gt 0 ]; then sh $0 $(($1 - 1)) & else exec sleep 1000; fi\n"
		if err := os.WriteFile(h.dir+"/relay", []byte(relay), 0o600); err != nil {
			t.Fatal(err)
		}
		for i := range 40 {
			id := strconv.Itoa(i)
			h.sh(id, "setsid sh $HERE/relay "+strconv.Itoa(i)+" &")
			if r := h.waitFor(id); r.Err != "" || r.Exit.Leftovers == 0 {
				t.Fatalf("after %d hand-overs: %+v", i, r)
			}
			h.allDead()
		}
	})
}
