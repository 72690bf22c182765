package schema_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/sql/schema"
	"github.com/coterie-ha/coterie/test/nobody"
)

func TestASilentFirstHostDoesNotUseUpTheTimeOfTheSecond(t *testing.T) {
	o := schema.Options{
		DSN:     fmt.Sprintf("host=127.0.0.1,127.0.0.1 port=%d,%d dbname=postgres user=postgres sslmode=disable", silent(t), server.Port),
		Connect: 30 * time.Second,
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	begun := time.Now()
	db, err := schema.Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(begun)
	t.Logf("connected in %v", took)
	if took > 2*time.Second {
		t.Errorf("it took %v to reach the second host", took)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func TestHostsThatCannotServeAreAllNamed(t *testing.T) {
	closed, other := nobody.Address(t).Port, nobody.Address(t).Port
	_, err := schema.Open(t.Context(), schema.Options{
		DSN: fmt.Sprintf("host=127.0.0.1,127.0.0.1 port=%d,%d dbname=d user=u sslmode=disable", closed, other),
	})
	if !errors.Is(err, schema.ErrUnreachable) {
		t.Fatalf("got %v, want ErrUnreachable", err)
	}
	for _, port := range []int{closed, other} {
		if !strings.Contains(err.Error(), fmt.Sprintf("connecting to 127.0.0.1:%d: ", port)) {
			t.Errorf("port %d is not named in %v", port, err)
		}
	}
}

// A dial that lasts until its context ends, as to a host without power, must
// not outlive the race.
func TestTheLosersOfTheRaceHaveEndedWhenItIsWon(t *testing.T) {
	var underway atomic.Int32
	dead := nobody.Address(t).String()
	_, port, err := net.SplitHostPort(dead)
	if err != nil {
		t.Fatal(err)
	}
	o := schema.Options{
		DSN:     fmt.Sprintf("host=127.0.0.1,127.0.0.1 port=%s,%d dbname=postgres user=postgres sslmode=disable", port, server.Port),
		Connect: 30 * time.Second,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			underway.Add(1)
			defer underway.Add(-1)
			if address == dead {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	db, err := schema.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if n := underway.Load(); n != 0 {
		t.Errorf("%d dials are still under way", n)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func TestAConnectionThatTheServerHungUpIsNotHandedOut(t *testing.T) {
	admin := open(t, server.DSN("postgres"))
	for _, dsn := range []string{server.DSN("postgres"), server.TCP("postgres")} {
		db := open(t, dsn)
		db.SetMaxOpenConns(1)
		first := scalar[int](t, db, "SELECT pg_backend_pid()")
		if scalar[int](t, db, "SELECT pg_backend_pid()") != first {
			t.Error("a healthy connection was not used again")
		}
		scalar[bool](t, admin, "SELECT pg_terminate_backend($1)", first)
		for scalar[bool](t, admin, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)", first) {
			time.Sleep(time.Millisecond)
		}
		// On a connection of its own nothing is tried twice.
		c, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var second int
		if err := c.QueryRowContext(t.Context(), "SELECT pg_backend_pid()").Scan(&second); err != nil {
			t.Errorf("the first statement after the hang-up: %v", err)
		}
		if second == first {
			t.Error("the server's process was not ended")
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What a server says unasked is no reason to give a connection up.
func TestAConnectionWithNewsIsUsedAgain(t *testing.T) {
	db, admin := open(t, server.DSN("postgres")), open(t, server.DSN("postgres"))
	db.SetMaxOpenConns(1)
	first := scalar[int](t, db, "SELECT pg_backend_pid()")
	if _, err := db.Exec("LISTEN news"); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec("NOTIFY news"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	if scalar[int](t, db, "SELECT pg_backend_pid()") != first {
		t.Error("the connection was not used again")
	}
}
