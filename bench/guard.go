package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coterie-ha/coterie/leases"
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
	const clients = 8
	began := make(chan begin, clients)
	if err := c.declare(ctx, "lease/", clients, "work"); err != nil {
		return nil, err
	}
	if _, err := c.start(ctx, plan{name: "app-a", takes: []string{"work"}, began: began}); err != nil {
		return nil, err
	}
	token, own := leases.Token(0), `\set token case`
	for range clients {
		held, err := await(ctx, began, time.Minute)
		if err != nil {
			return nil, err
		}
		if held.lease == "lease/1" {
			token = held.token
		}
		own += fmt.Sprintf(" when :client_id + 1 = %s then %d", strings.TrimPrefix(held.lease, "lease/"), held.token)
	}
	own += " else 0 end\n\\set n :client_id + 1\nBEGIN;\n"
	assert := fmt.Sprintf("SELECT coterie.assert_lease('lease/1', %d);\n", token)
	plain := "UPDATE pgbench_accounts SET abalance = abalance + :delta"
	ways := []struct{ how, script string }{
		{"without it", fmt.Sprintf(transaction, "BEGIN;\n"+plain)},
		{"begin with assert_lease on one lease", fmt.Sprintf(transaction, "BEGIN;\n"+assert+plain)},
		{"send assert_lease together with BEGIN", fmt.Sprintf(transaction, "\\startpipeline\nBEGIN;\n"+assert+"\\endpipeline\n"+plain)},
		{"have assert_lease in their first UPDATE", fmt.Sprintf(transaction, fmt.Sprintf("BEGIN;\n"+plain+" FROM coterie.assert_lease('lease/1', %d)", token))},
		{"have it there, each client of a lease of its own", fmt.Sprintf(transaction, own+plain+" FROM coterie.assert_lease('lease/' || :n::int, :token)")},
		// What nobody can go below: a statement, and a statement that locks a row of a table.
		{"begin with an empty statement", fmt.Sprintf(transaction, "BEGIN;\nSELECT 1;\n"+plain)},
		{"lock that row by a bare SELECT FOR SHARE", fmt.Sprintf(transaction,
			fmt.Sprintf("BEGIN;\nSELECT FROM coterie.lease WHERE name = 'lease/1' AND token = %d FOR SHARE;\n"+plain, token))},
	}
	scripts := make([]string, len(ways))
	for i, w := range ways {
		scripts[i] = w.script
	}
	many, err := l.compare(ctx, c.name, clients, scripts)
	if err != nil {
		return nil, err
	}
	one, err := l.compare(ctx, c.name, 1, scripts)
	if err != nil {
		return nil, err
	}
	var rows []row
	for i, w := range ways[1:] {
		lost := 1 - many[i+1]/many[0]
		r := row{
			figure: fmt.Sprintf("transactions a second at 8 clients that %s; pgbench: without it", w.how),
			ours:   fmt.Sprintf("%.0f/s", many[i+1]), peer: fmt.Sprintf("pgbench %.0f/s", many[0]), ratio: fmt.Sprintf("%.1f %% fewer", 100*lost),
		}
		added := time.Duration((1/one[i+1] - 1/one[0]) * float64(time.Second))
		alone := row{figure: "time that is added to a transaction of one client, where they " + w.how, ours: short(added)}
		if i < 4 {
			r.limit, r.met = "12 % fewer", judge(lost <= .12)
			alone.limit, alone.met = "60 us", judge(added <= 60*time.Microsecond)
		}
		rows = append(rows, r, alone)
	}
	return rows, nil
}

const transaction = `
\set aid random(1, 100000 * 10)
\set delta random(-5000, 5000)
%s WHERE aid = :aid;
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
