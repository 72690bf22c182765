//go:build linux

package figures

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/test/cluster"
)

// Jobs that are due each second are handed to and fro, at any moment of their
// rhythm: nobody notices, but by the tokens.
func TestHandOversDelayNoSlot(t *testing.T) {
	beside(t)
	const jobs = 20
	c := cluster.Start(t, cluster.Options{Terms: terms()})
	var all []cluster.Job
	for i := range jobs {
		all = append(all, cluster.Job{Name: fmt.Sprintf("tick-%02d", i), Action: "tick", Every: time.Second})
	}
	c.Apply(all...)
	for _, name := range []string{"a", "b"} {
		c.Add(name, cluster.NodeOptions{Actions: "actions:\n  - name: tick\n    command: [/bin/true]\n"}).Start()
	}
	c.AwaitReady()
	c.AwaitHeld()
	c.Elapse(2 * time.Second) // what was late because nobody was there is over
	begun := cluster.Get[time.Time](c, `SELECT coterie.clock()`)
	const moved = `SELECT count(*) FROM coterie.takeovers WHERE cause = 'switchover' AND claimed_at > $1`
	for n := tries(20, 1000); cluster.Get[int](c, moved, begun) < n; c.Elapse(rand.N(100 * time.Millisecond)) {
		// One that rests where it is, and is not on its way.
		_, err := c.DB.ExecContext(t.Context(), `SELECT coterie.lease_move(l.name, (SELECT s.node FROM coterie.session s WHERE s.node <> l.holder), false, 'test', '')
			FROM (SELECT name, holder FROM coterie.leases WHERE valid AND goal IS NULL ORDER BY random() LIMIT 1) AS l`)
		if said, is := errors.AsType[*pq.Error](err); is && said.Code == "CT031" {
			continue // it began to move when it had been chosen
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c.Await(`SELECT count(*) >= $2 FROM coterie.runs WHERE due_at > $1 AND started_at IS NOT NULL`, begun, jobs)
	seconds := func(query string) (s sample) {
		for _, f := range cluster.All[float64](c, query, begun) {
			s = append(s, time.Duration(f*float64(time.Second)))
		}
		return s
	}
	seconds(`SELECT extract(epoch FROM took)::float8 FROM coterie.takeovers WHERE cause = 'switchover' AND claimed_at > $1`).
		hold(t, "hand-over on purpose, without a holder", 25*time.Millisecond)
	late := seconds(`SELECT greatest(0, extract(epoch FROM started_at - due_at))::float8 FROM coterie.runs WHERE due_at > $1 AND started_at IS NOT NULL`)
	late.hold(t, "start of a slot after it was due, meanwhile", 50*time.Millisecond)
	if worst := late.at(1); *long && worst > 50*time.Millisecond {
		t.Errorf("a slot was %v late", worst)
	}
	if n := cluster.Get[int](c, `SELECT count(*) FROM coterie.runs WHERE due_at > $1 AND outcome NOT IN ('succeeded', 'running')`, begun); n > 0 {
		t.Errorf("%d slots were not run", n)
	}
}
