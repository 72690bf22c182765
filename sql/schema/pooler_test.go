package schema_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/sql/pgserver"
	"github.com/coterie-ha/coterie/sql/schema"
)

// pooler starts a PgBouncer before the server of these tests. Where the project
// is checked there is one; elsewhere it may be missing.
func pooler(t *testing.T, how pgserver.Pooling, settings map[string]string) *pgserver.Pooler {
	t.Helper()
	p, err := server.Pool(t.Context(), how, []string{pgserver.Superuser}, settings)
	if errors.Is(err, pgserver.ErrNoPooler) && os.Getenv("COTERIE_CI") == "" {
		t.Skipf("NO PGBOUNCER (%v): not tested; make pgbouncer installs it", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestHowAPoolerSharesConnectionsIsFoundOut(t *testing.T) {
	t.Parallel()
	look := func(dsn string, want schema.Pooling, wantErr error) {
		t.Helper()
		got, err := schema.FindPooling(t.Context(), schema.Options{DSN: dsn})
		if got != want || !errors.Is(err, wantErr) {
			t.Errorf("got %q, %v; want %q, %v", got, err, want, wantErr)
		}
	}
	look(server.DSN("postgres"), schema.SessionPooling, nil)
	look(server.TCP("postgres"), schema.SessionPooling, nil)
	look(pooler(t, pgserver.SessionPooling, nil).DSN("postgres"), schema.SessionPooling, nil)
	look(pooler(t, pgserver.TransactionPooling, nil).DSN("postgres"), schema.TransactionPooling, nil)
	look(pooler(t, pgserver.TransactionPooling, map[string]string{"default_pool_size": "1"}).DSN("postgres"), schema.TransactionPooling, nil)
	look(pooler(t, pgserver.StatementPooling, nil).DSN("postgres"), "", schema.ErrStatementPooling)
}

func TestAPoolerIsFoundOutUnderLoad(t *testing.T) {
	p := pooler(t, pgserver.TransactionPooling, nil)
	db := open(t, p.DSN("postgres"))
	ctx, cancel := context.WithCancel(t.Context())
	busy := make(chan error)
	for range 4 {
		go func() {
			for ctx.Err() == nil {
				if _, err := db.ExecContext(ctx, "SELECT pg_sleep(0.001)"); err != nil && ctx.Err() == nil {
					busy <- err
					return
				}
			}
			busy <- nil
		}()
	}
	time.Sleep(50 * time.Millisecond)
	missed := 0
	for range 20 {
		got, err := schema.FindPooling(t.Context(), schema.Options{DSN: p.DSN("postgres")})
		if err != nil {
			t.Fatal(err)
		}
		if got != schema.TransactionPooling {
			missed++
		}
	}
	cancel()
	for range 4 {
		if err := <-busy; err != nil {
			t.Error(err)
		}
	}
	if missed > 0 {
		t.Errorf("missed %d times of 20", missed)
	}
}

// An upgrade is one transaction, so a pooler of transactions is no obstacle.
func TestASchemaIsMadeThroughAPooler(t *testing.T) {
	t.Parallel()
	for _, how := range []pgserver.Pooling{pgserver.SessionPooling, pgserver.TransactionPooling} {
		name := emptyDatabase(t)
		db := open(t, pooler(t, how, nil).DSN(name))
		if _, err := schema.Migrate(t.Context(), db); err != nil {
			t.Errorf("%s: %v", how, err)
		}
		if _, err := schema.Check(t.Context(), db); err != nil {
			t.Errorf("%s: %v", how, err)
		}
	}
}

func TestNotificationsAreHeardThroughAPoolerOfSessionsOnly(t *testing.T) {
	t.Parallel()
	db := open(t, server.DSN("postgres"))
	for _, how := range []pgserver.Pooling{pgserver.SessionPooling, pgserver.TransactionPooling} {
		hints, _ := listening(t, schema.Listener{Options: schema.Options{DSN: pooler(t, how, nil).DSN("postgres")}, Channel: "coterie"})
		hinted(t, hints, "when it began to listen")
		if _, err := db.Exec("NOTIFY coterie"); err != nil {
			t.Fatal(err)
		}
		heard := false
		select {
		case <-hints:
			heard = true
		case <-time.After(500 * time.Millisecond):
		}
		if want := how == pgserver.SessionPooling; heard != want {
			t.Errorf("%s pooling: heard %t, want %t", how, heard, want)
		}
	}
}
