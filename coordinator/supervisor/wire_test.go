//go:build linux

package supervisor

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
)

// lines returns both ends of a line, over bare descriptors.
func lines(t *testing.T) (a, b *line, hangUp func()) {
	t.Helper()
	x, y, err := pair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(y) })
	return overFD(x), overFD(y), func() { syscall.Close(x) }
}

func TestMessagesArriveWholeAndInOrder(t *testing.T) {
	a, b, hangUp := lines(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	big := raw(strings.Repeat("\xff\x00\n", 20000))
	sent := make(chan error, 1)
	go func() {
		err := errors.Join(
			a.send(message{Op: opExtend, Deadline: 1}),
			a.send(message{Op: opStart, Start: &start{Argv: []raw{big}}}, int(w.Fd())),
			a.send(message{Op: opSignal, ID: "x"}))
		hangUp()
		sent <- err
	}()
	if m, fds, err := b.receive(); err != nil || m.Op != opExtend || len(fds) != 0 {
		t.Errorf("got %+v, %v, %v", m, fds, err)
	}
	m, fds, err := b.receive()
	if err != nil || m.Op != opStart || len(fds) != 1 || m.Start.Argv[0] != big {
		t.Fatalf("got %s, %v, %v", m.Op, fds, err)
	}
	if flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fds[0]), syscall.F_GETFD, 0); flags&syscall.FD_CLOEXEC == 0 {
		t.Error("a received descriptor would be inherited")
	}
	w.Close()
	if _, err := syscall.Write(fds[0], []byte("hi")); err != nil {
		t.Error(err)
	}
	closeAll(fds)
	if text, err := io.ReadAll(r); string(text) != "hi" || err != nil {
		t.Errorf("through the pipe: %q, %v", text, err)
	}
	if m, _, err := b.receive(); err != nil || m.ID != "x" {
		t.Errorf("got %+v, %v", m, err)
	}
	if _, _, err := b.receive(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func TestALineRefusesWhatIsTooLargeOrNonsense(t *testing.T) {
	a, _, _ := lines(t)
	if err := a.send(message{ID: strings.Repeat("x", maxMessage)}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("sending: %v", err)
	}
	for name, text := range map[string]string{
		"endless":               strings.Repeat("x", maxMessage+64<<10),
		"not JSON":              "{\n",
		"descriptors promised":  `{"op":"start","fds":3}` + "\n",
		"descriptors, negative": `{"op":"start","fds":-1}` + "\n",
	} {
		a, b, hangUp := lines(t)
		go func() {
			a.write([]byte(text), nil)
			hangUp()
		}()
		if m, _, err := b.receive(); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: got %+v, %v", name, m, err)
		}
	}
}

func TestStringsOfAnyBytesTravel(t *testing.T) {
	for _, s := range []string{"", "plain", "latin-1 \xe4", "nul \x00", "line\nbreak"} {
		text, err := json.Marshal([]raw{raw(s)})
		if err != nil {
			t.Fatal(err)
		}
		var back []raw
		if err := json.Unmarshal(text, &back); err != nil || back[0] != raw(s) {
			t.Errorf("%q came back as %q, %v", s, back, err)
		}
	}
}

// Processes that came from another PID name space have group and session 0
// here, and a run has no number before it has started: the two must not meet.
func TestOnlyFollowersOfALeaderAreHunted(t *testing.T) {
	leaders := map[int]uint64{700: 50}
	for name, c := range map[string]struct {
		p    process
		want bool
	}{
		"its group":          {process{ident: ident{701, 60}, group: 700, session: 1}, true},
		"its session":        {process{ident: ident{702, 60}, group: 702, session: 700}, true},
		"older than it":      {process{ident: ident{703, 49}, group: 700, session: 700}, false},
		"another name space": {process{ident: ident{704, 60}}, false},
		"somebody else":      {process{ident: ident{705, 60}, group: 9, session: 9}, false},
	} {
		if got := follows(c.p, leaders); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	c := &Client{procs: map[string]*Process{"starting": {}, "running": {PID: 700, born: 50}}, ended: make(chan struct{})}
	if got := c.leaders(); len(got) != 1 || got[700] != 50 {
		t.Errorf("leaders: %v", got)
	}
}

func TestAMarkIsDeadOnlyWhenItsProcessIs(t *testing.T) {
	mark, err := ownMark()
	if err != nil {
		t.Fatal(err)
	}
	space, err := pidSpace()
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(mark, "-")
	for m, want := range map[string]bool{
		mark:                                     false,
		parts[0] + "-1-" + parts[2]:              true,  // the number was used again
		"4194305-1-" + parts[2]:                  true,  // above any number that the kernel gives
		parts[0] + "-1-1":                        false, // another container's
		"":                                       false,
		"nonsense":                               false,
		parts[0] + "-" + parts[1] + "-x" + space: false,
	} {
		if got := isDead(m, space); got != want {
			t.Errorf("%q: dead %v, want %v", m, got, want)
		}
	}
}
