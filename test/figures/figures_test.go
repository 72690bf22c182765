//go:build linux

// Package figures measures what docs/performance.md says, with real agents and
// a real database, and fails when a figure is not what we promise.
//
// The default form is short: few tries, the terms of a fast network, and bounds
// that a busy machine can keep. With -long each figure is measured as often as
// its table says and held against the promise itself.
package figures

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

var long = flag.Bool("long", false, "measure as docs/performance.md says")

func TestMain(m *testing.M) {
	flag.Parse()
	if !*long { // most of each test is waiting
		if err := flag.Set("test.parallel", "4"); err != nil {
			panic(err) // package testing has this flag
		}
	}
	cluster.Main(m)
}

// tries is how often something is measured.
func tries(short, many int) int {
	if *long {
		return many
	}
	return short
}

// beside lets tests of the short form run at the same time.
func beside(t *testing.T) {
	if !*long {
		t.Parallel()
	}
}

// terms are those that nobody changed, or, in the short form, fast ones.
func terms() cluster.Terms {
	if *long {
		return cluster.Default
	}
	return cluster.Fast
}

// slack is what the short form allows beyond a promise. It runs beside other
// tests on machines of any speed, so it judges what happens and not how fast.
const slack = 5 * time.Second

// sample is a figure measured several times.
type sample []time.Duration

func (s sample) at(p float64) time.Duration {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(len(sorted)-1, int(p*float64(len(sorted))))]
}

func (s sample) String() string {
	r := func(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
	return fmt.Sprintf("p50 %v, p99 %v, most %v of %d", r(s.at(0.5)), r(s.at(0.99)), r(slices.Max(s)), len(s))
}

// hold prints a figure and holds its p99 against a promise.
func (s sample) hold(t *testing.T, what string, promise time.Duration) {
	t.Helper()
	t.Logf("%s: %v (promised: %v)", what, s, promise)
	if !*long {
		promise += slack
	}
	if got := s.at(0.99); got > promise {
		t.Errorf("%s: p99 is %v, want %v at most", what, got, promise)
	}
}

// restJob is a job that is never due while a test runs: only its lease matters.
func restJobs(n int) []cluster.Job {
	jobs := make([]cluster.Job, n)
	for i := range jobs {
		jobs[i] = cluster.Job{Name: fmt.Sprintf("rest-%04d", i), Every: 1000 * time.Hour}
	}
	return jobs
}

// crew starts a cluster of nodes that hold leases of jobs at rest.
func crew(t *testing.T, o cluster.Options, nodes, leases int) *cluster.Cluster {
	t.Helper()
	c := cluster.Start(t, o)
	action := c.WitnessAction(cluster.Witness{})
	c.Apply(restJobs(leases)...)
	for i := range nodes {
		c.Add(fmt.Sprintf("n%d", i), cluster.NodeOptions{Actions: action}).Start()
	}
	settled(c)
	return c
}

// settled waits until all nodes hold their share.
func settled(c *cluster.Cluster) {
	c.AwaitReady()
	c.AwaitHeld()
	c.Await(`SELECT max(n) - min(n) <= 1 AND count(*) = $1
		FROM (SELECT count(l.name) AS n FROM coterie.session s LEFT JOIN coterie.lease l USING (node, incarnation) GROUP BY s.node) AS held`, len(c.Nodes))
}

// phase waits for a random part of a heartbeat, so that faults come at any moment of it.
func phase(c *cluster.Cluster) { c.Elapse(rand.N(c.Terms.Heartbeat)) }

// claimed waits until the leases that a node held have all been claimed after
// an instant of the database's clock, and returns when the last one was.
func claimed(c *cluster.Cluster, from string, leases int, after time.Time) time.Time {
	const since = `FROM coterie.event WHERE kind = 'lease.claimed' AND peer = $1 AND node <> $1 AND at > $2`
	c.Await(`SELECT count(DISTINCT subject) >= $3 `+since, from, after, leases)
	return cluster.Get[time.Time](c, `SELECT max(at) `+since, from, after)
}

func held(c *cluster.Cluster, node string) int {
	return cluster.Get[int](c, `SELECT count(*) FROM coterie.leases WHERE holder = $1`, node)
}
