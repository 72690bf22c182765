package jobs

import (
	"context"
	"time"
)

const (
	// farewell is how long a holder that must go may take to tell how its run ended.
	farewell = time.Second
	// settling is how long those that fall due together have to get into line for a
	// seat, before the first takes one.
	settling = 5 * time.Millisecond
	// Between tries of a call that failed.
	firstPause, longestPause = 50 * time.Millisecond, time.Second
)

// held is one job's lease in the hands of this node. While it waits it is this and
// nothing more; what it is told makes a goroutine take turns for it, and a run has
// one of its own.
type held struct {
	*kept
	name string

	// Guarded by the minder's lock.
	mail   saw                     // what it was told and has not taken up
	busy   bool                    // turns are being taken
	place  int32                   // among those that are to be woken, from 1; 0: none
	ready  *ending                 // of a run whose action has ended
	wake   time.Time               // when it is to be woken; zero: not at all
	cancel context.CancelCauseFunc // of the turns that are being taken

	// What follows belongs to whoever takes turns.
	entered bool // it was taken up
	lost    bool // the lease; what is at work is waited for
	acting  bool // an action is at work, and its ending will come
	waits   bool // for a seat
	def     *job // nil when there is none
	state   State
	left    *Checkpoint // where a run stopped that did not succeed; nil when none did, or none said
	open    *opened     // the run that is open, or may be
	ended   *ending     // of the run, once it is no longer acting
}

// saw is what a held job is told, one bit each: the lowest is taken up first.
type saw uint8

const (
	sawEnd   saw = 1 << iota // of the lease
	sawStart                 // it is to be taken up
	sawDone                  // the action has ended
	sawChange
	sawYield
	sawVacancy
	sawTime
)

// start is told once nothing is left of a former grant. Only a few are taken up
// at once.
func (h *held) start() {
	m := &h.minder
	if h.gone {
		return
	}
	if m.entering >= entries {
		m.waiting = append(m.waiting, h)
		return
	}
	m.entering++
	h.tell(sawStart)
}

// enteredOne lets the next be taken up.
func (m *minder) enteredOne() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entering--
	for len(m.waiting) > 0 && m.entering < entries {
		next := m.waiting[0]
		m.waiting[0] = nil
		m.waiting = m.waiting[1:]
		next.start()
	}
	if len(m.waiting) == 0 {
		m.waiting = nil
	}
}

func (h *held) tell(what saw) {
	if h.gone {
		return
	}
	h.mail |= what
	if what == sawEnd && h.cancel != nil {
		h.cancel(h.cause)
	}
	if !h.busy {
		h.busy = true
		go h.turns() // whoever gave the lease waits until it is given back
	}
}

func (h *held) idle() bool {
	if h.busy || h.gone || h.acting || h.open != nil {
		return false
	}
	h.busy = true // no turn is taken any more
	return true
}

// hear tells it something; the minder's lock is not held.
func (h *held) hear(what saw) {
	h.minder.mu.Lock()
	defer h.minder.mu.Unlock()
	h.tell(what)
}

// changed tells those jobs that their definition is another.
func (m *minder) changed(is func(job string) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range m.kept {
		if h, ok := k.who.(*held); ok && is(h.name) {
			h.tell(sawChange)
		}
	}
}

// turns takes turns until there is nothing more to do.
func (h *held) turns() {
	ctx, cancel := context.WithCancelCause(context.Background()) // it ends with the lease
	defer cancel(nil)
	for what := h.next(cancel); what != 0; what = h.next(cancel) {
		over := h.turn(ctx, what)
		if what == sawStart {
			h.minder.enteredOne()
		}
		if over {
			h.letGo()
			return
		}
	}
}

// next is what to take up; 0 when there is nothing, and then nobody takes turns
// any more.
func (h *held) next(cancel context.CancelCauseFunc) saw {
	h.minder.mu.Lock()
	defer h.minder.mu.Unlock()
	what := h.mail & -h.mail
	h.mail &^= what
	if what == 0 {
		h.busy, h.cancel = false, nil
		return 0
	}
	if h.cancel = cancel; h.cause != nil {
		cancel(h.cause)
	}
	return what
}

// letGo forgets a job that is over.
func (h *held) letGo() {
	h.seats.leave(h)
	h.minder.mu.Lock()
	h.minder.alarm.disarm(h)
	h.minder.mu.Unlock()
	h.forget()
}

// turn does what follows from what was seen. When it is over nothing of the job
// is left here.
func (h *held) turn(ctx context.Context, what saw) (over bool) {
	switch {
	case what == sawEnd:
		return h.part()
	case h.lost && what == sawDone:
		h.takeEnding()
		return h.part()
	case h.lost, !h.entered && what != sawStart:
		return false
	}
	event, err := h.event(ctx, what)
	if err == nil {
		h.entered = true
		h.state.Lead = h.lead()
		waited := h.waits
		h.waits = false
		over, err = h.carryOut(ctx, h.state.Step(event))
		if waited && !h.waits && h.open == nil {
			h.seats.leave(h) // it wants none any more
		}
	}
	if over || err != nil {
		return h.part()
	}
	return false
}

// part tells how the run ended when the lease has, as soon as it is over. Where
// another holder has closed it, its end is refused.
func (h *held) part() (over bool) {
	h.lost = true
	if h.acting {
		return false // it was told to end, or may go on
	}
	if h.open == nil {
		return true
	}
	if err := h.insistAtLast(h.tellEnd); err != nil {
		h.log().Warn("how a run ended stays untold", "job", h.name, "due", stamp(h.open.due), "token", h.token, "outcome", h.ended.outcome, "err", err)
	}
	h.ends()
	return true
}

// event is what was seen, as the state takes it. Its only errors are those of a
// lease that is lost.
func (h *held) event(ctx context.Context, what saw) (Event, error) {
	switch what {
	case sawStart:
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
		h.takeEnding()
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
			err = h.insist(ctx, func() error { return h.callAccount(ctx, h.name, h.token, m) })
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
			h.run.stop(&stopped{m.Reason, m.Moves})
		case Wait:
			h.arm(h, m.Until)
		case Leave:
			return true, nil
		}
	}
	return false, err
}

// resume finds out where the former holder stopped, and what the job is.
func (h *held) resume(ctx context.Context) error {
	var at resumed
	err := h.insist(ctx, func() (err error) {
		at, err = h.callResume(ctx, h.name, h.token)
		return err
	})
	if err != nil {
		return err
	}
	h.state = State{Job: h.name, Schedule: new(Schedule), Accounted: at.Accounted.Time, Left: at.left(), Vacancy: Vacancy{
		From: at.From.String, Freed: at.Freed.Time, By: at.By.String, To: h.Node, Taken: at.Acquired.Time,
	}}
	if at.Checkpoint.String != "" {
		h.left = &Checkpoint{at.CheckpointDue.Time, at.Checkpoint.String}
	}
	if h.job(h.name) == nil {
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
	h.def = h.job(h.name)
	if h.def == nil || h.def.bad != nil {
		h.state.Resting = true
		return
	}
	_, able := h.Actions[h.def.Action]
	h.state.Resting = h.def.Disabled || !able || !h.has(h.def.Requires)
	h.state.Schedule, h.state.Rules, h.state.Since, h.state.Asked, h.state.Pauses = &h.def.schedule, h.def.rules(), h.def.Since, h.def.asked, h.def.pauses
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
