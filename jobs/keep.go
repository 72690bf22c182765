package jobs

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/coterie-ha/coterie/leases"
)

// minder has the leases that this node keeps. What waits costs no goroutine: what
// it is told is noted, and a goroutine takes turns for it until all is done.
type minder struct {
	mu       sync.Mutex       // guards the fields below, and of what is kept those that say so
	kept     map[string]*kept // by lease; the latest of those that follow each other
	waiting  []*held          // to be taken up: a few at a time, when all leases come at once
	entering int              // jobs that are being taken up
	alarm    alarm
	outlast  sync.WaitGroup // runs that go on although their session is over
}

// entries is how many jobs are taken up at once.
const entries = 64

// actor is what acts for one lease: a job, or one request. All but letGo is called
// under the minder's lock.
type actor interface {
	start()
	tell(what saw)
	idle() bool // nothing acts, and nothing will: it can be let go
	letGo()
}

// kept is one lease in the hands of this node, and what acts under it.
type kept struct {
	*Runner
	who   actor
	lease string
	token leases.Token

	// Guarded by the minder's lock.
	back         func() // gives the lease back; nil once that was done
	cause        error  // for which the authority ended
	gone         bool   // nothing acts any more
	former, next *kept  // grants of the same lease: each begins when nothing is left of the one before
	run          *tenure
	after        context.CancelCauseFunc // ends what a run does that outlasts the lease
	apart        bool                    // its session is over, and it goes on
}

// Begin takes up the lease of a job, or of a request.
func (r *Runner) Begin(g leases.Grant, back func()) bool {
	r.once.Do(r.prepare)
	k := &kept{Runner: r, lease: g.Lease, token: g.Token, back: back}
	job, isJob := strings.CutPrefix(g.Lease, leasePrefix)
	id, isRequest := requestID(g.Lease)
	switch {
	case isJob && names().MatchString(job):
		k.who = &held{kept: k, name: job}
	case isRequest:
		k.who = &errand{kept: k, id: id}
	default:
		return false
	}
	m := &r.minder
	m.mu.Lock()
	defer m.mu.Unlock()
	k.former = m.kept[g.Lease]
	m.kept[g.Lease] = k
	if k.former != nil {
		k.former.next = k // its run goes on: that is waited for
		return true
	}
	k.who.start()
	return true
}

// Yield has a lease handed over between runs.
func (r *Runner) Yield(lease string, token leases.Token) {
	r.minder.mu.Lock()
	defer r.minder.mu.Unlock()
	if k := r.minder.find(lease, token); k != nil {
		k.who.tell(sawYield)
	}
}

// End ends the authority over a lease. What runs is told to end, unless it may
// outlast the loss.
func (r *Runner) End(lease string, token leases.Token, cause error) {
	r.minder.mu.Lock()
	k := r.minder.find(lease, token)
	if k == nil || k.cause != nil {
		r.minder.mu.Unlock()
		return
	}
	k.cause = cause
	k.run.leave(cause)
	idle := k.who.idle()
	if !idle {
		k.who.tell(sawEnd)
	}
	r.minder.mu.Unlock()
	if idle { // thousands may end at once, and most of them only wait
		k.who.letGo()
	}
}

// Over ends what acts although its authority has ended, when the node leaves. When
// the session was lost, a run that may outlast it goes on without it.
func (r *Runner) Over(cause error) {
	r.minder.mu.Lock()
	defer r.minder.mu.Unlock()
	for _, last := range r.minder.kept {
		for k := last; k != nil; k = k.former {
			k.over(cause)
		}
	}
}

// over is Over for one lease. The minder's lock is held.
func (k *kept) over(cause error) {
	switch {
	case !errors.Is(cause, leases.ErrLost):
		held := k.cause == nil
		if k.cause = cause; held {
			k.who.tell(sawEnd)
		}
		k.run.leave(cause)
		if k.after != nil {
			k.after(cause)
		}
	case k.back != nil && k.outlasting():
		k.apart = true
		k.minder.outlast.Add(1)
		go k.back() // whoever is told may have to wait for the caller
		k.back = nil
	}
}

// outlasting tells whether a run goes on, or is yet to tell its end, although the
// lease was lost. The minder's lock is held.
func (k *kept) outlasting() bool {
	return k.run != nil && k.run.outlasts && errors.Is(k.cause, leases.ErrLost)
}

// Close ends the runs that outlast their sessions, and returns when they have told
// how they ended, or cannot.
func (r *Runner) Close() {
	r.once.Do(r.prepare)
	r.Over(leases.ErrMoved)
	r.minder.outlast.Wait()
}

// Hold keeps one lease for whoever has a goroutine for it: it returns when ctx has
// ended and its run has, or between runs when it is asked to yield.
func (r *Runner) Hold(ctx context.Context, g leases.Grant) {
	gone := make(chan struct{})
	if !r.Begin(g, func() { close(gone) }) {
		r.log().Error("cannot act for a lease that is no job's", "lease", g.Lease, "token", g.Token)
		return
	}
	for ended, yield := ctx.Done(), g.Yield; ; {
		select {
		case <-gone:
			return
		case <-yield:
			yield = nil
			r.Yield(g.Lease, g.Token)
		case <-ended:
			ended = nil
			r.End(g.Lease, g.Token, context.Cause(ctx))
		}
	}
}

// find is a lease that is kept under a token; nil for none. The lock is held.
func (m *minder) find(lease string, token leases.Token) *kept {
	k := m.kept[lease]
	for k != nil && k.token != token {
		k = k.former
	}
	return k
}

// forget ends what was kept, and gives the lease back. What follows it begins.
func (k *kept) forget() {
	m := &k.minder
	m.mu.Lock()
	k.gone = true
	if m.kept[k.lease] == k {
		if m.kept[k.lease] = k.former; k.former == nil {
			delete(m.kept, k.lease)
		}
	}
	if k.former != nil {
		k.former.next = k.next
	}
	if k.next != nil {
		if k.next.former = k.former; k.former == nil {
			k.next.who.start()
		}
	}
	back, apart := k.back, k.apart
	k.back = nil
	m.mu.Unlock()
	if back != nil {
		back()
	}
	if apart {
		m.outlast.Done()
	}
}

// afterwards is a context for telling how a run ended that has outlasted its
// lease: it ends when the node leaves.
func (k *kept) afterwards() (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	k.minder.mu.Lock()
	defer k.minder.mu.Unlock()
	if k.after = cancel; !errors.Is(k.cause, leases.ErrLost) {
		cancel(k.cause)
	}
	return ctx, cancel
}

// begins makes the tenure of a run.
func (k *kept) begins(outlasts bool) (context.Context, *tenure) {
	ctx, t := newTenure(outlasts)
	k.minder.mu.Lock()
	defer k.minder.mu.Unlock()
	if k.run = t; k.cause != nil {
		t.leave(k.cause)
	}
	return ctx, t
}

// ends is called when its run is over, and told.
func (k *kept) ends() {
	k.minder.mu.Lock()
	defer k.minder.mu.Unlock()
	k.run.stop(nil)
	k.run = nil
}

// lostBeside tells whether the authority ended, but not the run's.
func (k *kept) lostBeside() bool {
	k.minder.mu.Lock()
	defer k.minder.mu.Unlock()
	return k.outlasting()
}

// insistAtLast tells how a run ended whose lease has: once, since the next holder
// says what is known, but again and again where the run may outlast its lease.
func (k *kept) insistAtLast(tell func(context.Context) error) error {
	if k.lostBeside() {
		ctx, cancel := k.afterwards()
		defer cancel(nil)
		if err := k.insist(ctx, func() error { return tell(ctx) }); err == nil {
			return nil
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	return tell(ctx)
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
