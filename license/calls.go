package license

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// on runs one autocommit statement on a connection of its own: sqlx.DB would
// silently say a statement again whose answer was lost.
func on(ctx context.Context, db *sqlx.DB, do func(*sqlx.Conn) error) error {
	conn, err := db.Connx(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return do(conn)
}

// batchSQL carries a number that rises with each call of the session: a call that
// comes after a later one is refused. It is decided and others may go on before it
// is on disk.
const batchSQL = `
SELECT n, answer, seat, kind, reason
FROM coterie.license_batch($1, $2, $3, $4, $5, $6, $7, $8, true)`

// settleSQL waits for the disk. There are numbers in it and no parameters, since
// those would be a round trip of their own.
const settleSQL = `SELECT coterie.license_settle(%d, %d)`

func callBatch(ctx context.Context, db *sqlx.DB, node string, c Call) ([]Reply, error) {
	var ops, pools, holders, sessions, hosts pq.StringArray
	for _, item := range c.Batch {
		ops, pools, holders = append(ops, string(item.Op)), append(pools, item.Pool), append(holders, item.Holder)
		sessions, hosts = append(sessions, item.Session), append(hosts, item.Host)
	}
	replies := make([]Reply, len(c.Batch))
	answered := 0
	err := on(ctx, db, func(conn *sqlx.Conn) error {
		rows, err := conn.QueryContext(ctx, batchSQL, node, c.Incarnation, c.Number, ops, pools, holders, sessions, hosts)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var n int
			var r Reply
			var seat sql.NullInt64
			var kind, reason sql.NullString
			if err := rows.Scan(&n, &r.Answer, &seat, &kind, &reason); err != nil {
				return err
			}
			r.Seat, r.Reason = Seat{Number: int(seat.Int64), Kind: Kind(kind.String)}, reason.String
			replies[n-1] = r
			answered++
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		_, err = conn.ExecContext(ctx, fmt.Sprintf(settleSQL, c.Incarnation, c.Number))
		return err
	})
	if err == nil && answered != len(c.Batch) {
		err = fmt.Errorf("%d answers to %d questions", answered, len(c.Batch))
	}
	if err != nil {
		return nil, fmt.Errorf("ask for seats: %w", err)
	}
	return replies, nil
}

const keepSQL = `SELECT seats, lasts_ms FROM coterie.license_keep($1, $2, $3, $4, $5, $6)`

func callKeep(ctx context.Context, db *sqlx.DB, node string, c Call) (seats int, lasts time.Duration, err error) {
	var row struct {
		Seats int
		Lasts float64 `db:"lasts_ms"`
	}
	err = on(ctx, db, func(conn *sqlx.Conn) error {
		return conn.GetContext(ctx, &row, keepSQL, node, c.Incarnation, pq.Array(c.Former), c.Number, c.Keep, c.Want)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("keep seats of %s: %w", c.Keep, err)
	}
	return row.Seats, time.Duration(row.Lasts * float64(time.Millisecond)), nil
}

const poolsSQL = `
SELECT name, kind, weight, per_node, coalesce(extract(epoch FROM idle), 0)::float8 AS idle, escrow, extract(epoch FROM grace)::float8 AS grace
FROM coterie.license_rules`

// ReadPools tells what a node must know of the pools.
func ReadPools(ctx context.Context, db *sqlx.DB) ([]Pool, error) {
	var rows []struct {
		Name, Kind  string
		Weight      int
		PerNode     bool `db:"per_node"`
		Idle, Grace float64
		Escrow      int
	}
	if err := db.SelectContext(ctx, &rows, poolsSQL); err != nil {
		return nil, fmt.Errorf("read the pools: %w", err)
	}
	pools := make([]Pool, len(rows))
	for i, r := range rows {
		pools[i] = Pool{Name: r.Name, Kind: r.Kind, Weight: r.Weight, PerNode: r.PerNode, Escrow: r.Escrow,
			Idle: time.Duration(r.Idle * float64(time.Second)), Grace: time.Duration(r.Grace * float64(time.Second))}
	}
	return pools, nil
}

const sweepSQL = `SELECT incarnation, stamp, lasts_ms FROM coterie.license_sweep($1, $2, $3, $4, $5)`

// kept is a row of escrow that this node watches.
type seen struct {
	Incarnation, Stamp int64
	Lasts              float64 `db:"lasts_ms"`
}

func callSweep(ctx context.Context, db *sqlx.DB, node string, incarnation int64, pool string, still []seen) (rows []seen, err error) {
	incarnations, stamps := pq.Int64Array{}, pq.Int64Array{}
	for _, s := range still {
		incarnations, stamps = append(incarnations, s.Incarnation), append(stamps, s.Stamp)
	}
	err = on(ctx, db, func(conn *sqlx.Conn) error {
		return conn.SelectContext(ctx, &rows, sweepSQL, node, incarnation, pool, incarnations, stamps)
	})
	if err != nil {
		return nil, fmt.Errorf("sweep %s: %w", pool, err)
	}
	return rows, nil
}
