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
	assert := fmt.Sprintf("SELECT coterie.assert_lease('lease/1', %d);\n", held.token)
	ways := []string{
		fmt.Sprintf(transaction, "BEGIN;\n"),
		fmt.Sprintf(transaction, "BEGIN;\n"+assert),
		fmt.Sprintf(transaction, "BEGIN;\nSELECT 1;\n"),
		fmt.Sprintf(transaction, "\\startpipeline\nBEGIN;\n"+assert+"\\endpipeline\n"),
	}
	many, err := l.compare(ctx, c.name, 8, ways)
	if err != nil {
		return nil, err
	}
	one, err := l.compare(ctx, c.name, 1, ways)
	if err != nil {
		return nil, err
	}
	var rows []row
	for i, how := range []string{"begin with assert_lease on one lease", "begin with an empty statement", "send assert_lease together with BEGIN"} {
		lost := 1 - many[i+1]/many[0]
		rows = append(rows, row{
			figure: fmt.Sprintf("transactions a second at 8 clients that %s; pgbench: without it", how),
			ours:   fmt.Sprintf("%.0f/s", many[i+1]), peer: fmt.Sprintf("pgbench %.0f/s", many[0]), ratio: fmt.Sprintf("%.1f %% fewer", 100*lost),
			limit: "12 % fewer", met: judge(lost <= .12),
		})
	}
	for i, how := range []string{"assert_lease adds to a transaction, its round trip included", "an empty statement adds", "assert_lease adds when it is sent together with BEGIN"} {
		added := time.Duration((1/one[i+1] - 1/one[0]) * float64(time.Second))
		rows = append(rows, row{
			figure: "time that " + how + ", 1 client",
			ours:   short(added), limit: "60 us", met: judge(added <= 60*time.Microsecond),
		})
	}
	return rows, nil
}

const transaction = `
\set aid random(1, 100000 * 10)
\set delta random(-5000, 5000)
%sUPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 1, :aid, :delta, coterie.clock());
END;
`

// compare drives scripts in turns and takes the median of each.
func (l *lab) compare(ctx context.Context, database string, clients int, scripts []string) ([]float64, error) {
	all := make([][]float64, len(scripts))
	for range l.rounds() {
		for i, script := range scripts {
			got, err := l.pgbench(ctx, drive{database: database, script: script, clients: clients, period: l.round()})
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], got.tps)
		}
	}
	out := make([]float64, len(scripts))
	for i, tps := range all {
		out[i] = median(tps)
	}
	return out, nil
}
