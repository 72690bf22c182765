package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// requestPrefix begins the leases under which requests of queue jobs are run.
const requestPrefix = "request/"

// HasQueue tells whether there are jobs whose requests any node may take.
func (r *Runner) HasQueue() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, j := range r.jobs {
		if j.Queue {
			return true
		}
	}
	return false
}

// TakeRequests takes requests from the queue for a session, oldest first, up to
// the room that there is, and returns the leases of all that it has: the session
// is to take them by name, and the Runner is their Keeper. Room 0 leaves to
// others what has not begun. It says also in how long the next attempt of one that
// failed is due; 0 if there is none.
func (r *Runner) TakeRequests(ctx context.Context, incarnation int64, room int) (leases []string, again time.Duration, err error) {
	var ids pq.Int64Array
	var wait sql.NullFloat64
	err = on(ctx, r.DB, func(c *sqlx.Conn) error {
		return c.QueryRowContext(ctx, `SELECT coterie.request_take($1, $2, $3), coterie.request_wait()`, r.Node, incarnation, room).Scan(&ids, &wait)
	})
	if err != nil {
		return nil, 0, fmt.Errorf("take requests: %w", err)
	}
	names := make([]string, 0, len(ids))
	for _, id := range ids {
		names = append(names, requestPrefix+strconv.FormatInt(id, 10))
	}
	slices.Sort(names)
	if wait.Valid {
		again = max(time.Millisecond, time.Duration(wait.Float64*float64(time.Millisecond)))
	}
	return names, again, nil
}

const requestBeginSQL = `
SELECT answer, job, due_at, attempt, params, checkpoint, checkpoint_due_at
FROM coterie.request_begin($1, $2, $3)`

type requestBegun struct {
	Answer        Answer
	Job           sql.NullString
	Due           sql.NullTime `db:"due_at"`
	Attempt       sql.NullInt64
	Params        Params
	Checkpoint    sql.NullString
	CheckpointDue sql.NullTime `db:"checkpoint_due_at"`
}

// requestID is the number of a request, if a lease is that of one.
func requestID(lease string) (int64, bool) {
	text, ok := strings.CutPrefix(lease, requestPrefix)
	id, err := strconv.ParseInt(text, 10, 64)
	return id, ok && err == nil
}

// errand is one request of a queue job in the hands of this node. It has a
// goroutine, since it runs at once or is over.
type errand struct {
	*kept
	id int64

	// Guarded by the minder's lock.
	begun  bool
	cancel context.CancelCauseFunc // of the lease's context
}

func (e *errand) start() {
	if e.gone {
		return
	}
	var ctx context.Context
	ctx, e.cancel = context.WithCancelCause(context.Background())
	e.begun = true
	go func() { // whoever gave the lease waits until it is given back
		defer e.letGo()
		defer e.cancel(nil)
		e.do(ctx)
	}()
}

// tell takes nothing in but the end of the lease: a request is handed over when its
// run has ended.
func (e *errand) tell(what saw) {
	if what == sawEnd && e.begun {
		e.cancel(e.cause)
	}
}

func (e *errand) idle() bool { return !e.begun && !e.gone }

func (e *errand) letGo() { e.forget() }

// do runs the request, or finds that there is nothing to run any more.
func (e *errand) do(ctx context.Context) {
	nonce := newNonce()
	var begun requestBegun
	err := e.insist(ctx, func() (err error) {
		if begun, err = ask[requestBegun](ctx, e.DB, requestBeginSQL, e.id, int64(e.token), nonce); err == nil && begun.Answer == answerLost {
			err = errFenced
		}
		return err
	})
	if err != nil || begun.Answer != AnswerBegun {
		return
	}
	defer e.ends()
	run, p := e.requested(ctx, begun, nonce)
	end := e.act(run, p)
	tell := func(ctx context.Context) error { return e.tellRequestEnd(ctx, e.id, end) }
	if err := e.insist(ctx, func() error { return tell(ctx) }); err == nil {
		return
	}
	if err := e.insistAtLast(tell); err != nil {
		e.log().Warn("how a run ended stays untold", "job", end.job, "due", stamp(end.due), "token", e.token, "outcome", end.outcome, "err", err)
	}
}

// requested is the run of a request, to be performed, and its context.
func (e *errand) requested(ctx context.Context, b requestBegun, nonce int64) (context.Context, performance) {
	o := opened{job: b.Job.String, due: b.Due.Time, token: e.token, nonce: nonce}
	p := performance{opened: o, action: Func(func(context.Context, Run) error {
		return errors.New("refused: this node does not know the job or its action any more")
	}), run: Run{
		Job: o.job, Due: o.due, Token: o.token, Attempt: int(b.Attempt.Int64), Node: e.Node, Lease: e.lease,
		Params: b.Params, Resume: Checkpoint{b.CheckpointDue.Time, b.Checkpoint.String},
	}}
	j := e.job(o.job)
	if j == nil {
		// The request may come before word of its job.
		begun := time.Now()
		if e.insist(ctx, func() error { return e.refresh(ctx, begun) }) == nil {
			j = e.job(o.job)
		}
	}
	outlasts := false
	if j != nil {
		if action, able := e.Actions[j.Action]; able {
			p.action, outlasts = action, j.outlasts(action)
		}
		p.timeout, p.long, p.goesOn = j.Timeout, j.Long, j.OnLost != LostRecord
		p.run.Params = j.Params.with(b.Params)
		p.run.mercy.Grace = j.StopGrace
	}
	ctx, p.tenure = e.begins(outlasts)
	p.run.mercy.Lost, p.run.mercy.Outlasts = p.tenure.gone, p.tenure.outlasts
	return ctx, p
}

const requestEndSQL = `SELECT coterie.request_end($1, $2, $3, $4, $5, $6::coterie.run_outcome, $7, $8, $9)`

func (r *Runner) tellRequestEnd(ctx context.Context, id int64, e *ending) error {
	var exit sql.NullInt32
	if e.exit != nil && e.exit.Signal == "" {
		exit = sql.NullInt32{Int32: int32(e.exit.Code), Valid: true}
	}
	_, err := ask[sql.NullString](ctx, r.DB, requestEndSQL, id, e.job, e.due, int64(e.token), e.nonce, string(e.outcome), exit, e.tail, oneLine(e.reason, reasonSize))
	if unstorable(err) {
		e.tail, e.reason = "", "what it said cannot be stored in this database: "+err.Error()
	}
	if err != nil {
		return fmt.Errorf("end %s of %s: %w", e.job, stamp(e.due), err)
	}
	if e.outcome != Succeeded {
		r.log().Warn("run did not succeed", "job", e.job, "due", stamp(e.due), "token", e.token, "outcome", e.outcome, "reason", e.reason)
	}
	return nil
}
