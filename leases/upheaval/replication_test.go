package upheaval_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/sql/pgserver"
	"github.com/coterie-ha/coterie/sql/schema"
)

// A synchronous standby goes away. Commits wait for it, and somebody cancels
// those waits: the server then says that all is well, but for a notice. Nobody
// may act on that, and nothing that was acknowledged is missing on the standby.
func TestACommitThatIsLocalIsNotActedUpon(t *testing.T) {
	t.Parallel()
	for round := range *rounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) { t.Parallel(); localCommits(t) })
	}
}

func localCommits(t *testing.T) {
	const held = 6
	primary := server(t, pgserver.Options{MaxConns: 200})
	db := prepare(t, primary, "app", held)
	standby, err := primary.Standby(t.Context(), pgserver.Options{MaxConns: 200, Settings: map[string]string{"cluster_name": "second"}})
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, standby)
	do(t, db, "ALTER SYSTEM SET synchronous_standby_names = 'second'", "SELECT pg_reload_conf()")
	within(t, 20*time.Second, "the standby is synchronous", func() bool {
		return ask[int](t, db, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == 1
	})

	c := newCluster(t, func(login string) string { return at("app", login, primary, standby) })
	c.start("app_a", 0)
	c.start("app_b", 0)
	c.settle(held, 10*time.Second)
	time.Sleep(2 * terms.Heartbeat)
	if err := standby.Halt(pgserver.Fast); err != nil {
		t.Fatal(err)
	}
	away := time.Now()
	before := len(c.record.all())
	cancelled := 0
	for time.Since(away) < 2*terms.TTL {
		cancelled += cancelWaits(t, db)
		time.Sleep(terms.Heartbeat / 10)
	}
	late := 0
	for _, b := range c.record.all()[before:] {
		if b.from.After(away.Add(terms.TTL / 2)) {
			late++
		}
	}
	if now := c.record.held(); len(now) > 0 || late > 0 {
		t.Errorf("%d holders act, and %d began, while nothing can be acknowledged: %v", len(now), late, now)
	}
	t.Logf("cancelled %d waits; the server has %d connections", cancelled, ask[int](t, db, "SELECT count(*) FROM pg_stat_activity WHERE datname = 'app'"))
	if told := c.told(schema.ErrLocal.Error()); told == 0 {
		t.Error("no node met a commit that was local: this proves nothing")
	}

	if err := standby.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	within(t, 20*time.Second, "everything is held again", c.allHeld(held))
	within(t, 20*time.Second, "effects are made again", func() bool { return everybodyWorks(c, held, time.Now().Add(-terms.TTL)) })
	if err := primary.Halt(pgserver.Kill); err != nil {
		t.Fatal(err)
	}
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := super(t, standby, "app")
	do(t, second, "ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
	if lost := c.missing(second); len(lost) > 0 {
		t.Errorf("%d acknowledged effects are not on the standby, the first: %s", len(lost), lost[0])
	}
	last := c.record.highest()
	within(t, 20*time.Second, "everything is held under the new era", func() bool { return allAbove(c, held, last) })
	t.Logf("%d effects were acknowledged", len(c.record.effects()))
	c.finish(second)
}

// cancelWaits ends the waits for the standby, as people do who see hanging
// commits, and returns how many.
func cancelWaits(t *testing.T, db *sqlx.DB) int {
	t.Helper()
	return ask[int](t, db, "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
}

// told counts the errors that nodes met and that say so.
func (c *cluster) told(text string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for what, times := range c.troubles {
		if strings.Contains(what, text) {
			n += times
		}
	}
	return n
}

// Each way of saying a statement, against a server whose standby never comes.
func TestALocalCommitIsAnError(t *testing.T) {
	t.Parallel()
	s := server(t, pgserver.Options{})
	admin := super(t, s, "postgres")
	do(t, admin, "CREATE TABLE told (n int)", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
	notices := make(chan string, 100)
	db, err := schema.Open(t.Context(), schema.Options{
		DSN: s.DSN("postgres"), Budget: time.Minute, MaxConns: 1,
		Notice: func(said *pq.Error) { notices <- said.Message },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, say := range map[string]func() error{
		"a statement":                 func() error { _, err := db.Exec("INSERT INTO told VALUES (1)"); return err },
		"a statement with arguments":  func() error { _, err := db.Exec("INSERT INTO told VALUES ($1)", 2); return err },
		"a statement that answers":    func() error { var n int; return db.Get(&n, "INSERT INTO told VALUES ($1) RETURNING n", 3) },
		"one that answers with lists": func() error { var n []int; return db.Select(&n, "INSERT INTO told VALUES (4) RETURNING n") },
		"a transaction": func() error {
			tx, err := db.Begin()
			if err != nil {
				return err
			}
			if _, err := tx.Exec("INSERT INTO told VALUES (5)"); err != nil {
				return err
			}
			return tx.Commit()
		},
	} {
		ended := make(chan error)
		go func() { ended <- say() }()
		cancelled := false
		for waiting := true; waiting; {
			select {
			case err := <-ended:
				if !errors.Is(err, schema.ErrLocal) || !cancelled {
					t.Errorf("%s: %v, want ErrLocal", name, err)
				}
				waiting = false
			case <-time.After(5 * time.Millisecond):
				cancelled = cancelWaits(t, admin) > 0 || cancelled
			}
		}
	}
	// The error is told once: the connection is as good as before.
	if n := 0; db.Get(&n, "SELECT count(*) FROM told") != nil || n != 5 {
		t.Errorf("%d rows, want 5: local commits are visible", n)
	}
	if len(notices) != 5 {
		t.Errorf("%d notices, want 5", len(notices))
	}
}
