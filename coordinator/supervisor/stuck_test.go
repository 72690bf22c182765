//go:build linux

package supervisor

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// without leaves a test out, loudly, where the machine lacks something; in CI that
// is a failure.
func without(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("COTERIE_CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// hungShare mounts a file system whose server reads requests and never
// answers, as a hard mount of a dead server does. Who touches it below its
// root waits in state D, and SIGKILL does not help.
func hungShare(t *testing.T) (dir string, asked <-chan struct{}, free func()) {
	t.Helper()
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		without(t, "NO FUSE, SO NO HUNG SHARE: not tested: %v", err)
	}
	dir = filepath.Join(t.TempDir(), "share")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd)
	if err := unix.Mount("hung", dir, "fuse", 0, options); err != nil {
		unix.Close(fd)
		without(t, "NO RIGHT TO MOUNT, SO NO HUNG SHARE: not tested: %v", err)
	}
	freed := false
	free = func() {
		if !freed {
			freed = true
			if err := unix.Unmount(dir, unix.MNT_FORCE|unix.MNT_DETACH); err != nil { // fails all requests
				t.Errorf("unmount: %v", err)
			}
			unix.Close(fd)
		}
	}
	t.Cleanup(free)
	request := make([]byte, 1<<20)
	if _, err := unix.Read(fd, request); err != nil { // FUSE_INIT
		t.Fatal(err)
	}
	answer := make([]byte, 16+64)
	le := binary.LittleEndian
	le.PutUint32(answer, uint32(len(answer)))
	copy(answer[8:16], request[8:16]) // its number
	le.PutUint32(answer[16:], 7)
	le.PutUint32(answer[20:], 31)
	le.PutUint32(answer[16+20:], 4096) // max_write
	if _, err := unix.Write(fd, answer); err != nil {
		t.Fatal(err)
	}
	first := make(chan struct{})
	go func() {
		for n := 0; ; n++ { // take the requests, so that they count as sent
			if _, err := unix.Read(fd, request); err != nil {
				return
			}
			if n == 0 {
				close(first)
			}
		}
	}()
	return dir, first, free
}

func TestARunOnAHungShareIsNeverCalledDeadAndHoldsNobodyUp(t *testing.T) {
	both(t, func(t *testing.T, flags string) {
		share, _, free := hungShare(t)
		h := newHouse(t, flags)
		h.long()
		h.sh("victim", `echo > $HERE/up; cat `+share+`/file`)
		h.file("up")
		// A start there does not come back; its agent gives up and the start is killed.
		starting := h.ask(order{Do: "start", ID: "starting", Argv: []string{"/bin/true"}, Dir: share + "/dir", Env: h.env(), For: 300 * time.Millisecond})
		began := time.Now()
		h.sh("other", "echo well")
		if r := h.waitFor("other"); r.Output != "well\n" {
			t.Errorf("another run: %+v", r)
		}
		t.Logf("another run took %v beside a start that hangs", time.Since(began))
		if r := h.get(starting, "start"); !strings.Contains(r.Err, "deadline exceeded") {
			t.Errorf("a start on the share: %+v", r)
		}
		h.do(order{Do: "signal", ID: "victim", Signal: syscall.SIGKILL})
		r := h.waitFor("victim")
		if !strings.Contains(r.Err, "run victim cannot be killed") || !strings.Contains(r.Err, "(D") {
			t.Errorf("a run that waits for the share: %+v", r)
		}
		h.sh("third", "true")
		h.waitFor("third")
		waiting := h.ask(order{Do: "wait", ID: "victim"})
		select {
		case r := <-waiting:
			t.Errorf("reported while it hangs: %+v", r)
		case <-time.After(100 * time.Millisecond):
		}
		free()
		if r := h.get(waiting, "wait"); r.Exit.Cause != CauseKilled || r.Err != "" {
			t.Errorf("after the share is back: %+v", r)
		}
	})
}

func TestNoLastWillIsSpokenOverARunThatCannotDie(t *testing.T) {
	t.Parallel()
	share, asked, free := hungShare(t)
	h := newHouse(t, "nocgroup")
	h.long()
	h.sh("victim", `echo > $HERE/up; cat `+share+`/file`)
	h.file("up")
	select {
	case <-asked:
	case <-time.After(longest):
		t.Fatal("the share was not asked")
	}
	h.do(order{Do: "session", Argv: h.will()})
	h.kill(h.agent, syscall.SIGKILL)
	if code := h.exitCode(); code != 128+9 {
		t.Errorf("exit code %d", code)
	}
	if n := h.spoken(); n != 0 {
		t.Errorf("spoken %d times", n)
	}
	if !strings.Contains(h.log.String(), "last will is not spoken") {
		t.Errorf("the log does not say so:\n%s", h.log)
	}
	free()
	h.eventually("it dies when the share is back", func() bool { return len(h.alive()) == 0 })
}
