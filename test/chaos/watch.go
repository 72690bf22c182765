//go:build linux

package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/sql/schema"
	"github.com/coterie-ha/coterie/test/cluster"
)

// Watcher reads the lease table and the ledger all the time, over a connection
// of its own that no fault disturbs but those of the database itself.
type Watcher struct {
	DSN   string
	Reads []Read
	Seen  map[int64]int64 // when each event was first seen

	top int64
}

const (
	readEvery = 5 * time.Millisecond
	// An event may become visible after one with a higher number.
	lateEvents = 100
)

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	db, err := schema.Pool(schema.Options{DSN: w.DSN, Application: "watcher", MaxConns: 1, Budget: time.Second})
	if err != nil {
		return err
	}
	w.Seen = map[int64]int64{}
	for tick := time.NewTicker(readEvery); ; {
		select {
		case <-ctx.Done():
			return db.Close()
		case <-tick.C:
		}
		// While the database is down there is nothing to be seen.
		_ = errors.Join(w.read(ctx, db), w.follow(ctx, db))
	}
}

const readSQL = `
SELECT l.name AS lease, s.node IS NOT NULL AS held, coalesce(l.node, '') AS node, coalesce(l.incarnation, 0) AS life, l.token
FROM coterie.lease l
LEFT JOIN coterie.session s ON s.node = l.node AND s.incarnation = l.incarnation`

func (w *Watcher) read(ctx context.Context, db *sqlx.DB) error {
	var rows []Read
	from := cluster.Monotonic()
	if err := db.SelectContext(ctx, &rows, readSQL); err != nil {
		return err
	}
	to := cluster.Monotonic()
	for _, r := range rows {
		r.From, r.To = from, to
		w.Reads = append(w.Reads, r)
	}
	return nil
}

func (w *Watcher) follow(ctx context.Context, db *sqlx.DB) error {
	var ids []int64
	if err := db.SelectContext(ctx, &ids, `SELECT id FROM coterie.event WHERE id > $1 ORDER BY id`, w.top-lateEvents); err != nil {
		return err
	}
	now := cluster.Monotonic()
	for _, id := range ids {
		if _, known := w.Seen[id]; !known {
			w.Seen[id] = now
		}
		w.top = max(w.top, id)
	}
	return nil
}

const (
	eventsSQL = `
SELECT id, (extract(epoch FROM at) * 1e9)::bigint AS at, (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1e9)::bigint AS committed,
       coalesce(node, '') AS node, kind, subject, coalesce(token, 0) AS token, coalesce((detail ->> 'incarnation')::bigint, 0) AS life
FROM coterie.event ORDER BY id`
	effectsSQL = `
SELECT job, token, node, pid, (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1e9)::bigint AS committed FROM effect ORDER BY id`
	runsSQL = `
SELECT job, due_at AS due, coalesce(node, '') AS node, token, outcome::text, coalesce(reason, '') AS reason FROM coterie.run`
	jobsSQL = `
SELECT name, first_due_at AS first, (extract(epoch FROM every) * 1e9)::bigint AS every FROM coterie.job`
)

// Gather reads what the database has kept, and joins what was watched.
func Gather(c *cluster.Cluster, w *Watcher, faults []Fault) (*History, error) {
	h := &History{Reads: w.Reads, Testimonies: c.Testimonies(), Faults: faults, End: cluster.Monotonic()}
	var err error
	if h.Events, err = ledgerOf(c); err != nil {
		return nil, fmt.Errorf("gather the history: %w", err)
	}
	for i := range h.Events {
		h.Events[i].Seen = w.Seen[h.Events[i].ID]
	}
	for query, into := range map[string]any{effectsSQL: &h.Effects, runsSQL: &h.Runs, jobsSQL: &h.Jobs} {
		if err := c.DB.Select(into, query); err != nil {
			return nil, fmt.Errorf("gather the history: %w", err)
		}
	}
	for i, ahead := 0, offset(); i < len(h.Effects); i++ {
		h.Effects[i].Committed -= ahead
	}
	return h, nil
}

// ledgerOf reads the events, without when they were seen.
func ledgerOf(c *cluster.Cluster) (events []Event, err error) {
	err = c.DB.Select(&events, eventsSQL)
	for i, ahead := 0, offset(); i < len(events); i++ {
		events[i].At -= ahead
		events[i].Committed -= ahead
	}
	return events, err
}

// offset is how far the database's clock is ahead of that of the logs: both are this machine's, and
// nobody sets one during a trial.
func offset() int64 { return time.Now().UnixNano() - cluster.Monotonic() }
