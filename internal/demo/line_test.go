package demo

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// echo is a server that sends back what it is sent, and a line to it.
func echo(t *testing.T) (*line, string) {
	t.Helper()
	dir := t.TempDir()
	server, near := filepath.Join(dir, "server"), filepath.Join(dir, "near")
	socket, err := net.Listen("unix", server)
	if err != nil {
		t.Fatal(err)
	}
	l, err := openLine(t.Context(), near, server)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := l.Run(ctx); !errors.Is(err, errEnd) {
			t.Error(err)
		}
	})
	running.Go(func() {
		for {
			conn, err := socket.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer conn.Close()
				if _, err := io.Copy(conn, conn); err != nil && !errors.Is(err, net.ErrClosed) {
					t.Log(err) // a line that was cut
				}
			})
		}
	})
	t.Cleanup(func() {
		cancel(errEnd)
		socket.Close()
		running.Wait()
	})
	return l, near
}

func dial(t *testing.T, path string) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// ask sends a word and returns what comes back within a moment.
func ask(t *testing.T, c net.Conn, word string) (string, error) {
	t.Helper()
	if _, err := io.WriteString(c, word); err != nil {
		return "", err
	}
	return hear(t, c, len(word), 100*time.Millisecond)
}

func hear(t *testing.T, c net.Conn, n int, within time.Duration) (string, error) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, n)
	n, err := io.ReadFull(c, got)
	return string(got[:n]), err
}

func TestALineThatWasCutSilentlyDeliversLate(t *testing.T) {
	l, path := echo(t)
	c := dial(t, path)
	if got, err := ask(t, c, "one"); got != "one" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	l.Cut(cutSilent)
	if got, err := ask(t, c, "two"); got != "" || err == nil {
		t.Fatalf("through a cut line came %q, %v", got, err)
	}
	other := dial(t, path) // the network takes it; nobody answers
	if got, err := ask(t, other, "three"); got != "" || err == nil {
		t.Fatalf("through a cut line came %q, %v", got, err)
	}
	l.Mend()
	if got, err := hear(t, c, 3, 5*time.Second); got != "two" {
		t.Errorf("after mending came %q, %v", got, err)
	}
	if got, err := hear(t, other, 5, 5*time.Second); got != "three" {
		t.Errorf("after mending came %q, %v", got, err)
	}
}

func TestALineThatRefusesBreaksConnections(t *testing.T) {
	l, path := echo(t)
	c := dial(t, path)
	if got, err := ask(t, c, "one"); got != "one" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	l.Cut(cutRefuse)
	if _, err := hear(t, c, 1, 5*time.Second); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want the end", err)
	}
	if _, err := hear(t, dial(t, path), 1, 5*time.Second); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want the end", err)
	}
	l.Mend()
	if got, err := ask(t, dial(t, path), "two"); got != "two" || err != nil {
		t.Errorf("after mending: %q, %v", got, err)
	}
}
