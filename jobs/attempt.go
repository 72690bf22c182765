package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/lib/pq"
)

var errTimeout = errors.New("it took longer than its timeout")

// stopped is why an action ends before the lease does.
type stopped struct {
	reason string
	moves  bool // it is to go on elsewhere
}

func (s *stopped) Error() string { return s.reason }

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
	o := &opened{job: h.name, due: b.Due, token: h.token, nonce: newNonce()}
	h.open = o // until the database says no, it may have begun
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
		h.open = nil
		h.seats.leave(h)
		return Refused{Now: h.Now(), Due: b.Due, Answer: answer}, nil
	}
	h.perform(b)
	return Began{Now: h.Now(), Due: b.Due}, nil
}

// perform starts the action of the run that has begun.
func (h *held) perform(b Begin) {
	h.acting = true
	o, action := h.open, h.Actions[h.def.Action]
	p := performance{opened: *o, action: action, timeout: h.def.Timeout, long: h.def.Long, goesOn: h.def.OnLost != LostRecord, run: Run{
		Job: o.job, Due: o.due, Token: o.token, Attempt: b.Attempt, Node: h.Node, Params: h.def.Params,
	}}
	if h.left != nil {
		p.run.Resume = *h.left
	}
	if b.Asked {
		p.run.Params = p.run.Params.with(h.def.askedParams)
	}
	var ctx context.Context
	ctx, p.tenure = h.begins(h.def.outlasts(action))
	p.run.mercy = Mercy{Grace: h.def.StopGrace, Lost: p.tenure.gone, Outlasts: p.tenure.outlasts}
	go func() {
		e := h.act(ctx, p)
		h.minder.mu.Lock()
		defer h.minder.mu.Unlock()
		h.ready = e
		h.tell(sawDone)
	}()
}

// takeEnding takes over how the action ended.
func (h *held) takeEnding() {
	h.minder.mu.Lock()
	defer h.minder.mu.Unlock()
	h.ended, h.ready, h.acting = h.ready, nil, false
}

// remember keeps where a run stopped, for the next one to go on from.
func (h *held) remember() {
	switch {
	case h.ended.outcome == Succeeded:
		h.left = nil
	case h.ended.left.Text != "":
		left := h.ended.left
		h.left = &left
	}
}

// end tells the database how the run ended, until it has understood.
func (h *held) end(ctx context.Context) error {
	if err := h.insist(ctx, func() error { return h.tellEnd(ctx) }); err != nil {
		return err
	}
	h.open = nil
	h.ends()
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
	log := h.log().With("job", h.name, "due", stamp(h.open.due), "token", h.token)
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
