package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/sql/sqltest"
)

// taken is what a client gets that asks for the lease by SQL.
func taken(t *testing.T, db *sqltest.DB, node string, incarnation int) (token *int64) {
	t.Helper()
	if err := db.Get(&token, `SELECT coterie.lease_take($1, $2, 'nightly')`, node, incarnation); err != nil {
		t.Fatal(err)
	}
	return token
}

func publishing(t *testing.T) (db *sqltest.DB, token int64, src, dst string) {
	t.Helper()
	db = sqltest.New(t)
	db.MustExec(`SELECT coterie.cluster_init('test'), coterie.lease_declare('{nightly}', NULL)`)
	db.MustExec(`SELECT coterie.session_begin('a', 1, '{}', NULL, NULL, 0), coterie.session_begin('b', 2, '{}', NULL, NULL, 0)`)
	dir := t.TempDir()
	src, dst = filepath.Join(dir, "src"), filepath.Join(dir, "dst")
	for name, text := range map[string]string{src: "new", dst: "old"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return db, *taken(t, db, "a", 1), src, dst
}

// The signal comes between the assertion and the rename. Until the file is in
// place, nobody may take the lease.
func TestATermAfterTheAssertionDoesNotGiveUpTheLease(t *testing.T) {
	db, token, _, _ := publishing(t)
	ctx, stop := context.WithCancel(t.Context())
	tx, err := asserted(ctx, db.DB, "nightly", token)
	if err != nil {
		t.Fatal(err)
	}
	stop()
	db.MustExec(`SELECT coterie.session_end('a', 1, 'crash', 'test')`)
	for begun := time.Now(); time.Since(begun) < 200*time.Millisecond; time.Sleep(5 * time.Millisecond) {
		if got := taken(t, db, "b", 2); got != nil {
			t.Fatalf("taken with token %d %v after the signal, before the file is in place", *got, time.Since(begun))
		}
	}
	if err := tx.Commit(); err != nil {
		t.Errorf("what was renamed under the lock is told as failed: %v", err)
	}
	if got := taken(t, db, "b", 2); got == nil || *got <= token {
		t.Errorf("taken afterwards with token %v after %d", got, token)
	}
}

func TestATermBeforeTheAssertionChangesNothing(t *testing.T) {
	db, token, src, dst := publishing(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := publish(ctx, db.DB, "nightly", token, src, dst); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	var told *problem.Problem
	if err := publish(t.Context(), db.DB, "nightly", token+1, src, dst); !errors.As(err, &told) || told.Code != "COT-104" {
		t.Errorf("got %v, want COT-104", err)
	}
	if text, err := os.ReadFile(dst); err != nil || string(text) != "old" {
		t.Errorf("it is %q now, %v", text, err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(dst), ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if n := 0; db.Get(&n, `SELECT count(*) FROM pg_locks WHERE relation = 'coterie.lease'::regclass`) != nil || n > 0 {
		t.Errorf("%d locks are left", n)
	}
}
