package jobs

import (
	"context"
	"errors"
	"sync"

	"github.com/coterie-ha/coterie/leases"
)

// watch is what can be seen of a run from elsewhere while it goes on: what it
// says, and what it says of itself.
type watch struct {
	*Runner
	of       performance
	spool    *spool
	reporter *reporter
}

func (r *Runner) observe(p performance) *watch {
	w := &watch{Runner: r, of: p}
	w.spool = newSpool(func(ctx context.Context, said piece) (bool, error) {
		return r.callOutput(ctx, p.opened, p.run.Attempt, said)
	})
	w.reporter = &reporter{
		due: p.due, more: make(chan struct{}, 1),
		send: func(ctx context.Context, said Progress) error { return r.callProgress(ctx, p.opened, said) },
	}
	return w
}

// during does something while the run can be watched, and returns when all that
// it said is written down, or could not be.
func (w *watch) during(ctx context.Context, do func()) {
	w.enter()
	defer w.leave()
	sending, stop := context.WithCancel(context.WithoutCancel(ctx))
	var senders sync.WaitGroup
	senders.Go(func() { w.spool.run(sending) })
	senders.Go(func() { w.reporter.run(sending) })
	if w.of.long > 0 {
		senders.Go(func() { w.tellLong(sending) })
	}
	do()
	stop()
	senders.Wait()
	if errors.Is(context.Cause(ctx), leases.ErrLost) {
		return // somebody waits for the end of this, and nobody can be told
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if err := errors.Join(w.spool.finish(last), w.reporter.flush(last)); err != nil {
		w.log().Warn("the last words of a run are not kept", "job", w.of.job, "due", stamp(w.of.due), "token", w.of.token, "err", err)
	}
}

// tellLong has hooks tell that the run takes long, when it does.
func (w *watch) tellLong(ctx context.Context) {
	if pause(ctx, w.of.long) != nil {
		return
	}
	err := w.insist(ctx, func() error {
		_, err := ask[bool](ctx, w.DB, `SELECT coterie.run_long($1, $2, $3, $4)`, w.of.job, w.of.due, int64(w.of.token), w.of.nonce)
		return err
	})
	if err == nil {
		w.log().Warn("run takes long", "job", w.of.job, "due", stamp(w.of.due), "token", w.of.token, "since", w.of.long)
	}
}

func (w *watch) enter() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watched == nil {
		w.watched = make(map[leases.Token]*watch)
	}
	w.watched[w.of.token] = w
}

func (w *watch) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watched[w.of.token] == w {
		delete(w.watched, w.of.token)
	}
}

// find is the run of a job that goes on under a token; nil for none.
func (r *Runner) find(job string, token leases.Token) *watch {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.watched[token]; w != nil && w.of.job == job {
		return w
	}
	return nil
}
