package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/schema"
)

// crowd is a thousand nodes that hold ten thousand leases: real sessions, in one
// process, on as many connections as a pooler would give them. Server and nodes
// share this machine.
func crowd(ctx context.Context, l *lab) (_ []row, err error) {
	const nodes, mortal, held, conns = 1000, 20, 10000, 24
	c, err := l.cluster(ctx, defaults)
	if err != nil {
		return nil, err
	}
	pool, err := schema.Open(ctx, schema.Options{DSN: l.server.TCP(c.name), MaxConns: conns})
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	pool.SetMaxIdleConns(conns)
	defer func() { err = errors.Join(err, c.close(), pool.Close()) }()
	began := time.Now()
	all := &ticks{}
	var doomed []*node
	for i := range nodes {
		p := plan{name: fmt.Sprintf("app-%04d", i), takes: []string{"work"}, pool: pool, deaf: true, ticked: all.add}
		if i < mortal {
			p.pool = nil // a line of its own, which can be cut
		}
		n, err := c.start(ctx, p)
		if err != nil {
			return nil, err
		}
		if i < mortal {
			doomed = append(doomed, n)
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
	until, err := c.mourned(ctx, doomed, held)
	if err != nil {
		return nil, err
	}
	longest := defaults.TTL + defaults.Heartbeat + 500*time.Millisecond
	return []row{{
		figure: fmt.Sprintf("%d of these nodes are lost at once, with %d leases; until the last of these has another holder", mortal, mortal*held/nodes),
		ours:   short(until), limit: short(longest), met: judge(until <= longest),
	}, {
		figure: fmt.Sprintf("heartbeat of %d nodes with %d leases on %d connections, %d failed", nodes, held, conns, failed),
		ours:   fmt.Sprintf("%v, %d of %d that were due", took, len(took), due),
		limit:  "p99 " + short(limit) + ", and all beat", met: judge(took.at(.99) <= limit && failed == 0 && len(took) >= due*9/10),
	}}, nil
}

// mourned is how long it takes after the loss of some nodes until all leases are
// held by others.
func (c *cluster) mourned(ctx context.Context, lost []*node, held int) (time.Duration, error) {
	var names []string
	for _, n := range lost {
		names = append(names, n.Node)
	}
	began := time.Now()
	for _, n := range lost {
		n.line.silence()
	}
	for {
		var there int
		err := c.db.GetContext(ctx, &there, `SELECT count(*) FROM coterie.lease l JOIN coterie.session s USING (node, incarnation) WHERE l.node <> ALL ($1)`, pq.Array(names))
		if err != nil {
			return 0, err
		}
		took := time.Since(began)
		if there >= held {
			return took, nil
		}
		if took > 10*defaults.TTL {
			return 0, fmt.Errorf("%d of %d leases are held %v after the loss of %d nodes", there, held, took, len(lost))
		}
		if err := rest(ctx, 50*time.Millisecond); err != nil {
			return 0, err
		}
	}
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
