package pgserver_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	_ "github.com/lib/pq"

	"github.com/coterie-ha/coterie/sql/pgserver"
)

func start(t *testing.T, o pgserver.Options) *pgserver.Server {
	t.Helper()
	begun := time.Now()
	s, err := pgserver.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("started in %v", time.Since(begun))
	t.Cleanup(func() {
		begun := time.Now()
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		t.Logf("stopped in %v", time.Since(begun))
	})
	return s
}

func ask(ctx context.Context, dsn, query string) (answer string, err error) {
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return answer, db.QueryRowContext(ctx, query).Scan(&answer)
}

func TestAServerAnswersBySocketAndByTCP(t *testing.T) {
	s := start(t, pgserver.Options{MaxConns: 17, Settings: map[string]string{"work_mem": "5MB"}})
	for _, dsn := range []string{s.DSN("postgres"), s.TCP("postgres")} {
		got, err := ask(t.Context(), dsn, "select concat_ws(' ', current_setting('fsync'), current_setting('max_connections'), current_setting('work_mem'), current_setting('server_encoding'))")
		if want := "off 17 5MB UTF8"; err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", dsn, got, err, want)
		}
	}
}

func TestDataSurvivesARestartOfAnyKind(t *testing.T) {
	s := start(t, pgserver.Options{Durable: true})
	if _, err := ask(t.Context(), s.DSN("postgres"), "create table kept as select 1 as n; select n::text from kept"); err != nil {
		t.Fatal(err)
	}
	port := s.Port
	for _, how := range []pgserver.Mode{pgserver.Fast, pgserver.Immediate, pgserver.Kill} {
		if err := s.Restart(t.Context(), how); err != nil {
			t.Fatalf("mode %v: %v", how, err)
		}
		got, err := ask(t.Context(), s.DSN("postgres"), "select n::text from kept")
		if got != "1" || err != nil || s.Port != port {
			t.Errorf("mode %v: got %q, %v on port %d; want 1 on port %d", how, got, err, s.Port, port)
		}
	}
}

func TestAGivenDirectoryIsKeptAndTakenUpAgain(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "pgserver-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	first, err := pgserver.Start(t.Context(), pgserver.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(t.Context(), first.DSN("postgres"), "create table kept as select 1 as n; select n::text from kept"); err != nil {
		t.Fatal(err)
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	second := start(t, pgserver.Options{Dir: dir})
	if got, err := ask(t.Context(), second.DSN("postgres"), "select n::text from kept"); got != "1" || err != nil {
		t.Errorf("got %q, %v; want 1", got, err)
	}
}

func TestStopRemovesATemporaryDirectory(t *testing.T) {
	s, err := pgserver.Start(t.Context(), pgserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s: %v; want it gone", s.Dir, err)
	}
}

func TestABadSettingIsReportedInThePostmastersWords(t *testing.T) {
	_, err := pgserver.Start(t.Context(), pgserver.Options{Settings: map[string]string{"work_mem": "much"}})
	var early *pgserver.StartError
	if !errors.As(err, &early) || !strings.Contains(early.Said, `"work_mem"`) {
		t.Errorf("got %v; want a StartError that names work_mem", err)
	}
}
