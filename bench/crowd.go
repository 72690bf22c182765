package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/schema"
)

// crowd is a thousand nodes that hold ten thousand leases: real sessions, in one
// process, on as many connections as a pooler would give them. Server and nodes
// share this machine.
func crowd(ctx context.Context, l *lab) (_ []row, err error) {
	const nodes, held, conns = 1000, 10000, 24
	c, err := l.cluster(ctx, defaults)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	pool, err := schema.Open(ctx, schema.Options{DSN: l.server.TCP(c.name), MaxConns: conns})
	if err != nil {
		return nil, err
	}
	pool.SetMaxIdleConns(conns)
	defer func() { err = errors.Join(err, pool.Close()) }()
	began := time.Now()
	all := &ticks{}
	for i := range nodes {
		_, err := c.start(ctx, plan{name: fmt.Sprintf("app-%04d", i), takes: []string{"work"}, pool: pool, deaf: true, ticked: all.add})
		if err != nil {
			return nil, err
		}
	}
	say("crowd: %d nodes began within %v", nodes, time.Since(began).Round(time.Second))
	if err := c.exec(ctx, dealtSQL, held); err != nil {
		return nil, err
	}
	if err := c.settled(ctx, held); err != nil {
		return nil, err
	}
	say("crowd: %d leases settled on %d nodes after %v", held, nodes, time.Since(began).Round(time.Second))
	all.forget()
	if err := rest(ctx, time.Duration(l.few(15))*time.Second); err != nil {
		return nil, err
	}
	took, failed := all.so()
	limit, period := defaults.Heartbeat/4, time.Duration(l.few(15))*time.Second
	// Nodes that lost their sessions do not beat at all: that is no fast heartbeat.
	due := int(nodes * period / defaults.Heartbeat)
	return []row{{
		figure: fmt.Sprintf("heartbeat of %d nodes with %d leases on %d connections, %d failed", nodes, held, conns, failed),
		ours:   fmt.Sprintf("%v, %d of %d that were due", took, len(took), due),
		limit:  "p99 " + short(limit) + ", and all beat", met: judge(took.at(.99) <= limit && failed == 0 && len(took) >= due*9/10),
	}}, nil
}

// dealtSQL deals leases out evenly. A thousand nodes that begin at once would
// each look at each lease for each node; what is measured is their life after that.
const dealtSQL = `
WITH node AS (
    SELECT node, incarnation, row_number() OVER (ORDER BY node) - 1 AS nr, count(*) OVER () AS nodes FROM coterie.session
), dealt AS (
    INSERT INTO coterie.lease (name, class, node, incarnation, token, acquired_at)
    SELECT 'lease/' || i, 'work', node, incarnation, coterie.next_token(), coterie.clock()
    FROM generate_series(1, $1) AS i JOIN node ON nr = i % nodes
    RETURNING name, node, token
)
INSERT INTO coterie.event (node, kind, subject, token) SELECT node, 'lease.claimed', name, token FROM dealt`

// ticks gathers heartbeats of many nodes.
type ticks struct {
	mu     sync.Mutex // guards what follows
	took   sample
	failed int
}

func (t *ticks) add(one leases.Tick) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if one.Err != nil {
		t.failed++
		return
	}
	t.took = append(t.took, one.Took)
}

func (t *ticks) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.took, t.failed = nil, 0
}

// so is what there is so far.
func (t *ticks) so() (sample, int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.took), t.failed
}
