package schema_test

import (
	"testing"
	"time"
)

// In a small cluster each node is shown everything that moved. In a crowd that
// would be everything times everybody: each is shown at once what was done to it, and
// the rest in its turn, or when it has to know.
func TestACrowdIsShownInTurnWhatConcernsEverybody(t *testing.T) {
	db := holding(t)
	listed := func(seen int64) bool {
		t.Helper()
		return scalar[bool](t, db, `SELECT listing IS NOT NULL FROM coterie.tick('app-b', 2, '{work}', 0, $1, 6000, 0, false, false, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')`, seen)
	}
	// Among 96 sessions a turn comes with each third heartbeat.
	inTurn := func(seen int64) (n int) {
		t.Helper()
		for range 6 {
			if listed(seen) {
				n++
			}
		}
		return n
	}
	var seen int64
	tell := func(kind, node string) {
		seen = scalar[int64](t, db, `SELECT max(id) FROM coterie.event`)
		db.MustExec(`INSERT INTO coterie.event (kind, node) VALUES ($1, $2), ('lease.claimed', 'app-a')`, kind, node)
	}

	tell("session.began", "app-c")
	if n := inTurn(seen); n != 6 {
		t.Errorf("two nodes: listed %d times of 6 although one began", n)
	}
	db.MustExec(`INSERT INTO coterie.session (node, incarnation, ttl, expires_at) SELECT 'crowd-' || n, n, '6s', coterie.clock() + interval '1h' FROM generate_series(1, 94) AS n`)
	for _, kind := range []string{"session.began", "session.ended", "lease.claimed", "lease.released", "lease.declared", "setting.changed"} {
		tell(kind, "app-c")
		if n := inTurn(seen); n != 2 {
			t.Errorf("96 nodes: listed %d times of 6 because of %s, want 2", n, kind)
		}
	}
	if n := inTurn(-1); n != 6 {
		t.Errorf("96 nodes: listed %d times of 6 although it had to know", n)
	}
	if n := inTurn(-2); n != 2 {
		t.Errorf("96 nodes: listed %d times of 6 when it was time, want 2", n)
	}
	tell("lease.moving", "app-b")
	if n := inTurn(seen); n != 6 {
		t.Errorf("96 nodes: listed %d times of 6 because of its own lease", n)
	}
}

// A cluster may have grown a moment ago: the server has no statistics yet, takes its
// tables for small, and must not look each thing up for each other one.
func TestAListIsMadeInTimeWithoutStatistics(t *testing.T) {
	db := holding(t)
	db.MustExec(`ALTER TABLE coterie.lease SET (autovacuum_enabled = off)`)
	db.MustExec(`ALTER TABLE coterie.session SET (autovacuum_enabled = off)`)
	db.MustExec(`INSERT INTO coterie.session (node, incarnation, ttl, expires_at, takes)
		SELECT 'crowd-' || n, n, '6s', coterie.clock() + interval '1h', '{work}' FROM generate_series(1, 1000) AS n`)
	db.MustExec(`INSERT INTO coterie.lease (name, class, node, incarnation, token, acquired_at)
		SELECT 'lease/' || n, 'work', 'crowd-' || n % 1000 + 1, n % 1000 + 1, n + 10, coterie.clock() FROM generate_series(1, 10000) AS n`)
	best := time.Hour
	for range 3 {
		begun := time.Now()
		if n := scalar[int](t, db, `SELECT json_array_length(coterie.leases_for('crowd-7', 7, '{}') -> 'held')`); n != 10 {
			t.Fatalf("crowd-7 holds %d leases, want 10", n)
		}
		best = min(best, time.Since(begun))
	}
	t.Logf("a list of 10,000 leases and 1,000 nodes: %v", best)
	if best > 500*time.Millisecond {
		t.Errorf("it took %v", best)
	}
}
