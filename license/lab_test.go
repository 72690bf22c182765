package license

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/schema"
	"github.com/coterie-ha/coterie/sql/sqltest"
)

// lab is a database with a cluster and some nodes, each with a session and a desk.
type lab struct {
	testing.TB
	db    *sqlx.DB
	nodes map[string]*node
	dir   string    // of what nodes keep on disk
	began time.Time // of the clock that they share
}

type node struct {
	*Desk
	lab     *lab
	name    string
	session *leases.Session
	cut     func() // its line to the database
	mend    func()
	stop    func()
}

func newLab(t testing.TB, names ...string) *lab {
	t.Helper()
	db := sqltest.New(t)
	l := &lab{TB: t, db: db.DB, nodes: map[string]*node{}}
	l.exec(`SELECT coterie.cluster_init('lab')`)
	for _, name := range names {
		pool, beats := db.Login("node_"+name, schema.Agent), db.Login("node_"+name, schema.Agent)
		n := l.start(name, pool.DB, beats.DB)
		n.cut = func() { pool.Cut(); beats.Cut() }
		n.mend = func() { pool.Mend(); beats.Mend() }
	}
	return l
}

// start runs a desk under a session of its own, as an agent wires them.
func (l *lab) start(name string, pool, beats *sqlx.DB, changes ...func(*Desk)) *node {
	if l.dir == "" {
		l.dir, l.began = l.TempDir(), time.Now()
	}
	n := &node{lab: l, name: name, Desk: &Desk{DB: pool, Node: name, Now: func() time.Duration { return time.Since(l.began) }, Patience: time.Second,
		Journal: filepath.Join(l.dir, name+".journal"), Memory: filepath.Join(l.dir, name+".memory"), Boot: "this one"}}
	for _, change := range changes {
		change(n.Desk)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	ready := make(chan struct{}, 16)
	wait.Go(func() {
		for ctx.Err() == nil {
			s := &leases.Session{DB: beats, Node: name, Hold: func(context.Context, leases.Grant) {},
				Began: func(incarnation int64, _ time.Time) { n.Began(incarnation); ready <- struct{}{} }}
			n.session = s
			if err := s.Run(ctx); ctx.Err() == nil {
				l.Logf("%s: session: %v", name, err)
				time.Sleep(100 * time.Millisecond)
			}
		}
	})
	wait.Go(func() { _ = n.Run(ctx) }) // ends with the test
	n.stop = func() { cancel(); wait.Wait() }
	l.Cleanup(n.stop)
	<-ready
	l.nodes[name] = n
	return n
}

func (l *lab) exec(query string, args ...any) {
	l.Helper()
	if _, err := l.db.Exec(query, args...); err != nil {
		l.Fatalf("%s: %v", query, err)
	}
}

func get[T any](l *lab, query string, args ...any) (v T) {
	l.Helper()
	if err := l.db.Get(&v, query, args...); err != nil {
		l.Fatalf("%s: %v", query, err)
	}
	return v
}

// define makes pools, and tells every desk.
func (l *lab) define(text string) {
	l.Helper()
	l.exec(`SELECT coterie.license_define($1, 'ana', '')`, text)
	pools, err := ReadPools(l.Context(), l.db)
	if err != nil {
		l.Fatal(err)
	}
	for _, n := range l.nodes {
		n.Learn(pools)
	}
}

// await waits until a condition in SQL holds.
func (l *lab) await(condition string, args ...any) {
	l.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !get[bool](l, "SELECT coalesce(("+condition+"), false)", args...) {
		if time.Now().After(deadline) {
			l.Fatalf("in vain: %s", condition)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func floating(holder string) Use { return Use{Pool: "floating", Holder: holder} }

// check holds the ledger against the rows: at no instant more seats than there
// were, and peaks as they are computed anew.
func (l *lab) check(entitled int) {
	l.Helper()
	const runningSQL = `SELECT coalesce(max(n), 0) FROM (SELECT sum(seats) OVER (PARTITION BY pool ORDER BY id) AS n FROM coterie.license_event WHERE pool = 'floating') AS r`
	if most := get[int](l, runningSQL); most > entitled {
		l.Errorf("%d seats were held at once, of %d", most, entitled)
	}
	l.checkLedger()
}

// checkLedger holds what is counted against the rows and the ledger.
func (l *lab) checkLedger() {
	l.Helper()
	for what, query := range checks {
		if bad := get[string](l, query); bad != "" {
			l.Errorf("%s: %s", what, bad)
		}
	}
}

// checks answer what is wrong, or nothing.
var checks = map[string]string{
	"the number of held seats is not that of the rows": `SELECT coalesce(string_agg(format('%s: %s and %s, rows %s and %s', p.name, p.in_use, p.over, r.seats, r.over), '; '), '')
		FROM coterie.license_pool p,
		LATERAL (SELECT count(*) FILTER (WHERE number > 0) AS seats, count(*) FILTER (WHERE number < 0) AS over FROM coterie.license_seat s WHERE s.pool = p.name AND s.key IS NOT NULL) AS r
		WHERE (p.in_use, p.over) IS DISTINCT FROM (r.seats::int, r.over::int)`,
	"the ledger does not add up": `SELECT coalesce(string_agg(format('%s: %s, ledger %s', p.name, p.in_use + p.over, e.n), '; '), '')
		FROM coterie.license_pool p, LATERAL (SELECT coalesce(sum(seats + over), 0) AS n FROM coterie.license_event e WHERE e.pool = p.name) AS e WHERE p.in_use + p.over <> e.n`,
	"a seat was held twice": `SELECT coalesce(string_agg(key, ', '), '') FROM (SELECT key FROM coterie.license_seat WHERE part = 1 GROUP BY pool, key HAVING count(*) > 1) AS d`,
	"peaks differ from the ledger": fmt.Sprintf(`WITH %s SELECT coalesce(string_agg(format('%%s %%s: %%s, ledger %%s', k.pool, k.hour, k.peak, m.peak), '; '), '')
		FROM coterie.license_peak k FULL JOIN anew m USING (pool, hour) WHERE k.peak IS DISTINCT FROM m.peak`, anewSQL),
}

// anewSQL computes peaks from the ledger: the most within the hour, and what was
// held when it began.
const anewSQL = `moves AS (
	SELECT pool, id, date_trunc('hour', at, 'UTC') AS hour, seats + over AS change, sum(seats + over) OVER (PARTITION BY pool ORDER BY id) AS total
	FROM coterie.license_event WHERE seats <> 0 OR over <> 0
), anew AS (
	SELECT pool, hour, max(greatest(total, total - change))::integer AS peak FROM moves GROUP BY pool, hour
)`
