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

	"github.com/coterie-ha/coterie/leases"
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
// is to take them by name, and HoldRequest to be their holder. Room 0 leaves to
// others what has not begun.
func (r *Runner) TakeRequests(ctx context.Context, incarnation int64, room int) ([]string, error) {
	var ids pq.Int64Array
	err := on(ctx, r.DB, func(c *sqlx.Conn) error {
		return c.QueryRowContext(ctx, `SELECT coterie.request_take($1, $2, $3)`, r.Node, incarnation, room).Scan(&ids)
	})
	if err != nil {
		return nil, fmt.Errorf("take requests: %w", err)
	}
	names := make([]string, 0, len(ids))
	for _, id := range ids {
		names = append(names, requestPrefix+strconv.FormatInt(id, 10))
	}
	slices.Sort(names)
	return names, nil
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

// HoldRequest runs one request of a queue job while its lease is held. It returns
// when the run has ended, or when there is nothing to run any more.
func (r *Runner) HoldRequest(ctx context.Context, g leases.Grant) {
	id, err := strconv.ParseInt(strings.TrimPrefix(g.Lease, requestPrefix), 10, 64)
	if err != nil {
		r.log().Error("cannot act for a lease", "lease", g.Lease, "token", g.Token, "err", err)
		return
	}
	nonce := newNonce()
	var begun requestBegun
	err = r.insist(ctx, func() (err error) {
		if begun, err = ask[requestBegun](ctx, r.DB, requestBeginSQL, id, int64(g.Token), nonce); err == nil && begun.Answer == answerLost {
			err = errFenced
		}
		return err
	})
	if err != nil || begun.Answer != AnswerBegun {
		return
	}
	p := r.requested(ctx, g, begun, nonce)
	e := r.act(ctx, p)
	tell := func(ctx context.Context) error { return r.tellRequestEnd(ctx, id, e) }
	if err := r.insist(ctx, func() error { return tell(ctx) }); err == nil {
		return
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if err := tell(last); err != nil {
		r.log().Warn("how a run ended stays untold", "job", e.job, "due", stamp(e.due), "token", g.Token, "outcome", e.outcome, "err", err)
	}
}

// requested is the run of a request, to be performed.
func (r *Runner) requested(ctx context.Context, g leases.Grant, b requestBegun, nonce int64) performance {
	o := opened{job: b.Job.String, due: b.Due.Time, token: g.Token, nonce: nonce}
	p := performance{opened: o, action: Func(func(context.Context, Run) error {
		return errors.New("refused: this node does not know the job or its action any more")
	}), run: Run{
		Job: o.job, Due: o.due, Token: o.token, Attempt: int(b.Attempt.Int64), Node: r.Node, Lease: g.Lease,
		Params: b.Params, Resume: Checkpoint{b.CheckpointDue.Time, b.Checkpoint.String},
	}}
	if r.job(o.job) == nil {
		// The request may come before word of its job.
		begun := time.Now()
		if r.insist(ctx, func() error { return r.refresh(ctx, begun) }) != nil {
			return p
		}
	}
	j := r.job(o.job)
	if j == nil {
		return p
	}
	if action, able := r.Actions[j.Action]; able {
		p.action = action
	}
	p.timeout, p.long, p.goesOn = j.Timeout, j.Long, j.OnLost != LostRecord
	p.run.Params = j.Params.with(b.Params)
	return p
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
