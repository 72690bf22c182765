package schema_test

import "testing"

// In a small cluster each node is shown everything that moved. In a crowd that
// would be everything times everybody: it is shown what may give it something to
// do, and the rest when it asks.
func TestACrowdIsShownWhatConcernsEverybody(t *testing.T) {
	db := holding(t)
	listed := func(seen int64) bool {
		t.Helper()
		return scalar[bool](t, db, `SELECT listing IS NOT NULL FROM coterie.tick('app-b', 2, '{work}', 0, $1, 6000, 0, false, false, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')`, seen)
	}
	head := func() int64 { return scalar[int64](t, db, `SELECT max(id) FROM coterie.event`) }
	tell := func(kind string) { db.MustExec(`INSERT INTO coterie.event (kind) VALUES ($1)`, kind) }

	seen := head()
	if listed(seen) {
		t.Error("two nodes: listed though nothing moved")
	}
	tell("session.began")
	if !listed(seen) {
		t.Error("two nodes: not listed though one began")
	}
	db.MustExec(`INSERT INTO coterie.session (node, incarnation, ttl, expires_at) SELECT 'crowd-' || n, n, '6s', coterie.clock() + interval '1h' FROM generate_series(1, 63) AS n`)
	seen = head()
	for _, kind := range []string{"session.began", "node.joined", "node.reported", "lease.claimed"} {
		tell(kind)
		if listed(seen) {
			t.Errorf("65 nodes: listed because of %s", kind)
		}
	}
	if !listed(-1) {
		t.Error("65 nodes: not listed although asked for")
	}
	for _, kind := range []string{"session.ended", "lease.released", "lease.moving", "lease.declared", "lease.wished", "cluster.paused", "setting.changed", "era.settled"} {
		seen = head()
		tell(kind)
		tell("lease.claimed")
		if !listed(seen) {
			t.Errorf("65 nodes: not listed in spite of %s", kind)
		}
	}
}
