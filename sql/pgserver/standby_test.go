package pgserver_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/sql/pgserver"
)

func standby(t *testing.T, primary *pgserver.Server) *pgserver.Server {
	t.Helper()
	s, err := primary.Standby(t.Context(), pgserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestAStandbyFollowsAndIsPromoted(t *testing.T) {
	primary := start(t, pgserver.Options{})
	second := standby(t, primary)
	if _, err := ask(t.Context(), primary.DSN("postgres"), "create table told as select 1 as n; select n::text from told"); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		got, err := ask(t.Context(), second.DSN("postgres"), "select n::text from told")
		if got == "1" {
			break
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("the standby does not follow: %q, %v", got, err)
		}
	}
	if err := primary.Halt(pgserver.Kill); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := second.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("promoted in %v", time.Since(begun))
	const timeline = "select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"
	if got, err := ask(t.Context(), second.DSN("postgres"), timeline); got != "00000002" || err != nil {
		t.Errorf("timeline %q, %v; want 00000002", got, err)
	}
	if _, err := ask(t.Context(), second.DSN("postgres"), "insert into told values (2); select n::text from told"); err != nil {
		t.Errorf("the promoted standby takes no writes: %v", err)
	}
}

func TestAFrozenServerAnswersNobodyUntilItThaws(t *testing.T) {
	s := start(t, pgserver.Options{})
	if err := s.Freeze(); errors.Is(err, errors.ErrUnsupported) {
		t.Skip("nobody can be frozen on this system")
	} else if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if got, err := ask(ctx, s.DSN("postgres")+" connect_timeout=1", "select '1'"); err == nil {
		t.Errorf("a frozen server answered %q", got)
	}
	if err := s.Thaw(); err != nil {
		t.Fatal(err)
	}
	if got, err := ask(t.Context(), s.DSN("postgres"), "select '1'"); got != "1" || err != nil {
		t.Errorf("got %q, %v after the thaw; want 1", got, err)
	}
	if err := s.Freeze(); err != nil { // Stop must do with a frozen one
		t.Fatal(err)
	}
}

func TestAPoolerStandsBeforeTheServer(t *testing.T) {
	s := start(t, pgserver.Options{})
	p, err := s.Pool(t.Context(), pgserver.SessionPooling, []string{pgserver.Superuser}, nil)
	if errors.Is(err, pgserver.ErrNoPooler) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	if got, err := ask(t.Context(), p.DSN("postgres"), "select '1'"); got != "1" || err != nil {
		t.Errorf("got %q, %v; want 1", got, err)
	}
}

// Who means the pooler must not reach somebody else.
func TestAPoolerWhosePortIsTakenDoesNotStart(t *testing.T) {
	s := start(t, pgserver.Options{})
	p, err := s.Pool(t.Context(), pgserver.SessionPooling, []string{pgserver.Superuser}, nil)
	if errors.Is(err, pgserver.ErrNoPooler) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Port)))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	var early *pgserver.StartError
	if err := p.Resume(t.Context()); !errors.As(err, &early) {
		t.Errorf("got %v, want a StartError", err)
	}
}
