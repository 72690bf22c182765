package console

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// running runs a console until the test ends, and returns its TCP address.
func running(t *testing.T, c *Console) string {
	t.Helper()
	c.Listen = "127.0.0.1:0"
	at := make(chan net.Addr, 2)
	c.Listening = func(a net.Addr) { at <- a }
	ctx, stop := context.WithCancelCause(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	over := errors.New("the test is over")
	t.Cleanup(func() {
		stop(over)
		if err := <-done; !errors.Is(err, over) {
			t.Errorf("Run returned %v", err)
		}
	})
	select {
	case a := <-at:
		if c.Socket != "" {
			<-at
		}
		return a.String()
	case err := <-done:
		done <- over
		t.Fatal(err)
		return ""
	}
}

func ctxFor(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestTheSameIsAnsweredOnTCPAndOnTheSocket(t *testing.T) {
	c := showing(sample())
	c.Socket = filepath.Join(t.TempDir(), "agent.sock")
	addr := running(t, c)
	for _, at := range []string{addr, c.Socket} {
		got, err := Ask(ctxFor(t), at, "/lb")
		if err != nil || string(got) != "ready\n" {
			t.Errorf("%s: %q, %v", at, got, err)
		}
	}
	info, err := os.Stat(c.Socket)
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket has mode %v, %v", info.Mode(), err)
	}
}

func TestAskTellsARefusalFromAnAbsence(t *testing.T) {
	s := sample()
	lapsed(&s)
	addr := running(t, showing(s))
	body, err := Ask(ctxFor(t), addr, "/check")
	if refused := new(AnswerError); !errors.As(err, &refused) || refused.Code != 500 || !strings.HasPrefix(string(body), "failing: session, database\n") {
		t.Errorf("%q, %v", body, err)
	}
	if _, err := Ask(ctxFor(t), filepath.Join(t.TempDir(), "agent.sock"), "/lb"); !errors.Is(err, ErrNoAgent) {
		t.Errorf("no socket: %v", err)
	}
}

func TestASocketIsTakenOnlyFromTheDead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "agent.sock")
	listen := func() (net.Listener, error) { return listenSocket(ctxFor(t), path) }

	first, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listen(); !errors.Is(err, ErrSocketTaken) {
		t.Errorf("somebody answers there: %v", err)
	}
	first.(*net.UnixListener).SetUnlinkOnClose(false) // as a killed process leaves it
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := listen()
	if err != nil {
		t.Fatalf("a stale socket: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket stays behind: %v", err)
	}

	target := filepath.Join(dir, "precious")
	if err := os.WriteFile(target, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, make := range map[string]func() error{
		"a file":      func() error { return os.WriteFile(path, []byte("data"), 0o600) },
		"a directory": func() error { return os.Mkdir(path, 0o700) },
		"a link":      func() error { return os.Symlink(target, path) },
	} {
		if err := make(); err != nil {
			t.Fatal(err)
		}
		if _, err := listen(); !errors.Is(err, ErrNotSocket) {
			t.Errorf("%s in the way: %v", what, err)
		}
		if err := os.Remove(path); err != nil {
			t.Errorf("%s was touched: %v", what, err)
		}
	}
	path = filepath.Join(dir, strings.Repeat("x", 108))
	if _, err := listen(); !errors.Is(err, ErrSocketPath) {
		t.Errorf("a long path: %v", err)
	}
}

func TestACloseLeavesNothingOpen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	socket := filepath.Join(t.TempDir(), "agent.sock")
	c := showing(sample())
	c.Listen, c.Socket = taken.Addr().String(), socket
	if err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("an address in use: %v", err)
	}
	c.Listen, c.Socket = "127.0.0.1:0", "/no/such/directory/agent.sock"
	if err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), c.Socket) {
		t.Errorf("no directory for the socket: %v", err)
	}
	if err := showing(sample()).Run(t.Context()); err == nil {
		t.Error("nothing to listen on was not an error")
	}
}

func TestAnswersUnderWayAreFinished(t *testing.T) {
	asked, told := make(chan struct{}), make(chan struct{})
	c := &Console{Listen: "127.0.0.1:0", Snapshot: func() Snapshot {
		close(asked)
		<-told
		return sample()
	}}
	at := make(chan net.Addr, 1)
	c.Listening = func(a net.Addr) { at <- a }
	ctx, stop := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	addr := (<-at).String()
	var body []byte
	answered := make(chan error, 1)
	go func() {
		var err error
		body, err = Ask(ctxFor(t), addr, "/lb")
		answered <- err
	}()
	<-asked
	over := errors.New("the node leaves")
	stop(over)
	for { // until it takes nobody any more
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			break
		}
		conn.Close()
	}
	close(told)
	if err := <-answered; err != nil || string(body) != "ready\n" {
		t.Errorf("%q, %v", body, err)
	}
	if err := <-done; !errors.Is(err, over) {
		t.Errorf("Run returned %v", err)
	}
}
