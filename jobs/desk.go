package jobs

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/lib/pq"
)

const (
	lanes     = 2   // batches under way at once
	batchSize = 200 // of one statement
)

// desk gathers calls that are made at the same time into few statements, as a
// database does with commits: who comes while all lanes are taken goes along with
// the next. Jobs fall due together, so without it the last of a hundred would wait
// for ninety-nine commits.
type desk[In, Out any] struct {
	send func(ctx context.Context, batch []In) ([]Out, error)

	mu    sync.Mutex // guards the fields below
	busy  int        // lanes that are taken
	queue []*ticket[In, Out]
}

// ticket is one call.
type ticket[In, Out any] struct {
	in    In
	out   Out
	err   error
	leads bool          // it is given a lane, to take a batch along
	ready chan struct{} // told that it leads, or that it has been answered
}

// call makes a call, alone or along with others. After an error its outcome is
// unknown.
func (d *desk[In, Out]) call(ctx context.Context, in In) (Out, error) {
	t := &ticket[In, Out]{in: in, ready: make(chan struct{}, 1)}
	d.mu.Lock()
	if d.busy < lanes {
		d.busy++
		d.mu.Unlock()
		return d.lead(ctx, t)
	}
	d.queue = append(d.queue, t)
	d.mu.Unlock()
	select {
	case <-t.ready:
		if t.leads {
			return d.lead(ctx, t)
		}
		return t.out, t.err
	case <-ctx.Done():
		d.leave(t)
		var none Out
		return none, context.Cause(ctx)
	}
}

// lead sends a batch and hands its lane on.
func (d *desk[In, Out]) lead(ctx context.Context, t *ticket[In, Out]) (Out, error) {
	d.mu.Lock()
	n := min(len(d.queue), batchSize-1)
	batch := append([]*ticket[In, Out]{t}, d.queue[:n]...)
	d.queue = slices.Delete(d.queue, 0, n)
	d.mu.Unlock()

	d.answer(ctx, batch)
	for _, other := range batch[1:] {
		other.ready <- struct{}{}
	}
	d.pass()
	return t.out, t.err
}

// answer sends a batch, or its calls one by one when the database refuses the
// batch, so that a call that cannot succeed fails alone.
func (d *desk[In, Out]) answer(ctx context.Context, batch []*ticket[In, Out]) {
	ins := make([]In, len(batch))
	for i, t := range batch {
		ins[i] = t.in
	}
	outs, err := d.send(ctx, ins)
	var refused *pq.Error
	if len(batch) > 1 && errors.As(err, &refused) && ctx.Err() == nil {
		for i := range batch {
			d.answer(ctx, batch[i:i+1])
		}
		return
	}
	for i, t := range batch {
		if t.err = err; err == nil {
			t.out = outs[i]
		}
	}
}

// pass hands a lane to the next in the queue.
func (d *desk[In, Out]) pass() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.queue) == 0 {
		d.busy--
		return
	}
	next := d.queue[0]
	d.queue = slices.Delete(d.queue, 0, 1)
	next.leads = true
	next.ready <- struct{}{}
}

// leave takes a call that is given up out of the queue. If it has got a lane
// meanwhile it hands that on; if it is on its way, nobody waits for its answer.
func (d *desk[In, Out]) leave(t *ticket[In, Out]) {
	d.mu.Lock()
	d.queue = slices.DeleteFunc(d.queue, func(q *ticket[In, Out]) bool { return q == t })
	leads := t.leads
	d.mu.Unlock()
	if leads {
		d.pass()
	}
}
