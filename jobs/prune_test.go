package jobs

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/sql/schema"
	"github.com/coterie-ha/coterie/sql/sqltest"
)

var history = flag.Int("history", 50_000, "how many runs the history has that is looked through; 10000000 is what is promised")

func (l *lab) prune() string {
	l.Helper()
	r := &Runner{DB: l.nodes["a"].DB, Now: time.Now, Node: "a"}
	var said strings.Builder
	if err := r.Prune(l.Context(), Run{Output: &said}); err != nil {
		l.Fatal(err)
	}
	return said.String()
}

// open is a pool that has all the time it needs.
func open(t *testing.T, dsn string) *sqlx.DB {
	t.Helper()
	db, err := schema.Open(t.Context(), schema.Options{DSN: dsn, Budget: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// prunesRollouts has rollouts of keystores that are long over pruned. The one that
// brought the active version stays, since it tells to which a rollback goes.
func (l *lab) prunesRollouts() {
	l.Helper()
	l.exec(`INSERT INTO coterie.keystore (name, version, state, format, bytes, sha256, alias, fingerprint, subject, not_before, not_after, content)
		SELECT 'server', n, CASE n WHEN 3 THEN 'active' WHEN 2 THEN 'retired' ELSE 'rejected' END::coterie.keystore_state, 'pkcs12', 1,
		       repeat(n::text, 64), 'a', repeat('b', 64), 'CN=a', 'epoch', 'epoch', 'x' FROM generate_series(1, 3) AS n`)
	l.exec(`INSERT INTO coterie.keystore_rollout (name, version, previous, phase, patience, begun_at, moved_at, ended_at)
		SELECT 'server', v, nullif(v - 1, 0), phase::coterie.keystore_phase, '1m', coterie.clock() - age, coterie.clock() - age, coterie.clock() - age
		FROM (VALUES (1, 'refused', interval '200 days'), (2, 'done', '190 days'), (3, 'done', '180 days'), (1, 'failed', '100 days'), (1, 'failed', '80 days')) AS r (v, phase, age)`)
	l.exec(`INSERT INTO coterie.node (name, id) VALUES ('a', 'a') ON CONFLICT DO NOTHING`)
	l.exec(`INSERT INTO coterie.keystore_vote (name, version, node, incarnation, ok, serves, alone, why, voted_at)
		SELECT 'server', n, 'a', 1, true, true, false, '', coterie.clock() - interval '100 days' FROM generate_series(1, 3) AS n`)
	if got, want := l.prune(), "3 rollouts of keystores were over for longer than runs are kept\n0 runs and 0 events were older than they are kept\n"; got != want {
		l.Errorf("rollouts: %s", got)
	}
	const left = `SELECT (SELECT string_agg(version || ' ' || phase, ', ' ORDER BY id) FROM coterie.keystore_rollout) || '; votes: ' || (SELECT count(*) FROM coterie.keystore_vote)`
	if got := get[string](l, l.db.Pool, left); got != "3 done, 1 failed; votes: 1" {
		l.Errorf("left: %s", got)
	}
}

func TestOldHistoryIsPrunedAndWhatIsNeededStays(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a")
	l.apply(Definition{Name: "short", Schedule: "@every 1h", Action: "ok", Keep: 24 * time.Hour}, Definition{Name: "usual", Schedule: "@every 1h", Action: "ok"})
	for _, job := range []string{"gone", "short", "usual"} {
		l.exec(`INSERT INTO coterie.run (job, due_at, token, nonce, node, started_at, finished_at, outcome)
			SELECT $1, at, 1, 1, 'a', at, at, 'succeeded'
			FROM generate_series(coterie.clock() - interval '100 days', coterie.clock() - interval '2 days', '1 day') AS at`, job)
	}
	l.exec(`INSERT INTO coterie.run (job, due_at, token, nonce, node, started_at, outcome) VALUES ('long', coterie.clock() - interval '99 days', 1, 1, 'a', coterie.clock() - interval '99 days', 'running')`)
	l.exec(`INSERT INTO coterie.output (job, due_at, attempt, start, size, text) SELECT job, due_at, 1, 0, 1, 'x' FROM coterie.run`)
	l.exec(`INSERT INTO coterie.event (at, kind, subject) SELECT coterie.clock() - interval '401 days', 'node.reported', 'a' FROM generate_series(1, 700)`)
	l.exec(`INSERT INTO coterie.event (kind, subject) VALUES ('node.reported', 'a')`)
	expect(t, "pruned", l.prune(), "120 runs and 700 events were older than they are kept\n")
	for job, want := range map[string]int{"gone": 88, "short": 1, "usual": 88, "long": 1} {
		if n := get[int](l, l.db.Pool, `SELECT count(*) FROM coterie.run WHERE job = $1`, job); n != want {
			t.Errorf("%s has %d runs, want %d", job, n, want)
		}
	}
	if n := get[int](l, l.db.Pool, `SELECT count(*) FROM coterie.output o WHERE NOT EXISTS (SELECT FROM coterie.run r WHERE r.job = o.job AND r.due_at = o.due_at)`); n != 0 {
		t.Errorf("%d pieces of output have no run", n)
	}
	l.prunesRollouts()
	expect(t, "again", l.prune(), "0 runs and 0 events were older than they are kept\n")
}

func TestPruningWaitsForNobody(t *testing.T) {
	l := newLab(t, "a")
	l.exec(`INSERT INTO coterie.run (job, due_at, token, nonce, node, started_at, finished_at, outcome)
		SELECT 'gone', at, 1, 1, 'a', at, at, 'succeeded'
		FROM generate_series(coterie.clock() - interval '100 days', coterie.clock() - interval '95 days', '1 day') AS at`)
	tx, err := l.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := tx.Exec(`UPDATE coterie.run SET reason = 'somebody looks at it' WHERE ctid IN (SELECT ctid FROM coterie.run LIMIT 1)`); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	expect(t, "beside a lock", l.prune(), "5 runs and 0 events were older than they are kept\n")
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
}

// touched is how many pages a statement looks at, with all that it calls.
func (l *lab) touched(p *sqltest.Pool, query string) int {
	l.Helper()
	var plan []struct {
		Plan struct {
			Hit  int `json:"Shared Hit Blocks"`
			Read int `json:"Shared Read Blocks"`
		}
	}
	if err := json.Unmarshal([]byte(get[string](l, p, `EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) `+query)), &plan); err != nil {
		l.Fatal(err)
	}
	return plan[0].Plan.Hit + plan[0].Plan.Read
}

// TestMuchHistoryIsLookedThroughInNoTime measures what people and agents ask, and
// what pruning does at a time, with a history of -history runs.
func TestMuchHistoryIsLookedThroughInNoTime(t *testing.T) {
	l := newLab(t, "a")
	const jobs = 100
	for i := range jobs {
		l.exec(`INSERT INTO coterie.job (name, schedule, action, every, since, first_due_at, generation)
			VALUES ($1, '@every 10s', 'ok', '10s', coterie.clock() - interval '400 days', coterie.clock() - interval '400 days', 1)`, fmt.Sprintf("job-%02d", i))
	}
	now := l.clock()
	for from := 0; from < *history; from += 50_000 {
		l.exec(`INSERT INTO coterie.run (job, due_at, token, nonce, node, started_at, finished_at, outcome)
			SELECT 'job-' || lpad((n % $2)::text, 2, '0'), at, 1, 1, 'a', at, at + interval '50ms', 'succeeded'
			FROM generate_series($3, least($1, $3 + 50000) - 1) AS n, LATERAL (SELECT $4::timestamptz - ($1 - n) / $2 * interval '10s' AS at) AS slot`, *history, jobs, from, now)
	}
	settle := open(t, l.db.DSN)
	if _, err := settle.Exec(`VACUUM (ANALYZE) coterie.run`); err != nil {
		t.Fatal(err)
	}
	// So old that half of it is over its time.
	l.exec(`UPDATE coterie.setting SET keep_runs = greatest(interval '1h', $1 * interval '10s')`, *history/jobs/2)
	size := get[string](l, l.db.Pool, `SELECT pg_size_pretty(pg_total_relation_size('coterie.run'))`)
	t.Logf("%d runs, %s", *history, size)
	node := l.nodes["a"]
	for name, query := range map[string]string{
		"status":           `SELECT count(*)::text FROM coterie.status`,
		"jobs":             `SELECT count(*)::text FROM coterie.jobs`,
		"nodes":            `SELECT count(*)::text FROM coterie.nodes`,
		"findings":         `SELECT count(*)::text FROM coterie.findings`,
		"the console":      `SELECT json_agg(v)::text FROM coterie.runs_recent(100) v`,
		"last runs of one": `SELECT json_agg(v)::text FROM coterie.runs v WHERE job = 'job-42' AND due_at = ANY (ARRAY(SELECT unnest(coterie.slots_before('job-42', 'infinity', 10, false))))`,
		"a slot long ago":  `SELECT json_agg(v)::text FROM coterie.runs v WHERE job = 'job-42' AND due_at = ANY (ARRAY(SELECT unnest(coterie.slots_before('job-42', '` + now.Add(-5*time.Hour).Format(time.RFC3339) + `', 1, false))))`,
		"prune 500 runs":   `SELECT pruned::text FROM coterie.prune_runs('', 500)`,
		"prune 500 events": `SELECT pruned::text FROM coterie.prune_events(0, 500)`,
	} {
		var best time.Duration
		// Others may have the processor for long: who is too slow is so each time.
		for n, until := 0, time.Now().Add(20*time.Second); n < 5 || best > 100*time.Millisecond && time.Now().Before(until); n++ {
			var answer *string
			begun := time.Now()
			if err := node.Get(&answer, query); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if took := time.Since(begun); best == 0 || took < best {
				best = took
			}
		}
		t.Logf("%-17s %6.2f ms, %d pages", name, float64(best.Microseconds())/1000, l.touched(node, query))
		if best > 100*time.Millisecond {
			t.Errorf("%s took %v of %d runs, and must take 100 ms at most", name, best, *history)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	r := &Runner{DB: node.DB, Now: time.Now, Node: "a"}
	if err := r.Prune(ctx, Run{Output: io.Discard}); err == nil && *history > 1_000_000 {
		t.Error("pruning millions took no time")
	}
}
