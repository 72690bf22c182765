package jobs

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/leases"
)

const (
	// wakeAtLeast bounds each wait for a slot: the estimate of the database's time
	// may have been set right meanwhile.
	wakeAtLeast = time.Minute
	// farewell is how long a holder that must go may take to tell how its run ended.
	farewell = time.Second
	// settling is how long those that fall due together have to get into line for a
	// seat, before the first takes one.
	settling = 5 * time.Millisecond
	// Between tries of a call that failed.
	firstPause, longestPause = 50 * time.Millisecond, time.Second
)

var errTimeout = errors.New("it took longer than its timeout")

// held is one job's lease in the hands of this node. One goroutine minds it; a
// second one lives as long as a run does.
type held struct {
	*Runner
	name    string
	grant   leases.Grant
	changed chan struct{} // the definition is another
	vacant  chan struct{} // a run may be begun that there was no room for

	def    *job // nil when there is none
	state  State
	wake   *time.Timer
	left   Checkpoint // where a run stopped that did not succeed
	run    *opened    // the run that is open, or may be
	acting bool       // an action is at work, and its ending will come by done
	waits  bool       // for a seat
	ended  *ending    // of run, once it is no longer acting
	done   chan *ending
	stop   context.CancelCauseFunc // of the action
}

// stopped is why an action ends before the lease does.
type stopped struct {
	reason string
	moves  bool // it is to go on elsewhere
}

func (s *stopped) Error() string { return s.reason }

// newHeld takes a lease up; nil when it is no job's.
func (r *Runner) newHeld(g leases.Grant) *held {
	r.once.Do(r.prepare)
	name, ok := strings.CutPrefix(g.Lease, leasePrefix)
	if !ok || !names.MatchString(name) {
		r.log().Error("cannot act for a lease that is no job's", "lease", g.Lease, "token", g.Token)
		return nil
	}
	h := &held{Runner: r, name: name, grant: g, changed: make(chan struct{}, 1)}
	if r.Most > 0 {
		h.vacant = make(chan struct{}, 1)
	}
	h.wake = time.NewTimer(wakeAtLeast)
	r.watch(name, h.changed)
	return h
}

// letGo forgets a job that is over.
func (h *held) letGo() {
	h.wake.Stop()
	h.seats.leave(h)
	h.unwatch(h.name, h.changed)
}

// saw is what a held job waits for.
type saw int

const (
	nothing saw = iota
	sawEnd      // of the lease
	sawTime
	sawChange
	sawVacancy
	sawYield
	sawDone
)

// loop feeds the state until the lease is lost or handed back. It does all that
// takes more than a little stack aside: a goroutine that waits keeps the stack
// that it once needed, and there may be ten thousand of them.
func (h *held) loop(ctx context.Context) {
	h.entry <- struct{}{} // when all leases come at once, their jobs are taken up a few at a time
	over := false
	aside(func() { over = h.turn(ctx, nothing) })
	<-h.entry
	for !over {
		last := h.await(ctx)
		aside(func() { over = h.turn(ctx, last) })
	}
}

// aside does something on a stack of its own, and returns when it is done.
func aside(do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	<-done
}

// await waits until something is to be done.
func (h *held) await(ctx context.Context) saw {
	select {
	case <-ctx.Done():
		return sawEnd
	case <-h.wake.C:
		return sawTime
	case <-h.changed:
		return sawChange
	case <-h.vacant:
		return sawVacancy
	case <-h.grant.Yield:
		h.grant.Yield = nil
		return sawYield
	case h.ended = <-h.done:
		return sawDone
	}
}

// turn does what follows from what was seen. When it is over nothing of the job
// is left here.
func (h *held) turn(ctx context.Context, last saw) (over bool) {
	event, err := h.event(ctx, last)
	if err == nil && last != sawEnd {
		h.state.Lead = h.lead()
		waited := h.waits
		h.waits = false
		over, err = h.carryOut(ctx, h.state.Step(event))
		if waited && !h.waits && h.run == nil {
			h.seats.leave(h) // it wants none any more
		}
	}
	if over || err != nil || last == sawEnd {
		h.abandon(ctx)
		h.letGo()
		return true
	}
	return false
}

// event is what was seen, as the state takes it. Its only errors are those of a
// lease that is lost.
func (h *held) event(ctx context.Context, last saw) (Event, error) {
	switch last {
	case nothing:
		if err := h.resume(ctx); err != nil {
			return nil, err
		}
		return Changed{h.Now()}, nil
	case sawChange:
		h.adopt()
		return Changed{h.Now()}, nil
	case sawYield:
		return Yielded{h.Now()}, nil
	case sawDone:
		h.acting = false
		h.remember()
		if err := h.end(ctx); err != nil {
			return nil, err
		}
		return Ended{Now: h.Now(), Outcome: h.ended.outcome}, nil
	}
	return Woke{h.Now()}, nil
}

// carryOut makes the moves. Its only errors are those of a lease that is lost.
func (h *held) carryOut(ctx context.Context, moves []Move) (leave bool, err error) {
	for len(moves) > 0 && err == nil {
		move := moves[0]
		moves = moves[1:]
		switch m := move.(type) {
		case Account:
			err = h.insist(ctx, func() error { return h.callAccount(ctx, h.name, h.grant.Token, m) })
		case Begin: // the last move of its list
			var e Event
			if e, err = h.begin(ctx, m); err == nil {
				moves = h.state.Step(e)
			}
		case Reread:
			if err = h.reread(ctx); err == nil {
				moves = h.state.Step(Changed{h.Now()})
			}
		case Stop:
			h.stop(&stopped{m.Reason, m.Moves})
		case Wait:
			h.arm(m.Until)
		case Leave:
			return true, nil
		}
	}
	return false, err
}

// remember keeps where a run stopped, for the next one to go on from.
func (h *held) remember() {
	switch {
	case h.ended.outcome == Succeeded:
		h.left = Checkpoint{}
	case h.ended.left.Text != "":
		h.left = h.ended.left
	}
}

func (h *held) arm(until time.Time) {
	wait := wakeAtLeast
	if !until.IsZero() {
		wait = min(wait, until.Sub(h.Now()))
	}
	h.wake.Reset(wait)
}

// resume finds out where the former holder stopped, and what the job is.
func (h *held) resume(ctx context.Context) error {
	var at resumed
	err := h.insist(ctx, func() (err error) {
		at, err = h.callResume(ctx, h.name, h.grant.Token)
		return err
	})
	if err != nil {
		return err
	}
	h.state = State{Job: h.name, Accounted: at.Accounted.Time, Left: at.left(), Vacancy: Vacancy{
		From: at.From.String, Freed: at.Freed.Time, By: at.By.String, To: h.Node, Taken: at.Acquired.Time,
	}}
	h.left = Checkpoint{at.CheckpointDue.Time, at.Checkpoint.String}
	if h.Runner.job(h.name) == nil {
		// The lease may come before word of its job.
		begun := time.Now()
		if err := h.insist(ctx, func() error { return h.refresh(ctx, begun) }); err != nil {
			return err
		}
	}
	h.adopt()
	return nil
}

// adopt takes over the definition as it was last read.
func (h *held) adopt() {
	h.def = h.Runner.job(h.name)
	if h.def == nil || h.def.bad != nil {
		h.state.Resting = true
		return
	}
	_, able := h.Actions[h.def.Action]
	h.state.Resting = h.def.Disabled || !able || !h.has(h.def.Requires)
	h.state.Schedule, h.state.Rules, h.state.Since, h.state.Asked, h.state.Pauses = h.def.schedule, h.def.rules(), h.def.Since, h.def.asked, h.def.pauses
}

func (d Definition) rules() Rules {
	return Rules{Overlap: d.Overlap, Misfire: d.Misfire, Limit: d.MisfireLimit, CatchUp: d.CatchUp,
		Retries: d.Retries, RetryAfter: d.RetryAfter, RetryMax: d.RetryMax, OnLost: d.OnLost}
}

// reread reads the definition again, after the database said that it is another.
func (h *held) reread(ctx context.Context) error {
	begun, known := time.Now(), h.def
	if err := h.insist(ctx, func() error { return h.refresh(ctx, begun) }); err != nil {
		return err
	}
	h.adopt()
	if !h.state.Resting && h.def.same(known) {
		return pause(ctx, longestPause) // what is read lags behind what is written
	}
	return nil
}

// begin asks the database for a run and starts its action, to act when it is due.
func (h *held) begin(ctx context.Context, b Begin) (Event, error) {
	if h.seats.line(waiter{h, h.def.Priority, b.Due}) {
		if err := pause(ctx, settling); err != nil {
			return nil, err
		}
	}
	if h.waits = !h.seats.take(h); h.waits {
		return Refused{Now: h.Now(), Due: b.Due, Answer: AnswerFull}, nil
	}
	o := &opened{job: h.name, due: b.Due, token: h.grant.Token, nonce: newNonce()}
	h.run = o // until the database says no, it may have begun
	h.ended = &ending{opened: *o, outcome: Cancelled, reason: "the lease was lost before the action started"}
	var answer Answer
	err := h.insist(ctx, func() (err error) {
		began := time.Now()
		defer func() { h.noteBegun(time.Since(began)) }()
		start := beginning{*o, h.def.Generation, b.Next, b.Reason}
		if b.Attempt > 1 {
			answer, err = h.callAgain(ctx, start, b.Attempt)
			return err
		}
		answer, err = h.callBegin(ctx, start)
		return err
	})
	if err != nil {
		return nil, err
	}
	if answer != AnswerBegun {
		h.run = nil
		h.seats.leave(h)
		return Refused{Now: h.Now(), Due: b.Due, Answer: answer}, nil
	}
	h.acting = true
	p := performance{opened: *o, action: h.Actions[h.def.Action], timeout: h.def.Timeout, long: h.def.Long, goesOn: h.def.OnLost != LostRecord, run: Run{
		Job: o.job, Due: o.due, Token: o.token, Attempt: b.Attempt, Node: h.Node, Params: h.def.Params, Resume: h.left,
	}}
	if b.Asked {
		p.run.Params = p.run.Params.with(h.def.askedParams)
	}
	p.run.mercy = Mercy{Grace: h.def.StopGrace, Lost: ctx.Done()}
	ctx, h.stop = context.WithCancelCause(ctx)
	if h.done == nil {
		h.done = make(chan *ending, 1)
	}
	go func() { h.done <- h.act(ctx, p) }()
	return Began{Now: h.Now(), Due: b.Due}, nil
}

// end tells the database how the run ended, until it has understood.
func (h *held) end(ctx context.Context) error {
	if err := h.insist(ctx, func() error { return h.tellEnd(ctx) }); err != nil {
		return err
	}
	h.run = nil
	h.stop(nil) // releases its context
	h.seats.leave(h)
	return nil
}

func (h *held) tellEnd(ctx context.Context) error {
	stands, err := h.callEnd(ctx, *h.ended)
	if unstorable(err) {
		h.ended.tail, h.ended.reason = "", "what it said cannot be stored in this database: "+err.Error()
	}
	if err != nil {
		return err
	}
	log := h.log().With("job", h.name, "due", stamp(h.run.due), "token", h.grant.Token)
	switch {
	case stands == "": // it never began
	case stands != h.ended.outcome:
		log.Warn("run was closed by another holder", "outcome", stands, "ended", h.ended.outcome)
	case stands != Succeeded:
		log.Warn("run did not succeed", "outcome", stands, "reason", h.ended.reason)
	}
	return nil
}

// unstorable tells whether the database refused a text for what is in it.
func unstorable(err error) bool {
	var said *pq.Error
	return errors.As(err, &said) && (said.Code.Class() == "22" || said.Code == "23514")
}

// abandon stops what is at work and waits for it. Then it tries once to tell how
// the run ended: the fence lets that through while no other holder has closed
// the run, and otherwise the next holder says what is known.
func (h *held) abandon(ctx context.Context) {
	if h.acting {
		h.ended = <-h.done
		h.acting = false
	}

	if h.run == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if err := h.tellEnd(ctx); err != nil {
		h.log().Warn("how a run ended stays untold", "job", h.name, "due", stamp(h.run.due), "token", h.grant.Token, "outcome", h.ended.outcome, "err", err)
	}
}

// insist repeats a call, which must be repeatable, until it is answered or the
// lease is lost.
func (r *Runner) insist(ctx context.Context, call func() error) error {
	for wait := firstPause; ; wait = min(2*wait, longestPause) {
		err := call()
		if err == nil {
			return nil
		}
		if ctx.Err() == nil && wait == firstPause {
			r.complain(err)
		}
		if stopped := pause(ctx, wait); stopped != nil {
			return errors.Join(stopped, err)
		}
	}
}

// pause waits, or returns the cause for which ctx ended.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
