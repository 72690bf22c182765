package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// seen is what the demo shows of its cluster: read from the views that anybody
// may read.
type seen struct {
	sentence string
	nodes    []nodeRow
	jobs     []jobRow
	events   []eventRow
}

type nodeRow struct {
	Name    string
	State   string
	Leases  int
	Seen    *float64 // seconds since its last heartbeat
	Expires *float64 // seconds until its session may be ended
	Storage string
	RTT     *float64
	Message string
}

const nodesSQL = `
SELECT name, state, leases_held AS leases, coalesce(storage_state, '') AS storage, db_rtt_ms AS rtt, message,
       extract(epoch FROM coterie.clock() - last_seen_at) AS seen, extract(epoch FROM expires_in) AS expires
FROM coterie.nodes
ORDER BY name`

type jobRow struct {
	Name     string
	Schedule string
	Runner   string
	Token    int64
	Last     string
	LastAgo  *float64
	Took     *float64
	Next     *float64 // seconds
	Message  string
}

const jobsSQL = `
SELECT j.name, j.schedule, coalesce(j.runner, '') AS runner, coalesce(l.token, 0) AS token,
       coalesce(j.last_outcome::text, '') AS last, extract(epoch FROM coterie.clock() - j.last_due_at) AS lastago,
       extract(epoch FROM j.last_took) AS took, extract(epoch FROM j.next_due_at - coterie.clock()) AS next, j.message
FROM coterie.jobs j LEFT JOIN coterie.leases l ON l.name = 'job/' || j.name
ORDER BY j.name
LIMIT 100`

type eventRow struct {
	ID      int64
	At      time.Time
	Node    string
	Kind    string
	Subject string
	Token   *int64
	Peer    string
	Reason  string
	Message string
	State   string
	To      string
}

const eventsSQL = `
SELECT id, at, coalesce(node, '') AS node, kind, subject, token, coalesce(peer, '') AS peer,
       coalesce(reason, rule, '') AS reason, coalesce(reason, '') AS message, coalesce(detail ->> 'state', '') AS state,
       coalesce(detail ->> 'to', '') AS "to"
FROM coterie.events WHERE id > $1
ORDER BY id DESC
LIMIT $2`

// look reads what the board shows.
func look(ctx context.Context, db *sqlx.DB) (seen, error) {
	var s seen
	for _, read := range []struct {
		what string
		into any
		sql  string
		args []any
	}{
		{"nodes", &s.nodes, nodesSQL, nil},
		{"jobs", &s.jobs, jobsSQL, nil},
		{"events", &s.events, eventsSQL, []any{0, 8}},
	} {
		if err := db.SelectContext(ctx, read.into, read.sql, read.args...); err != nil {
			return s, fmt.Errorf("look at the %s: %w", read.what, err)
		}
	}
	if err := db.GetContext(ctx, &s.sentence, `SELECT sentence FROM coterie.status`); err != nil {
		return s, fmt.Errorf("look at the status: %w", err)
	}
	return s, nil
}

// newerEvents reads the ledger from an event on, oldest first.
func newerEvents(ctx context.Context, db *sqlx.DB, after int64) ([]eventRow, error) {
	var events []eventRow
	if err := db.SelectContext(ctx, &events, eventsSQL, after, 1000); err != nil {
		return nil, fmt.Errorf("look at the events: %w", err)
	}
	for i, j := 0, len(events)-1; i < j; i, j = i+1, j-1 {
		events[i], events[j] = events[j], events[i]
	}
	return events, nil
}

// takeover is a lease that went from one node to another.
type takeover struct {
	Lease string
	From  string
	To    string
	Cause string
	Took  float64 // seconds from when the former holder was known to hold it, as the view has it
	After float64 // seconds from the instant asked about
	Token int64
}

// causeCrash is how a lease is lost whose holder did not give it back.
const causeCrash = "crash"

const takeoversSQL = `
SELECT lease, from_node AS "from", to_node AS "to", cause, extract(epoch FROM took) AS took, token,
       extract(epoch FROM claimed_at - $1) AS after
FROM coterie.takeovers
WHERE claimed_at > $1 AND ($2 = '' OR from_node = $2)
ORDER BY claimed_at, lease`

// takeovers are those since an instant of the database, from one node or from any.
func takeovers(ctx context.Context, db *sqlx.DB, since time.Time, from string) ([]takeover, error) {
	var all []takeover
	if err := db.SelectContext(ctx, &all, takeoversSQL, since, from); err != nil {
		return nil, fmt.Errorf("look at the take-overs: %w", err)
	}
	return all, nil
}

// clock is the database's time.
func clock(ctx context.Context, db *sqlx.DB) (now time.Time, err error) {
	if err := db.GetContext(ctx, &now, `SELECT coterie.clock()`); err != nil {
		return now, fmt.Errorf("ask the database for the time: %w", err)
	}
	return now, nil
}
