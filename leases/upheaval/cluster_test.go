package upheaval_test

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/pgserver"
	"github.com/coterie-ha/coterie/sql/schema"
)

// rounds is how often each upheaval happens: one shows that it is survived, a
// hundred that it was not luck.
var rounds = flag.Int("rounds", 1, "how often each upheaval happens")

// class is what all nodes take.
const class = "work"

// terms are short, and leave time for a busy machine all the same.
var terms = leases.Terms{TTL: 2 * time.Second, Heartbeat: 400 * time.Millisecond, Margin: 600 * time.Millisecond}

// cluster is nodes, and the servers that they know.
type cluster struct {
	t      testing.TB
	terms  leases.Terms
	budget time.Duration
	record record
	nodes  []*node
	dsn    func(login string) string
	share  string // the folder that nodes share, "" for none

	mu       sync.Mutex // guards troubles
	troubles map[string]int
}

func newCluster(t testing.TB, dsn func(login string) string) *cluster {
	c := &cluster{t: t, terms: terms, budget: terms.TTL / 2, dsn: dsn, troubles: map[string]int{}}
	t.Cleanup(func() {
		if t.Failed() {
			for _, what := range slices.Sorted(maps.Keys(c.troubles)) {
				t.Logf("%4d times: %s", c.troubles[what], what)
			}
		}
	})
	return c
}

// trouble notes an error that a node met, to be told if the test fails.
func (c *cluster) trouble(node string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.troubles[node+": "+strings.ReplaceAll(err.Error(), "\n", " / ")]++
}

// server starts a server of the test.
func server(t testing.TB, o pgserver.Options) *pgserver.Server {
	t.Helper()
	s, err := pgserver.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, s)
	return s
}

func stopAtEnd(t testing.TB, s *pgserver.Server) {
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// at is a connection string to a database by TCP.
func at(db, login string, servers ...*pgserver.Server) string {
	var hosts, ports []string
	for _, s := range servers {
		hosts, ports = append(hosts, "127.0.0.1"), append(ports, fmt.Sprint(s.Port))
	}
	return fmt.Sprintf("host=%s port=%s dbname=%s user=%s sslmode=disable target_session_attrs=read-write",
		strings.Join(hosts, ","), strings.Join(ports, ","), db, login)
}

// super is a pool of a server's superuser, by its socket.
func super(t testing.TB, s *pgserver.Server, db string) *sqlx.DB {
	t.Helper()
	pool, err := schema.Pool(schema.Options{DSN: s.DSN(db) + " target_session_attrs=any", Budget: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Close(); err != nil && !strings.Contains(err.Error(), "broken pipe") { // its server may be gone
			t.Error(err)
		}
	})
	return pool
}

// exec runs statements, one after the other.
func do(t testing.TB, db *sqlx.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%.200s: %v", s, err)
		}
	}
}

// ask returns one value.
func ask[T any](t testing.TB, db *sqlx.DB, query string, args ...any) T {
	t.Helper()
	var v T
	if err := db.GetContext(t.Context(), &v, query, args...); err != nil {
		t.Fatalf("%.200s: %v", query, err)
	}
	return v
}

// list returns a column.
func list[T any](t testing.TB, db *sqlx.DB, query string, args ...any) []T {
	t.Helper()
	var v []T
	if err := db.SelectContext(t.Context(), &v, query, args...); err != nil {
		t.Fatalf("%.200s: %v", query, err)
	}
	return v
}

// effectSQL is the application's table.
const effectSQL = `
CREATE TABLE effect (id bigserial PRIMARY KEY, lease text NOT NULL, token bigint NOT NULL, node text NOT NULL, text text NOT NULL UNIQUE);
GRANT INSERT, SELECT ON effect TO PUBLIC;
GRANT USAGE ON SEQUENCE effect_id_seq TO PUBLIC;`

// prepare makes a database, the cluster, its leases, and logins.
func prepare(t testing.TB, s *pgserver.Server, name string, held int) *sqlx.DB {
	t.Helper()
	do(t, super(t, s, "postgres"), "CREATE DATABASE "+name)
	db := super(t, s, name)
	initialise(t, db, held)
	do(t, db, effectSQL)
	for _, login := range []string{"app_a", "app_b", "app_c", "app_d"} {
		do(t, db, fmt.Sprintf(`DO $$ BEGIN CREATE ROLE %s LOGIN IN ROLE coterie_agent;
			EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`, login))
	}
	return db
}

// initialise makes the schema, the cluster and its leases.
func initialise(t testing.TB, db *sqlx.DB, held int) {
	t.Helper()
	if _, err := schema.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	do(t, db, "SELECT coterie.cluster_init('upheaval')",
		fmt.Sprintf("UPDATE coterie.setting SET session_ttl = '%v', heartbeat = '%v', margin = '%v'", terms.TTL, terms.Heartbeat, terms.Margin))
	var names pq.StringArray
	for i := range held {
		names = append(names, fmt.Sprintf("work/%d", i))
	}
	ask[int](t, db, "SELECT coterie.lease_declare($1, $2)", names, class)
}

// allHeld tells whether each lease has a holder.
func (c *cluster) allHeld(n int) func() bool {
	return func() bool { return len(c.record.held()) == n }
}

// settle waits until each lease is held.
func (c *cluster) settle(n int, limit time.Duration) time.Duration {
	c.t.Helper()
	return within(c.t, limit, fmt.Sprintf("%d leases are held", n), c.allHeld(n))
}

// finish ends all nodes and checks what they believed and what is in the database.
func (c *cluster) finish(db *sqlx.DB) {
	c.t.Helper()
	for _, n := range c.nodes {
		n.leave()
	}
	check(c.t, c.record.all())
	back := list[string](c.t, db, `
		SELECT text || ' after token ' || before FROM (
			SELECT text, token, max(token) OVER (PARTITION BY lease ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
			FROM effect) e
		WHERE token < before`)
	for _, wrong := range back {
		c.t.Errorf("an effect went back: %s", wrong)
	}
	if bad := ask[int](c.t, db, `SELECT count(*) FROM coterie.violations`); bad > 0 {
		c.t.Errorf("coterie.violations has %d rows", bad)
	}
}

// missing are effects that were acknowledged and are not there.
func (c *cluster) missing(db *sqlx.DB) []string {
	c.t.Helper()
	acknowledged := c.record.effects() // before looking: nodes go on
	known := map[string]bool{}
	for _, text := range list[string](c.t, db, `SELECT text FROM effect`) {
		known[text] = true
	}
	return slices.DeleteFunc(acknowledged, func(text string) bool { return known[text] })
}
