package main

import (
	"testing"
	"time"

	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/sql/sqltest"
)

const muchSQL = `
INSERT INTO coterie.run (job, due_at, token, nonce, node, started_at, finished_at, outcome)
SELECT 'job-' || n % 10, at, 1, 1, 'app-a', at, at + interval '50ms', 'succeeded'
FROM generate_series(1, 40000) AS n, LATERAL (SELECT coterie.clock() - n / 10 * interval '10s' AS at) AS slot`

const eventfulSQL = `
INSERT INTO coterie.event (at, node, kind, subject, token)
SELECT coterie.clock() - n * interval '1s', 'app-a', CASE n % 2 WHEN 0 THEN 'lease.claimed' ELSE 'lease.released' END, 'job/job-' || n % 10, n
FROM generate_series(1, 20000) AS n`

func TestWhyIsToldWithinFiftyMilliseconds(t *testing.T) {
	db := sqltest.New(t)
	for _, statement := range []string{
		`SELECT coterie.cluster_init('deploy')`,
		`INSERT INTO coterie.node (name, id) VALUES ('app-a', 'a')`,
		`INSERT INTO coterie.job (name, schedule, action, every, since, first_due_at, generation)
		 SELECT 'job-' || n, '@every 10s', 'ok', '10s', coterie.clock() - interval '90 days', coterie.clock() - interval '90 days', 1 FROM generate_series(0, 9) AS n`,
		`INSERT INTO coterie.lease (name, class) SELECT 'job/job-' || n, 'action/ok' FROM generate_series(0, 9) AS n`,
		muchSQL, eventfulSQL, `ANALYZE`,
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	k := &cluster{db: db.DB, cfg: &config.Config{Cluster: "deploy"}}
	for _, c := range []struct{ name, at string }{
		{"job-3", ""}, {"job-3", "1h"}, {"job-3", "2026-01-01"}, {"app-a", ""}, {"app-a", "1h"}, {"job/job-3", ""}, {"job/job-3", "1h"},
	} {
		best := time.Hour
		// Others may have the processor for long: who is too slow is so each time.
		for until := time.Now().Add(20 * time.Second); best > 50*time.Millisecond && time.Now().Before(until); {
			begun := time.Now()
			s, err := k.why(t.Context(), c.name, c.at)
			if err != nil {
				t.Fatalf("%s at %s: %v", c.name, c.at, err)
			}
			if len(s.answer) == 0 {
				t.Fatalf("%s at %s: nothing is told", c.name, c.at)
			}
			best = min(best, time.Since(begun))
		}
		t.Logf("%-10s %-10s %v", c.name, c.at, best.Round(10*time.Microsecond))
		if best > 50*time.Millisecond {
			t.Errorf("%s at %q took %v", c.name, c.at, best)
		}
	}
}
