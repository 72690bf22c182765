package schema_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/sql/schema"
)

// listening runs a listener for the test and returns its hints and troubles.
func listening(t *testing.T, l schema.Listener) (hints chan struct{}, troubles chan error) {
	t.Helper()
	hints, troubles = make(chan struct{}, 1), make(chan error, 10)
	l.Trouble = func(err error) { troubles <- err }
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- l.Run(ctx, hints) }()
	t.Cleanup(func() {
		begun := time.Now()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
		if took := time.Since(begun); took > 1500*time.Millisecond {
			t.Errorf("Run took %v to end", took)
		}
	})
	return hints, troubles
}

func hinted(t *testing.T, hints <-chan struct{}, why string) {
	t.Helper()
	select {
	case <-hints:
	case <-time.After(5 * time.Second):
		t.Fatalf("no hint %s", why)
	}
}

func TestAListenerHintsAtNotificationsAndAfterEachReconnect(t *testing.T) {
	db := open(t, server.DSN("postgres"))
	hints, troubles := listening(t, schema.Listener{
		Options: schema.Options{DSN: server.DSN("postgres"), Application: "ear", Budget: 500 * time.Millisecond},
		Channel: "coterie", Ping: 100 * time.Millisecond,
	})
	hinted(t, hints, "when it began to listen")
	for range 3 {
		time.Sleep(250 * time.Millisecond) // longer than a ping
		if _, err := db.Exec("NOTIFY coterie"); err != nil {
			t.Fatal(err)
		}
		hinted(t, hints, "of a notification")
	}
	if len(troubles) > 0 {
		t.Errorf("trouble: %v", <-troubles)
	}
	if n := scalar[int](t, db, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'ear'"); n != 1 {
		t.Fatalf("%d listeners, want 1", n)
	}
	hinted(t, hints, "after a reconnect")
	if len(troubles) == 0 {
		t.Error("nobody was told of the lost connection")
	}
	if _, err := db.Exec("NOTIFY coterie"); err != nil {
		t.Fatal(err)
	}
	hinted(t, hints, "of a notification after a reconnect")
}

func TestAListenerThatCannotConnectSaysSoAndEnds(t *testing.T) {
	t.Parallel()
	_, troubles := listening(t, schema.Listener{
		Options: schema.Options{DSN: "host=/nonexistent user=u dbname=d"}, Channel: "coterie",
	})
	if err := <-troubles; !errors.Is(err, schema.ErrUnreachable) {
		t.Errorf("got %v, want ErrUnreachable", err)
	}
}

func TestAListenerNoticesThatPacketsVanish(t *testing.T) {
	var mu sync.Mutex
	var last *valve
	hints, troubles := listening(t, schema.Listener{
		Options: schema.Options{DSN: server.TCP("postgres"), Budget: 300 * time.Millisecond, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			inner, err := new(net.Dialer).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			mu.Lock()
			defer mu.Unlock()
			last = &valve{Conn: inner}
			return last, nil
		}},
		Channel: "coterie", Ping: 200 * time.Millisecond,
	})
	hinted(t, hints, "when it began to listen")
	mu.Lock()
	last.shutOff()
	mu.Unlock()
	begun := time.Now()
	if err := <-troubles; err == nil {
		t.Error("trouble without a reason")
	}
	if took := time.Since(begun); took > time.Second {
		t.Errorf("it took %v to notice, more than a ping and the budget", took)
	}
	hinted(t, hints, "after a reconnect")
}

func TestAListenerThatIsWellEndsAtOnce(t *testing.T) {
	t.Parallel()
	l := schema.Listener{Options: schema.Options{DSN: server.DSN("postgres")}, Channel: "coterie"}
	for range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		hints, ended := make(chan struct{}, 1), make(chan error)
		go func() { ended <- l.Run(ctx, hints) }()
		hinted(t, hints, "when it began to listen")
		begun := time.Now()
		cancel()
		<-ended
		if took := time.Since(begun); took > reconnectRest/2 {
			t.Fatalf("Run took %v to end", took)
		}
	}
}

// reconnectRest is how long lib/pq rests before it connects again.
const reconnectRest = time.Second
