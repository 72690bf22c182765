package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// guard is what coterie.assert_lease costs the transaction that begins with it.
// The transaction is pgbench's simple-update: an update, a select, an insert.
func guard(ctx context.Context, l *lab) (_ []row, err error) {
	c, err := l.cluster(ctx, defaults)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if _, err := l.tool(ctx, "pgbench", "--initialize", "--quiet", "--scale=10", "--host=127.0.0.1",
		fmt.Sprintf("--port=%d", l.server.Port), "--username=postgres", c.name); err != nil {
		return nil, err
	}
	began := make(chan begin, 1)
	if err := c.declare(ctx, "lease/", 1, "work"); err != nil {
		return nil, err
	}
	if _, err := c.start(ctx, plan{name: "app-a", takes: []string{"work"}, began: began}); err != nil {
		return nil, err
	}
	held, err := await(ctx, began, time.Minute)
	if err != nil {
		return nil, err
	}
	bare := drive{database: c.name, script: fmt.Sprintf(transaction, ""), clients: 8, period: l.round()}
	with := bare
	with.script = fmt.Sprintf(transaction, fmt.Sprintf("SELECT coterie.assert_lease('lease/1', %d);\n", held.token))
	many, err := l.compare(ctx, bare, with)
	if err != nil {
		return nil, err
	}
	bare.clients, with.clients = 1, 1
	one, err := l.compare(ctx, bare, with)
	if err != nil {
		return nil, err
	}
	lost := 1 - many.with/many.bare
	added := time.Duration((1/one.with - 1/one.bare) * float64(time.Second))
	return []row{{
		figure: "transactions a second at 8 clients that begin with assert_lease on one lease; pgbench: without it",
		ours:   fmt.Sprintf("%.0f/s", many.with), peer: fmt.Sprintf("pgbench %.0f/s", many.bare), ratio: fmt.Sprintf("%.1f %% fewer", 100*lost),
		limit: "12 % fewer", met: judge(lost <= .12),
	}, {
		figure: "time that assert_lease adds to a transaction, 1 client, its round trip included",
		ours:   short(added), limit: "60 us", met: judge(added <= 60*time.Microsecond),
	}}, nil
}

const transaction = `
\set aid random(1, 100000 * 10)
\set delta random(-5000, 5000)
BEGIN;
%sUPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 1, :aid, :delta, coterie.clock());
END;
`

type compared struct{ bare, with float64 }

// compare drives both in turns and takes medians.
func (l *lab) compare(ctx context.Context, bare, with drive) (compared, error) {
	var a, b []float64
	for range l.rounds() {
		first, err := l.pgbench(ctx, bare)
		if err != nil {
			return compared{}, err
		}
		second, err := l.pgbench(ctx, with)
		if err != nil {
			return compared{}, err
		}
		a, b = append(a, first.tps), append(b, second.tps)
	}
	return compared{median(a), median(b)}, nil
}
