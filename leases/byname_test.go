package leases_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/sqltest"
)

// sqlClient keeps a session by SQL alone.
type sqlClient struct {
	db          *sqlx.DB
	node        string
	incarnation int64
}

func newSQLClient(t *testing.T, db *sqlx.DB, node string) *sqlClient {
	t.Helper()
	c := &sqlClient{db: db, node: node}
	if err := c.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// begin begins a life that nobody had before.
func (c *sqlClient) begin(ctx context.Context) error {
	c.incarnation = rand.Int64N(1<<62) + 1
	var began bool
	err := c.db.GetContext(ctx, &began, `SELECT began FROM coterie.session_begin($1, $2, '{}', NULL, NULL, 0)`, c.node, c.incarnation)
	if err == nil && !began {
		err = fmt.Errorf("%s does not begin", c.node)
	}
	return err
}

func (c *sqlClient) take(ctx context.Context, lease string) (token *int64, err error) {
	err = c.db.GetContext(ctx, &token, `SELECT coterie.lease_take($1, $2, $3)`, c.node, c.incarnation, lease)
	return token, err
}

func (c *sqlClient) give(ctx context.Context, lease string, token int64) (given bool, err error) {
	err = c.db.GetContext(ctx, &given, `SELECT coterie.lease_give($1, $2, $3, $4)`, c.node, c.incarnation, lease, token)
	return given, err
}

// Clients fight for one lease while their sessions are ended under them. Each
// that holds it says so in memory, where two at once would meet.
func TestALeaseTakenByNameHasOneHolder(t *testing.T) {
	db := sqltest.New(t)
	db.MustExec(`SELECT coterie.cluster_init('test'), coterie.lease_declare('{nightly}', NULL)`)
	rounds := 400
	if testing.Short() {
		rounds = 100
	}
	var holder atomic.Pointer[sqlClient] // whoever acts
	var last, taken atomic.Int64
	var wait sync.WaitGroup
	for i := range 8 {
		c := newSQLClient(t, db.DB, fmt.Sprintf("client-%d", i))
		wait.Go(func() {
			for range rounds {
				if err := c.compete(t.Context(), db.DB, &holder, &last, &taken); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	t.Logf("taken %d times", taken.Load())
	if taken.Load() < int64(rounds)/4 {
		t.Errorf("taken %d times in %d rounds", taken.Load(), 8*rounds)
	}
	var wrong []string
	if err := db.Select(&wrong, `SELECT format('%s: %s', invariant, text) FROM coterie.violations`); err != nil || len(wrong) > 0 {
		t.Errorf("violations: %v %v", wrong, err)
	}
}

// compete is one try to take it; one in eight who did is ended while it holds it.
func (c *sqlClient) compete(ctx context.Context, db *sqlx.DB, holder *atomic.Pointer[sqlClient], last, taken *atomic.Int64) error {
	token, err := c.take(ctx, "nightly")
	if err != nil || token == nil {
		return err
	}
	if !holder.CompareAndSwap(nil, c) {
		return fmt.Errorf("%s took it while %s held it", c.node, holder.Load().node)
	}
	if before := last.Swap(*token); before >= *token {
		return fmt.Errorf("token %d follows %d", *token, before)
	}
	taken.Add(1)
	holder.Store(nil) // before it is given up: from here on somebody else may have it
	if rand.IntN(8) == 0 {
		if _, err := leases.EndSession(ctx, db, c.node, c.incarnation, "crash", "test"); err != nil {
			return err
		}
		if given, err := c.give(ctx, "nightly", *token); given || err != nil {
			return fmt.Errorf("a session that was ended gives back: %v, %w", given, err)
		}
		return c.begin(ctx)
	}
	given, err := c.give(ctx, "nightly", *token)
	if err == nil && !given {
		err = fmt.Errorf("%s cannot give back what it took", c.node)
	}
	return err
}

func TestNoLoginTakesLeasesForASessionOfAnother(t *testing.T) {
	db := sqltest.New(t)
	db.MustExec(`SELECT coterie.cluster_init('test'), coterie.lease_declare('{nightly}', NULL)`)
	owner := newSQLClient(t, db.Login("report", "coterie_agent").DB, "report")
	thief := &sqlClient{db: db.Login("thief", "coterie_agent").DB, node: owner.node, incarnation: owner.incarnation}
	_, err := thief.take(t.Context(), "nightly")
	var said *pq.Error
	if !errors.As(err, &said) || said.Code != "CT002" {
		t.Errorf("taken by another login: %v, want CT002", err)
	}
	token, err := owner.take(t.Context(), "nightly")
	if err != nil || token == nil {
		t.Fatalf("take: %v, %v", token, err)
	}
	if given, err := thief.give(t.Context(), "nightly", *token); given || err != nil {
		t.Errorf("given back by another login: %v, %v", given, err)
	}
	var ttl *float64
	if err := thief.db.Get(&ttl, `SELECT coterie.session_renew($1, $2, 0)`, owner.node, owner.incarnation); err != nil || ttl != nil {
		t.Errorf("renewed by another login: %v, %v", ttl, err)
	}
}

// A statement that began in an era before must not take back a token's rise.
func TestAStatementThatSleptThroughAnEraTakesNothing(t *testing.T) {
	db := sqltest.New(t)
	db.MustExec(`SELECT coterie.cluster_init('test'), coterie.lease_declare('{nightly}', NULL)`)
	c := newSQLClient(t, db.DB, "report")
	db.MustExec(`UPDATE coterie.lease SET token = (1::bigint << 40) + 5`)
	if token, err := c.take(t.Context(), "nightly"); token != nil || err != nil {
		t.Errorf("taken in era 0 after era 1: %v, %v", token, err)
	}
	db.MustExec(`UPDATE coterie.cluster SET era = 1`)
	if token, err := c.take(t.Context(), "nightly"); err != nil || token == nil || leases.Token(*token).Era() != 1 {
		t.Errorf("taken in era 1: %v, %v", token, err)
	}
}

// Names that users made up, once each, do not stay for ever, and nobody is told of
// those that he does not want. Tokens rise over the gap, and also over an era.
func TestNamesThatNobodyWantsAreSweptAway(t *testing.T) {
	db := sqltest.New(t)
	db.MustExec(`SELECT coterie.cluster_init('test'), coterie.lease_declare('{job/disabled}', NULL), coterie.lease_declare('{mail}', 'work')`)
	db.MustExec(`SELECT coterie.lease_declare(ARRAY(SELECT 'backup-' || n FROM generate_series(1, 150) AS n), NULL)`)
	c := newSQLClient(t, db.DB, "report")
	token, err := c.take(t.Context(), "backup-1")
	if err != nil || token == nil {
		t.Fatalf("take: %v, %v", token, err)
	}
	kept, err := c.take(t.Context(), "backup-2")
	if err != nil || kept == nil {
		t.Fatalf("take: %v, %v", kept, err)
	}
	if given, err := c.give(t.Context(), "backup-1", *token); !given || err != nil {
		t.Fatalf("give: %v, %v", given, err)
	}
	names := func() (n int) {
		t.Helper()
		if err := db.Get(&n, `SELECT count(*) FROM coterie.lease`); err != nil {
			t.Fatal(err)
		}
		return n
	}
	db.MustExec(`SELECT coterie.lease_declare('{today}', NULL)`)
	if n := names(); n != 153 {
		t.Errorf("%d rows, want 153: a day has not passed", n)
	}
	db.MustExec(`UPDATE coterie.lease SET declared_at = declared_at - interval '25h', freed_at = freed_at - interval '25h' WHERE name <> 'today'`)
	for _, name := range []string{"next", "after", "next"} {
		db.MustExec(`SELECT coterie.lease_declare(ARRAY[$1], NULL)`, name)
	}
	if n := names(); n != 6 {
		t.Errorf("%d rows, want 6: what is held, what has a class, what is a job's, and three of today", n)
	}
	again, err := c.take(t.Context(), "backup-1")
	if err != nil || again == nil || *again <= *kept {
		t.Errorf("taken again with %v after %d, %v: want a higher token", again, *kept, err)
	}

	// What was swept away in an era is born in the present one.
	db.MustExec(`UPDATE coterie.cluster SET era = 1`)
	db.MustExec(`SELECT coterie.lease_declare('{backup-3}', NULL)`)
	db.MustExec(`UPDATE coterie.cluster SET era = 0`)
	if slept, err := c.take(t.Context(), "backup-3"); slept != nil || err != nil {
		t.Errorf("taken in era 0 what was made in era 1: %v, %v", slept, err)
	}
}

// A listing has, of leases that are taken by name, those that the node wants; one
// that was swept away while it was wanted is made again.
func TestANodeIsToldOfTheNamesThatItWants(t *testing.T) {
	db := sqltest.New(t)
	db.MustExec(`SELECT coterie.cluster_init('test'), coterie.lease_declare('{one, two}', NULL), coterie.lease_declare('{mail}', 'work')`)
	newSQLClient(t, db.DB, "a")
	for wants, free := range map[string]string{
		"{}": "mail", "{two}": "mail two", "{two, gone}": "gone mail two", "{\"\", \"a\tb\"}": "mail",
	} {
		var got string
		if err := db.Get(&got, `
			SELECT coalesce(string_agg(f ->> 'name', ' ' ORDER BY f ->> 'name'), '')
			FROM coterie.session s,
			     coterie.tick(s.node, s.incarnation, '{}', 0, -1, 6000, 0, false, false, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', $1) AS said,
			     json_array_elements(said.listing -> 'free') AS f`, wants); err != nil {
			t.Fatal(err)
		}
		if got != free {
			t.Errorf("who wants %s is told of %q, want %q", wants, got, free)
		}
	}
}
