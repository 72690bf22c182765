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
	if err := c.declare(ctx, "lease/", 10, "work"); err != nil {
		return nil, err
	}
	var nodes []*node
	for i := range 10 {
		n, err := c.start(ctx, plan{name: fmt.Sprintf("app-%d", i), takes: []string{"work"}})
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	if err := c.settled(ctx, 10); err != nil {
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

// settled waits until that many leases are held, and for two heartbeats.
func (c *cluster) settled(ctx context.Context, leases int) error {
	limit := time.Now().Add(2 * time.Minute)
	for {
		var held int
		if err := c.db.GetContext(ctx, &held, `SELECT count(*) FROM coterie.leases WHERE valid`); err != nil {
			return err
		}
		if held >= leases {
			break
		}
		if time.Now().After(limit) {
			return fmt.Errorf("%d of %d leases have a holder", held, leases)
		}
		if err := rest(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return rest(ctx, 2*defaults.Heartbeat)
}

func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
