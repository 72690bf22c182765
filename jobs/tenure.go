package jobs

import (
	"context"
	"errors"
	"sync"

	"github.com/coterie-ha/coterie/leases"
)

// tenure is the authority of one run: that of its lease, but that a run which may
// outlast the lease goes on when it is lost.
type tenure struct {
	outlasts bool
	cancel   context.CancelCauseFunc
	gone     chan struct{} // closed when the run must end because the lease has

	mu    sync.Mutex // guards the fields below
	begun bool       // the action has started
	cause error      // for which gone is closed
}

func newTenure(outlasts bool) (context.Context, *tenure) {
	t := &tenure{outlasts: outlasts, gone: make(chan struct{})}
	var ctx context.Context
	ctx, t.cancel = context.WithCancelCause(context.Background())
	return ctx, t
}

// begin tells whether the action may start. Once it has, the loss of the lease
// does not end it if it may outlast that; before, it does in any case.
func (t *tenure) begin() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begun = t.cause == nil
	return t.cause
}

// leave ends the run because the lease has ended, unless it may outlast that.
func (t *tenure) leave(cause error) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cause != nil || t.outlasts && t.begun && errors.Is(cause, leases.ErrLost) {
		return
	}
	t.cause = cause
	close(t.gone)
	t.cancel(cause)
}

// stop ends the run for another reason, or releases what it has when it is over.
func (t *tenure) stop(cause error) {
	if t != nil {
		t.cancel(cause)
	}
}
