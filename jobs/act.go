package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/coterie-ha/coterie/leases"
)

// performance is a run that has begun, as its action is to perform it.
type performance struct {
	opened
	run     Run
	action  Action
	timeout time.Duration
	long    time.Duration // from when on it is called long-running; 0: never
	goesOn  bool          // elsewhere, when this node gives the lease up
	tenure  *tenure
}

// act waits until the run is due and performs its action.
func (r *Runner) act(ctx context.Context, p performance) *ending {
	e := &ending{opened: p.opened, outcome: Succeeded}
	if err := pause(ctx, p.due.Sub(r.Now())); err != nil {
		return p.stopped(e, err, "stopped before it started: ")
	}
	if err := p.tenure.begin(); err != nil {
		return p.stopped(e, err, "stopped before it started: ")
	}
	r.Told.began(p.job)
	started := time.Now()
	defer func() { r.Told.ended(p.job, e.outcome, time.Since(started)) }()
	if p.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, p.timeout, errTimeout)
		defer cancel()
	}
	var output tail
	var err error
	w := r.observe(p)
	p.run.Output, p.run.Report = io.MultiWriter(&output, w.spool), w.reporter.report
	w.during(ctx, func() { e.exit, err = do(ctx, p.action, p.run) })
	e.tail, e.left = output.String(), w.reporter.checkpoint()
	if err == nil {
		return e
	}
	switch cause := context.Cause(ctx); {
	case cause == nil:
		e.outcome, e.reason = Failed, err.Error()
	case errors.Is(cause, errTimeout):
		e.outcome, e.reason = TimedOut, fmt.Sprintf("stopped after its timeout of %v: %v", p.timeout, err)
	default:
		return p.stopped(e, cause, "stopped: ")
	}
	return e
}

// stopped tells how a run ended whose context did. What is to go on elsewhere
// counts as lost with its node.
func (p performance) stopped(e *ending, cause error, how string) *ending {
	told, asked := errors.AsType[*stopped](cause)
	switch {
	case errors.Is(cause, leases.ErrLost), p.goesOn && errors.Is(cause, leases.ErrMoved), asked && told.moves:
		e.outcome, e.exit = Lost, nil
	default:
		e.outcome = Cancelled
	}
	e.reason = how + whyStopped(cause)
	return e
}

// do keeps a panic of an action within its run: otherwise it would take one
// node after the other down, as the job moves on.
func do(ctx context.Context, action Action, r Run) (exit *Exit, err error) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(r.Output, "%s\n", debug.Stack())
			exit, err = nil, fmt.Errorf("the action panicked: %v", p)
		}
	}()
	return action.Do(ctx, r)
}

func whyStopped(cause error) string {
	switch {
	case errors.Is(cause, leases.ErrLost):
		return "the node lost the lease"
	case errors.Is(cause, leases.ErrMoved):
		return "the node gave the lease up"
	}
	return cause.Error()
}
