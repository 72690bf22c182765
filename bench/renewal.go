package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// renewal is what a heartbeat costs its node when nothing happens, beside the
// same row update alone: both durable, both three hundred times a second at
// most, so that neither server nor client is busy.
func renewal(ctx context.Context, l *lab) (_ []row, err error) {
	c, err := l.cluster(ctx, defaults)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	nodes, err := c.crew(ctx, 10)
	if err != nil {
		return nil, err
	}
	if err := c.exec(ctx, oneRowSQL); err != nil {
		return nil, err
	}
	var ours, peer sample
	for range l.rounds() {
		got, err := nodes[0].beats(ctx, l.round())
		if err != nil {
			return nil, err
		}
		ours = append(ours, got...)
		d, err := l.pgbench(ctx, drive{database: c.name, script: updateSQL, clients: 1, rate: 300, period: l.round()})
		if err != nil {
			return nil, err
		}
		peer = append(peer, d.latency...)
	}
	half, most := ours.at(.5), ours.at(.99)
	return []row{{
		figure: "heartbeat of an idle node, 10 nodes, 10 leases; pgbench: update of one row",
		ours:   ours.String(), peer: "pgbench " + peer.String(), ratio: times(over(half, peer.at(.5))) + " x its time",
		limit: "p50 350 us, p99 2 ms, 1.3 x", met: judge(half <= 350*time.Microsecond && most <= 2*time.Millisecond && over(half, peer.at(.5)) <= 1.3),
	}}, nil
}

// oneRowSQL is a row as a session is: in place there is room for its next versions.
const oneRowSQL = `
CREATE TABLE one_row (id int PRIMARY KEY, beats bigint, expires_at timestamptz) WITH (fillfactor = 25);
INSERT INTO one_row VALUES (1, 0, coterie.clock())`

const updateSQL = `UPDATE one_row SET beats = beats + 1, expires_at = coterie.clock() + interval '6s' WHERE id = 1;`

// beats wakes a node again and again and takes how long its heartbeats took.
func (n *node) beats(ctx context.Context, period time.Duration) (sample, error) {
	var took sample
	until := time.Now().Add(period)
	n.drain()
	for time.Now().Before(until) {
		n.Wake()
		select {
		case t := <-n.beaten:
			if t.Err != nil {
				return nil, t.Err
			}
			took = append(took, t.Took)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return took, nil
}

// drain forgets a heartbeat that nobody asked about.
func (n *node) drain() {
	select {
	case <-n.beaten:
	default:
	}
}

// crew starts ten nodes, lets them take that many leases, and waits until
// nothing moves any more.
func (c *cluster) crew(ctx context.Context, leases int) ([]*node, error) {
	var nodes []*node
	for i := range 10 {
		n, err := c.start(ctx, plan{name: fmt.Sprintf("app-%d", i), takes: []string{"work"}})
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	if err := c.declare(ctx, "lease/", leases, "work"); err != nil {
		return nil, err
	}
	return nodes, c.settled(ctx, leases)
}

// settled waits until that many leases are held and the ledger has not moved
// for three heartbeats.
func (c *cluster) settled(ctx context.Context, leases int) error {
	const look = `
SELECT (SELECT count(*) FROM coterie.lease l JOIN coterie.session s ON s.node = l.node AND s.incarnation = l.incarnation) AS held,
       (SELECT max(id) FROM coterie.event) AS head`
	var before struct{ Held, Head int }
	since, limit := time.Now(), time.Now().Add(3*time.Minute)
	for {
		now := before
		if err := c.db.GetContext(ctx, &now, look); err != nil {
			return err
		}
		if now != before {
			before, since = now, time.Now()
		}
		if now.Held >= leases && time.Since(since) > 3*defaults.Heartbeat {
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("not settled: %d of %d leases have a holder, and the ledger last moved %v ago", now.Held, leases, time.Since(since))
		}
		if err := rest(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
