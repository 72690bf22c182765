package upheaval_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/pgserver"
)

// An asynchronous standby takes over. It lacks the last commits, grants among
// them, and believes that others hold leases still.
func TestAPromotionThatLosesGrantsRepeatsNoToken(t *testing.T) {
	t.Parallel()
	for round := range *rounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) { promotion(t, kill, terms.Heartbeat) })
	}
}

// The primary does not die, it hangs: its kernel takes connections and nobody
// answers. The way to the new primary must not lead through that wait: it is
// tried a quarter of a second later, whatever the first host does.
func TestAHangingPrimaryIsLeftForThePromotedStandby(t *testing.T) {
	t.Parallel()
	for round := range *rounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) { promotion(t, hang, terms.Heartbeat+300*time.Millisecond) })
	}
}

// slack is what a busy machine may add to what is promised.
const slack = 150 * time.Millisecond

func kill(s *pgserver.Server) error { return s.Halt(pgserver.Kill) }
func hang(s *pgserver.Server) error { return s.Freeze() }

// promotion plays it, and wants each node back within that time.
func promotion(t *testing.T, lose func(*pgserver.Server) error, back time.Duration) {
	const held, database = 6, "app"
	primary := server(t, pgserver.Options{})
	db := prepare(t, primary, database, held)
	standby, err := primary.Standby(t.Context(), pgserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, standby)

	c := newCluster(t, func(login string) string { return at(database, login, primary, standby) })
	a, b, leaver := c.start("app_a", 0), c.start("app_b", 0), c.start("app_c", 0)
	c.settle(held, 10*time.Second)
	within(t, 20*time.Second, "app_c holds something", func() bool { return holds(c, "app_c") > 0 })

	second := super(t, standby, database)
	follow(t, db, second)
	cutReplication(t, db, second)

	// A tail that the standby will never know: what app_c held goes to the others.
	known := c.record.highest()
	leaver.leave()
	c.settle(held, 10*time.Second)
	lost := c.record.held()
	tail := c.record.highest()
	if tail <= known || tail <= highestIn(t, second) {
		t.Fatalf("no grant was lost: %d before, %d after, the standby knows %d", known, tail, highestIn(t, second))
	}

	for _, n := range []*node{a, b} {
		n.line.close()
	}
	if err := lose(primary); err != nil {
		t.Fatal(err)
	}
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	refusedThere(t, second, lost, known)
	if era := ask[int](t, second, "SELECT era FROM coterie.cluster"); era != 0 {
		t.Errorf("era %d before the first heartbeat; this test is about the time before", era)
	}

	begun := time.Now()
	for _, n := range []*node{a, b} {
		n.line.open()
	}
	for _, n := range []*node{a, b} {
		var at time.Time
		within(t, 10*time.Second, n.name+" is back", func() (is bool) { at, is = n.answered(begun); return is })
		t.Logf("%s: its first heartbeat was acknowledged %v after the new primary could be reached", n.name, at.Sub(begun).Round(time.Millisecond))
		if took := at.Sub(begun); took > back+slack {
			t.Errorf("%s was back after %v, later than %v", n.name, took, back)
		}
	}
	within(t, 10*time.Second, "everything is held under the new era", func() bool { return allAbove(c, held, tail) })
	t.Logf("everything was held again %v after the new primary could be reached", time.Since(begun).Round(time.Millisecond))
	eraBegan(t, second, 1, "the timeline was 1 and is 2")
	quietForATTL(t, second)
	c.finish(second)
}

// holds counts what a node holds.
func holds(c *cluster, name string) int {
	n := 0
	for _, b := range c.record.held() {
		if b.node == name {
			n++
		}
	}
	return n
}

func allAbove(c *cluster, held int, token leases.Token) bool {
	now := c.record.held()
	for _, b := range now {
		if b.token <= token {
			return false
		}
	}
	return len(now) == held
}

// follow waits until the standby has all that the primary has now.
func follow(t *testing.T, primary, standby *sqlx.DB) {
	t.Helper()
	goal := ask[string](t, primary, "SELECT pg_current_wal_lsn()::text")
	within(t, 20*time.Second, "the standby follows", func() bool {
		return ask[bool](t, standby, "SELECT coalesce(pg_last_wal_replay_lsn() >= $1::pg_lsn, false)", goal)
	})
}

// cutReplication ends it from the standby's side; the primary does not wait for it.
func cutReplication(t *testing.T, primary, standby *sqlx.DB) {
	t.Helper()
	do(t, standby, "ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()")
	within(t, 20*time.Second, "replication is cut", func() bool {
		return ask[int](t, primary, "SELECT count(*) FROM pg_stat_replication") == 0
	})
}

func highestIn(t *testing.T, db *sqlx.DB) leases.Token {
	t.Helper()
	return leases.Token(ask[int64](t, db, "SELECT max(token) FROM coterie.lease"))
}

// refusedThere asserts what was given before: the tokens that were lost, and
// those that the promoted standby believes in.
func refusedThere(t *testing.T, db *sqlx.DB, lost map[string]belief, known leases.Token) {
	t.Helper()
	type row struct {
		Name  string
		Token int64
	}
	var rows []row
	if err := db.Select(&rows, "SELECT name, token FROM coterie.lease WHERE node IS NOT NULL"); err != nil {
		t.Fatal(err)
	}
	if len(rows) == 0 {
		t.Fatalf("nobody holds anything there, and tokens went up to %d: this proves nothing", known)
	}
	for _, b := range lost {
		rows = append(rows, row{b.lease, int64(b.token)})
	}
	live := ask[int](t, db, "SELECT count(*) FROM coterie.session WHERE expires_at > coterie.clock()")
	t.Logf("asserting %d tokens while %d sessions look alive there", len(rows), live)
	for _, r := range rows {
		_, err := db.Exec("SELECT coterie.assert_lease($1, $2)", r.Name, r.Token)
		wantCode(t, err, fmt.Sprintf("%s with token %d of the time before", r.Name, r.Token), "CT001")
	}
}

// wantCode wants an error of the server with that code.
func wantCode(t *testing.T, err error, what, code string) {
	t.Helper()
	if said := new(pq.Error); !errors.As(err, &said) || string(said.Code) != code {
		t.Errorf("%s: %v; want %s", what, err, code)
	}
}

// eraBegan looks for the reason in the ledger.
func eraBegan(t *testing.T, db *sqlx.DB, era int, reason string) {
	t.Helper()
	found := list[string](t, db, `SELECT reason FROM coterie.events WHERE kind = 'era.began' AND (detail->>'era')::int >= $1 AND reason ~ $2`, era, reason)
	if len(found) == 0 {
		all := list[string](t, db, `SELECT format('%s: %s %s', id, kind, coalesce(reason, '')) FROM coterie.events WHERE kind LIKE 'era.%' ORDER BY id`)
		t.Errorf("the ledger does not say that an era >= %d began because %q; it says %q", era, reason, all)
	}
}

// quietForATTL looks into the ledger for grants that came too early after the
// last era began. Numbers of events prove nothing: rows were put back beside it.
func quietForATTL(t *testing.T, db *sqlx.DB) {
	t.Helper()
	early := ask[float64](t, db, `
		SELECT coalesce(min(extract(epoch FROM c.at - e.at)), -1)::float8
		FROM (SELECT max(at) AS at FROM coterie.event WHERE kind = 'era.began') e
		JOIN coterie.event c ON c.kind = 'lease.claimed' AND c.at >= e.at`)
	took := time.Duration(early * float64(time.Second))
	if took < terms.TTL {
		t.Errorf("the first grant came %v after the era began, sooner than %v", took, terms.TTL)
	}
	t.Logf("the first grant came %v after the era began", took.Round(time.Millisecond))
}
