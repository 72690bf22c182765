package license

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jmoiron/sqlx"
)

// Desk gives seats to the applications beside a node. Set the exported fields,
// then Run it; the other methods may be called at any time, by anybody.
type Desk struct {
	DB   *sqlx.DB // with room for two statements at once
	Node string
	// Now is the node's own clock, which goes on while the host sleeps.
	Now func() time.Duration
	// Patience is how long a checkout waits for the database; 2s if 0.
	Patience time.Duration
	// Journal is the file that remembers what was granted while the database was
	// away; empty for none, and then there is no grace.
	Journal string
	// Memory is the file that remembers who has a seat, for the next process on this
	// host; empty for none. Boot names the boot of the host that Now counts from.
	Memory string
	Boot   string
	Log    *slog.Logger // nil: silent

	once    sync.Once
	poke    chan struct{} // something may be asked
	mu      sync.RWMutex  // guards what follows
	state   State
	tickets map[int]chan Action
	last    int
	journal journal
	swept   map[string]map[int64]watch // escrow of others, by pool and incarnation
}

// mostUses bounds what a node remembers.
const mostUses = 200_000

// longest is how long a name may be, in bytes.
const longest = 300

func (d *Desk) prepare() {
	d.poke = make(chan struct{}, 1)
	d.tickets = map[int]chan Action{}
	d.swept = map[string]map[int64]watch{}
	d.state.Patience = d.Patience
	if d.Patience == 0 {
		d.state.Patience = 2 * time.Second
	}
	d.state.Step(0, Elapsed{})
	d.journal.path, d.journal.node = d.Journal, d.Node
	d.recall()
}

// check refuses what no database could take, or nobody could read.
func (u Use) check() error {
	for _, text := range []string{u.Pool, u.Holder, u.Session, u.Host} {
		if len(text) > longest || !utf8.ValidString(text) || hasControl(text) {
			return ErrName
		}
	}
	if u.Pool == "" || u.Holder == "" {
		return ErrName
	}
	return nil
}

func hasControl(text string) bool {
	for _, r := range text {
		if unicode.IsControl(r) {
			return true
		}
	}
	return false
}

// Checkout gives a holder a seat, or renews it; user is who asks, 0 for root. What
// is seated already is answered from memory.
func (d *Desk) Checkout(ctx context.Context, u Use, user int) (Seat, error) {
	if seat, ok, err := d.seated(u, user); ok || err != nil {
		return seat, err
	}
	if err := u.check(); err != nil {
		return Seat{}, err
	}
	a, err := d.ask(ctx, u, func(ticket int) Event { return Asked{Use: u, User: user, Ticket: ticket} })
	if err != nil {
		return Seat{}, err
	}
	return a.Seat, a.Err
}

// seated answers from memory, and notes that the use is not idle.
func (d *Desk) seated(u Use, user int) (Seat, bool, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	has := d.state.uses[u]
	switch {
	case has == nil || !has.wanted || !has.seated:
		return Seat{}, false, nil
	case user != has.user && user != 0 && has.user != 0:
		return Seat{}, false, ErrForeign
	}
	has.touched.Store(int64(d.Now()))
	return has.seat, true, nil
}

// Look tells what a use has, without renewing it.
func (d *Desk) Look(u Use, user int) (Seat, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	has := d.state.uses[u]
	switch {
	case has == nil || !has.wanted || !has.seated:
		return Seat{}, ErrNotHeld
	case user != has.user && user != 0:
		return Seat{}, ErrForeign
	}
	return has.seat, nil
}

// Checkin gives a use back; ErrNotHeld when there is none (any more). It touches
// nobody else's.
func (d *Desk) Checkin(ctx context.Context, u Use, user int) error {
	a, err := d.ask(ctx, u, func(ticket int) Event { return Left{Use: u, User: user, Ticket: ticket} })
	if err != nil {
		return err
	}
	return a.Err
}

// ask hands something in and waits for its answer.
func (d *Desk) ask(ctx context.Context, u Use, event func(ticket int) Event) (Action, error) {
	d.once.Do(d.prepare)
	answer := make(chan Action, 1)
	d.mu.Lock()
	if len(d.state.uses) >= mostUses {
		d.mu.Unlock()
		return Action{}, ErrTooMany
	}
	d.last++
	ticket := d.last
	d.tickets[ticket] = answer
	d.step(event(ticket))
	d.mu.Unlock()
	select {
	case a := <-answer:
		return a, nil
	case <-ctx.Done():
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case a := <-answer: // just in time
		return a, nil
	default:
	}
	delete(d.tickets, ticket)
	d.step(Gone{Use: u, Ticket: ticket})
	return Action{}, context.Cause(ctx)
}

// step feeds the state, and answers. The lock is held.
func (d *Desk) step(e Event) {
	for _, a := range d.state.Step(d.Now(), e) {
		if a.Record {
			if err := d.journal.write(a.Use, a.Seat.Kind, time.Now()); err != nil {
				d.log().Error("what was granted without the database is not written down", "pool", a.Use.Pool, "err", err)
				if a.Seat.Kind == Graced {
					d.state.Refuse(a.Use)
					a = Action{Ticket: a.Ticket, Use: a.Use, Err: ErrAway}
				}
			}
		}
		if waits := d.tickets[a.Ticket]; waits != nil {
			delete(d.tickets, a.Ticket)
			waits <- a
		}
	}
	select {
	case d.poke <- struct{}{}:
	default:
	}
}

func (d *Desk) log() *slog.Logger {
	if d.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return d.Log
}

// Began tells the desk of a session: seats hang off it.
func (d *Desk) Began(incarnation int64) { d.tell(Began{incarnation}) }

// Learn tells the desk what the pools are.
func (d *Desk) Learn(pools []Pool) { d.tell(Learned{pools}) }

func (d *Desk) tell(e Event) {
	d.once.Do(d.prepare)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.step(e)
}

// Run asks the database what there is to ask, one call after the other, until ctx
// ends; then it gives its escrow back.
func (d *Desk) Run(ctx context.Context) error {
	d.once.Do(d.prepare)
	var wait sync.WaitGroup
	defer wait.Wait()
	// Who waits is answered in time, whatever becomes of the call under way.
	wait.Go(func() {
		tick := time.NewTicker(d.state.Patience / 10)
		defer tick.Stop()
		var n noting
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				d.tell(Elapsed{})
				d.note(&n)
			}
		}
	})
	for {
		for d.turn(ctx) {
		}
		select {
		case <-ctx.Done():
			d.close(ctx)
			return context.Cause(ctx)
		case <-d.poke:
		}
	}
}

// turn makes one call, if there is one to be made.
func (d *Desk) turn(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	d.mu.Lock()
	call, ok := d.state.Next(d.Now())
	d.mu.Unlock()
	if !ok {
		return false
	}
	began := d.Now()
	d.tell(d.send(ctx, call))
	if len(call.Batch) > 1 {
		d.gather(ctx, d.Now()-began)
	}
	return true
}

// gather lets those who were just answered ask again before the next call, when
// there are several: else the first of them would have a call alone, and the rest
// wait for that. It costs an eighth of what the last call took, and less than it
// brings where nodes wait for each other.
func (d *Desk) gather(ctx context.Context, took time.Duration) {
	t := time.NewTimer(min(took/8, 2*time.Millisecond))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// send makes a call. It is given up before who waits for it would be.
func (d *Desk) send(ctx context.Context, c Call) Event {
	ctx, cancel := context.WithTimeout(ctx, d.state.Patience*3/2)
	defer cancel()
	began := d.Now()
	if c.Keep != "" {
		seats, lasts, err := callKeep(ctx, d.DB, d.Node, c)
		if err != nil {
			return d.failed(c, err)
		}
		return Kept{Call: c, Began: began, Seats: seats, Lasts: lasts}
	}
	replies, err := callBatch(ctx, d.DB, d.Node, c)
	if err != nil {
		return d.failed(c, err)
	}
	if err := d.replay(ctx, c.Incarnation); err != nil {
		d.log().Warn("what was granted without the database is not in its ledger yet", "err", err)
	}
	return Answered{Call: c, Replies: replies}
}

func (d *Desk) failed(c Call, err error) Event {
	if !errors.Is(err, context.Canceled) {
		d.log().Debug("seats not asked for", "err", err)
	}
	return Failed{c}
}

// close gives escrow back, as well as it goes.
func (d *Desk) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.state.Patience)
	defer cancel()
	d.note(&noting{moves: -1})
	d.tell(Stopped{})
	for d.turn(ctx) {
	}
}
