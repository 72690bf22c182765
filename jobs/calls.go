package jobs

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/leases"
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

// ask runs a statement whose answer is one value.
func ask[T any](ctx context.Context, db *sqlx.DB, query string, args ...any) (answer T, err error) {
	err = on(ctx, db, func(c *sqlx.Conn) error { return c.GetContext(ctx, &answer, query, args...) })
	return answer, err
}

const definitionsSQL = `
SELECT name, schedule, time_zone, action, timeout_ms, overlap, misfire, enabled, since, generation, requested_at
FROM coterie.job_definitions()`

type definitionRow struct {
	Name, Schedule string
	TimeZone       string `db:"time_zone"`
	Action         string
	Timeout        sql.NullInt64 `db:"timeout_ms"`
	Overlap        Overlap
	Misfire        Misfire
	Enabled        bool
	Since          time.Time
	Generation     int64
	Requested      sql.NullTime `db:"requested_at"`
}

func (d definitionRow) job() job {
	j := job{asked: d.Requested.Time, Definition: Definition{
		Name: d.Name, Schedule: d.Schedule, TimeZone: d.TimeZone, Action: d.Action,
		Timeout: time.Duration(d.Timeout.Int64) * time.Millisecond, Overlap: d.Overlap, Misfire: d.Misfire,
		Disabled: !d.Enabled, Since: d.Since, Generation: d.Generation,
	}}
	if j.bad = j.Validate(); j.bad == nil {
		j.schedule, j.bad = Parse(j.Definition.Schedule, j.TimeZone)
	}
	return j
}

func readDefinitions(ctx context.Context, db *sqlx.DB) (map[string]job, error) {
	var rows []definitionRow
	err := on(ctx, db, func(c *sqlx.Conn) error { return c.SelectContext(ctx, &rows, definitionsSQL) })
	if err != nil {
		return nil, err
	}
	found := make(map[string]job, len(rows))
	for _, row := range rows {
		found[row.Name] = row.job()
	}
	return found, nil
}

const resumeSQL = `
SELECT accounted_at, from_node, freed_at, freed_by, acquired_at
FROM coterie.run_resume($1, $2)`

type resumed struct {
	Accounted sql.NullTime   `db:"accounted_at"`
	From      sql.NullString `db:"from_node"`
	Freed     sql.NullTime   `db:"freed_at"`
	By        sql.NullString `db:"freed_by"`
	Acquired  sql.NullTime   `db:"acquired_at"`
}

func (r *Runner) callResume(ctx context.Context, job string, token leases.Token) (at resumed, err error) {
	at, err = ask[resumed](ctx, r.DB, resumeSQL, job, int64(token))
	if err != nil {
		return at, fmt.Errorf("resume %s: %w", job, err)
	}
	return at, nil
}

// opened is a run that this node asked the database to begin.
type opened struct {
	job   string
	due   time.Time
	token leases.Token
	nonce int64
}

// newNonce makes a number that tells this beginning from all others.
func newNonce() int64 {
	var b [8]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return int64(binary.BigEndian.Uint64(b[:]) >> 1)
}

// beginSQL may be said again with the same nonce: it begins a slot once.
const beginSQL = `SELECT coterie.run_begin($1, $2, $3, $4, $5, $6, $7)`

func (r *Runner) callBegin(ctx context.Context, o opened, generation int64, b Begin) (Answer, error) {
	a, err := ask[Answer](ctx, r.DB, beginSQL, o.job, o.due, int64(o.token), o.nonce, generation,
		sql.NullTime{Time: b.Next, Valid: !b.Next.IsZero()}, oneLine(b.Reason, reasonSize))
	if err != nil {
		return "", fmt.Errorf("begin %s at %s: %w", o.job, stamp(o.due), err)
	}
	return a, nil
}

// reasonSize is how long a reason may be; the column takes a little more.
const reasonSize = 500

// ending is how a run ended.
type ending struct {
	outcome Outcome
	exit    *Exit
	reason  string
	tail    string
}

// endSQL is fenced by the token and the nonce that began the run, and may be
// said again: it answers the outcome that stands.
const endSQL = `SELECT coterie.run_end($1, $2, $3, $4, $5, $6, $7, $8)`

func (r *Runner) callEnd(ctx context.Context, o opened, e ending) (Outcome, error) {
	var exit sql.NullInt32
	if e.exit != nil && e.exit.Signal == "" {
		exit = sql.NullInt32{Int32: int32(e.exit.Code), Valid: true}
	}
	stands, err := ask[sql.NullString](ctx, r.DB, endSQL, o.job, o.due, int64(o.token), o.nonce,
		e.outcome, exit, e.tail, oneLine(e.reason, reasonSize))
	if err != nil {
		return "", fmt.Errorf("end %s of %s: %w", o.job, stamp(o.due), err)
	}
	return Outcome(stands.String), nil
}

// accountSQL passes over slots that have their row, so it may be said again.
const accountSQL = `SELECT coterie.run_account($1, $2, $3, $4::timestamptz[], $5, $6)`

func (r *Runner) callAccount(ctx context.Context, job string, token leases.Token, a Account) error {
	dues, reasons := make(pq.StringArray, len(a.Slots)), make(pq.StringArray, len(a.Slots))
	for i, v := range a.Slots {
		dues[i], reasons[i] = stamp(v.Due), oneLine(v.Reason, reasonSize)
	}
	_, err := ask[int64](ctx, r.DB, accountSQL, job, int64(token), a.Outcome, dues, reasons,
		sql.NullTime{Time: a.Next, Valid: !a.Next.IsZero()})
	if err != nil {
		return fmt.Errorf("account for %d slots of %s: %w", len(a.Slots), job, err)
	}
	return nil
}
