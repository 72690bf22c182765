package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// idle is what ten nodes ask of the database when nothing happens, whatever
// they hold; beside ten clients of River, which hold one leadership.
func idle(ctx context.Context, l *lab) ([]row, error) {
	var rows []row
	r, err := l.rivers(ctx, 10)
	if err != nil {
		return nil, err
	}
	if err := rest(ctx, 6*time.Second); err != nil {
		return nil, errors.Join(err, r.close())
	}
	peer, err := l.spent(ctx, r.name, len(r.clients))
	if err := errors.Join(err, r.close()); err != nil {
		return nil, err
	}
	for _, held := range []int{1, 1000, 10000} {
		ours, err := l.idleCluster(ctx, held)
		if err != nil {
			return rows, err
		}
		// A commit writes some fifty bytes more. Whatever else the server wrote was not asked for by nodes.
		fine := ours.statements <= 1/defaults.Heartbeat.Seconds()*1.1 && ours.said+50*ours.statements <= 500
		rows = append(rows, row{
			figure: fmt.Sprintf("idle cost of a node, 10 nodes hold %d leases", held),
			ours:   ours.String(), peer: "River " + peer.String(), ratio: times(peer.statements / ours.statements),
			limit: "1 statement a heartbeat (0.67/s), 500 B/s", met: judge(fine),
		})
	}
	return rows, nil
}

// cost is what one node spends a second.
type cost struct {
	statements float64
	said       float64 // bytes of WAL that its statements wrote, without their commits
	wal        float64 // bytes of WAL that the server wrote meanwhile, whoever made it
	busy       float64 // ms that the server executes for it
}

func (c cost) String() string {
	return fmt.Sprintf("%.2f statements/s, %.0f B WAL/s (its statements %.0f), %.2f ms/s", c.statements, c.wal, c.said, c.busy)
}

func (l *lab) idleCluster(ctx context.Context, held int) (_ cost, err error) {
	c, err := l.cluster(ctx, defaults)
	if err != nil {
		return cost{}, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	nodes, err := c.crew(ctx, held)
	if err != nil {
		return cost{}, err
	}
	// What handing out all these leases left behind is cleared away now, and not while we measure.
	if _, err := c.db.ExecContext(ctx, `VACUUM`); err != nil {
		return cost{}, err
	}
	return l.spent(ctx, c.name, len(nodes))
}

// countSQL counts what was asked of a database, and what of that was asked by
// the outside: what functions ask themselves is in their cost.
const countSQL = `
SELECT coalesce(sum(s.calls), 0) AS calls, coalesce(sum(s.total_exec_time), 0) AS busy, coalesce(sum(s.wal_bytes), 0) AS said,
       pg_current_wal_insert_lsn() - '0/0' AS wal
FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
WHERE d.datname = $1 AND s.toplevel`

// spent measures over a while in which nothing happens.
func (l *lab) spent(ctx context.Context, database string, nodes int) (cost, error) {
	type count struct {
		Calls float64
		Busy  float64
		Said  float64
		WAL   float64 `db:"wal"`
	}
	var before, after count
	// A checkpoint while we measure would be paid by the nodes.
	for _, sql := range []string{`CREATE EXTENSION IF NOT EXISTS pg_stat_statements`, `CHECKPOINT`} {
		if _, err := l.admin.ExecContext(ctx, sql); err != nil {
			return cost{}, err
		}
	}
	period := l.few(12)
	// Each row's first change after the checkpoint writes its whole page.
	if err := rest(ctx, 2*defaults.Heartbeat); err != nil {
		return cost{}, err
	}
	began := time.Now()
	if err := l.admin.GetContext(ctx, &before, countSQL, database); err != nil {
		return cost{}, err
	}
	if err := rest(ctx, time.Duration(period)*time.Second); err != nil {
		return cost{}, err
	}
	if err := l.admin.GetContext(ctx, &after, countSQL, database); err != nil {
		return cost{}, err
	}
	each := time.Since(began).Seconds() * float64(nodes)
	return cost{(after.Calls - before.Calls) / each, (after.Said - before.Said) / each, (after.WAL - before.WAL) / each, (after.Busy - before.Busy) / each}, nil
}
