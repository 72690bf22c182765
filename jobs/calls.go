package jobs

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
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

const definitionsSQL = `SELECT definition, requested_at, requested_params FROM coterie.job_list()`

type definitionRow struct {
	Definition []byte
	Requested  sql.NullTime `db:"requested_at"`
	Params     Params       `db:"requested_params"`
}

func (r definitionRow) job() (*job, error) {
	var w wire
	if err := json.Unmarshal(r.Definition, &w); err != nil {
		return nil, err
	}
	j := &job{Definition: w.definition(), asked: r.Requested.Time, askedParams: r.Params, pauses: w.pauses()}
	if j.bad = j.Validate(); j.bad == nil {
		j.schedule, j.bad = j.Timetable()
	}
	return j, nil
}

func readDefinitions(ctx context.Context, db *sqlx.DB) (map[string]*job, error) {
	found := map[string]*job{}
	err := on(ctx, db, func(c *sqlx.Conn) error {
		rows, err := c.QueryxContext(ctx, definitionsSQL)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() { // one by one: thousands of texts at once would be garbage at once
			var row definitionRow
			if err := rows.StructScan(&row); err != nil {
				return err
			}
			j, err := row.job()
			if err != nil {
				return err
			}
			found[j.Name] = j
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

const resumeSQL = `
SELECT accounted_at, from_node, freed_at, freed_by, acquired_at,
       ran_due_at, ran_attempt, ran_outcome, ran_finished_at, ran_asked,
       checkpoint, checkpoint_due_at
FROM coterie.run_resume($1, $2)`

type resumed struct {
	Accounted sql.NullTime   `db:"accounted_at"`
	From      sql.NullString `db:"from_node"`
	Freed     sql.NullTime   `db:"freed_at"`
	By        sql.NullString `db:"freed_by"`
	Acquired  sql.NullTime   `db:"acquired_at"`

	RanDue      sql.NullTime   `db:"ran_due_at"`
	RanAttempt  sql.NullInt64  `db:"ran_attempt"`
	RanOutcome  sql.NullString `db:"ran_outcome"`
	RanFinished sql.NullTime   `db:"ran_finished_at"`
	RanAsked    sql.NullBool   `db:"ran_asked"`

	Checkpoint    sql.NullString
	CheckpointDue sql.NullTime `db:"checkpoint_due_at"`
}

// left is the last run that there was, as the former holder left it.
func (at resumed) left() *Left {
	if !at.RanDue.Valid {
		return nil
	}
	return &Left{Due: at.RanDue.Time, Attempt: int(at.RanAttempt.Int64), Outcome: Outcome(at.RanOutcome.String),
		Finished: at.RanFinished.Time, Asked: at.RanAsked.Bool}
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

// beginning is a run that is to begin.
type beginning struct {
	opened
	generation int64
	next       time.Time
	reason     string
}

// beginSQL may be said again with the same nonces: it begins a slot once.
const beginSQL = `SELECT coterie.run_begin_all($1, $2::timestamptz[], $3, $4, $5, $6::timestamptz[], $7)`

func (r *Runner) sendBegins(ctx context.Context, batch []beginning) ([]Answer, error) {
	order := inOrder(batch, func(b beginning) opened { return b.opened })
	var c columns
	generations, nexts, reasons := pq.Int64Array{}, []sql.NullString{}, pq.StringArray{}
	for _, i := range order {
		b := batch[i]
		c.add(b.opened)
		generations = append(generations, b.generation)
		nexts = append(nexts, sql.NullString{String: stamp(b.next), Valid: !b.next.IsZero()})
		reasons = append(reasons, oneLine(b.reason, reasonSize))
	}
	var said pq.StringArray
	err := on(ctx, r.DB, func(conn *sqlx.Conn) error {
		return conn.QueryRowContext(ctx, beginSQL, c.jobs, c.dues, c.tokens, c.nonces, generations, pq.Array(nexts), reasons).Scan(&said)
	})
	if err != nil {
		return nil, err
	}
	answers := make([]Answer, len(batch))
	for at, i := range order {
		answers[i] = Answer(said[at])
	}
	return answers, nil
}

// errFenced means that the database does not take this node for the holder. It
// may again, if the session is renewed; if not, the context will end.
var errFenced = errors.New("the lease is not held with this token")

func (r *Runner) callBegin(ctx context.Context, b beginning) (Answer, error) {
	a, err := r.begins.call(ctx, b)
	if err == nil && a == answerLost {
		err = errFenced
	}
	if err != nil {
		return "", fmt.Errorf("begin %s at %s: %w", b.job, stamp(b.due), err)
	}
	return a, nil
}

// againSQL may be said again with the same nonce, too.
const againSQL = `SELECT coterie.run_again($1, $2, $3, $4, $5, $6, $7)`

func (r *Runner) callAgain(ctx context.Context, b beginning, attempt int) (Answer, error) {
	a, err := ask[Answer](ctx, r.DB, againSQL, b.job, stamp(b.due), int64(b.token), b.nonce, b.generation, attempt, oneLine(b.reason, reasonSize))
	if err == nil && a == answerLost {
		err = errFenced
	}
	if err != nil {
		return "", fmt.Errorf("begin %s at %s again: %w", b.job, stamp(b.due), err)
	}
	return a, nil
}

// reasonSize is how long a reason may be; the column takes a little more.
const reasonSize = 500

// ending is how a run ended.
type ending struct {
	opened
	outcome Outcome
	exit    *Exit
	reason  string
	tail    string
	left    Checkpoint // that the run set
}

// endSQL is fenced by the tokens and the nonces that began the runs, and may be
// said again: it answers the outcomes that stand.
const endSQL = `SELECT coterie.run_end_all($1, $2::timestamptz[], $3, $4, $5::coterie.run_outcome[], $6, $7, $8)`

func (r *Runner) sendEnds(ctx context.Context, batch []ending) ([]Outcome, error) {
	order := inOrder(batch, func(e ending) opened { return e.opened })
	var c columns
	outcomes, exits, tails, reasons := pq.StringArray{}, []sql.NullInt32{}, pq.StringArray{}, pq.StringArray{}
	for _, i := range order {
		e := batch[i]
		c.add(e.opened)
		var exit sql.NullInt32
		if e.exit != nil && e.exit.Signal == "" {
			exit = sql.NullInt32{Int32: int32(e.exit.Code), Valid: true}
		}
		outcomes = append(outcomes, string(e.outcome))
		exits = append(exits, exit)
		tails = append(tails, e.tail)
		reasons = append(reasons, oneLine(e.reason, reasonSize))
	}
	var stand []sql.NullString
	err := on(ctx, r.DB, func(conn *sqlx.Conn) error {
		return conn.QueryRowContext(ctx, endSQL, c.jobs, c.dues, c.tokens, c.nonces, outcomes, pq.Array(exits), tails, reasons).Scan(pq.Array(&stand))
	})
	if err != nil {
		return nil, err
	}
	answers := make([]Outcome, len(batch))
	for at, i := range order {
		answers[i] = Outcome(stand[at].String)
	}
	return answers, nil
}

func (r *Runner) callEnd(ctx context.Context, e ending) (Outcome, error) {
	stands, err := r.ends.call(ctx, e)
	if err != nil {
		return "", fmt.Errorf("end %s of %s: %w", e.job, stamp(e.due), err)
	}
	if stands != e.outcome {
		r.Told.refused("run.end")
	}
	return stands, nil
}

// columns are runs turned into array parameters.
type columns struct {
	jobs, dues     pq.StringArray
	tokens, nonces pq.Int64Array
}

func (c *columns) add(o opened) {
	c.jobs, c.dues = append(c.jobs, o.job), append(c.dues, stamp(o.due))
	c.tokens, c.nonces = append(c.tokens, int64(o.token)), append(c.nonces, o.nonce)
}

// inOrder sorts a batch by job, so that two batches never wait for each other in
// turn.
func inOrder[T any](batch []T, run func(T) opened) []int {
	order := make([]int, len(batch))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(run(batch[a]).job, run(batch[b]).job) })
	return order
}

// accountSQL passes over slots that have their row, so it may be said again.
const accountSQL = `SELECT coterie.run_account($1, $2, $3, $4::timestamptz[], $5, $6)`

func (r *Runner) callAccount(ctx context.Context, job string, token leases.Token, a Account) error {
	dues, reasons := make(pq.StringArray, len(a.Slots)), make(pq.StringArray, len(a.Slots))
	for i, v := range a.Slots {
		dues[i], reasons[i] = stamp(v.Due), oneLine(v.Reason, reasonSize)
	}
	rows, err := ask[int64](ctx, r.DB, accountSQL, job, int64(token), a.Outcome, dues, reasons,
		sql.NullTime{Time: a.Next, Valid: !a.Next.IsZero()})
	if err != nil {
		return fmt.Errorf("account for %d slots of %s: %w", len(a.Slots), job, err)
	}
	r.Told.notRun(job, a.Outcome, rows)
	return nil
}
