package loans

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/coterie-ha/coterie/leases"
)

// Errors of a loan.
var (
	ErrHeld    = errors.New("another holds the lease")
	ErrStale   = errors.New("this token is not that of a loan")
	ErrForeign = errors.New("the loan is another user's")
	ErrClosing = errors.New("the lease is wanted elsewhere: finish, and give it back")
	ErrName    = errors.New("not a lease's name for applications")
)

// Limits of what is asked for.
const (
	shortest = time.Second
	longest  = 24 * time.Hour
	most     = 1000 // loans at once
)

// ErrTooMany means that the agent lends no more.
var ErrTooMany = errors.New("too many loans at once")

// Desk lends leases of one session. Its zero value with Change set is ready.
type Desk struct {
	// Change tells the session which leases to take by name.
	Change func(wants []string)
	// Trust tells how long the session may be trusted without another heartbeat.
	Trust func() time.Duration

	mu    sync.Mutex // guards loans and what is in them
	loans map[string]*loan
}

// loan is asked for, then granted, then over.
type loan struct {
	user    int
	ttl     time.Duration
	token   leases.Token
	trusted func() bool
	granted chan struct{} // closed when the session holds the lease
	over    chan struct{} // closed when it is to be given back
	closing bool          // the lease is wanted elsewhere: the loan is not extended any more
	timer   *time.Timer   // ends the loan that nobody keeps
}

// Loan is what an application is told.
type Loan struct {
	Lease     string
	Token     leases.Token
	ExpiresIn time.Duration // unless it is kept, and heartbeats arrive
}

// Check refuses names that are ours or unreadable.
func Check(name string) error {
	if name == "" || len(name) > 200 || strings.ContainsAny(name, "/") ||
		strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == '\uFFFD' }) {
		return ErrName
	}
	return nil
}

// Acquire borrows a lease for a user, or returns the loan that this user has. It
// waits until ctx ends: ErrHeld.
func (d *Desk) Acquire(ctx context.Context, name string, user int, ttl time.Duration) (Loan, error) {
	if err := Check(name); err != nil {
		return Loan{}, err
	}
	l, err := d.ask(name, user, min(max(ttl, shortest), longest))
	if err != nil {
		return Loan{}, err
	}
	select {
	case <-l.granted:
		return d.Keep(name, user, 0)
	case <-l.over:
		return Loan{}, ErrHeld
	case <-ctx.Done():
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if l.token == 0 {
		d.end(name, l)
		return Loan{}, ErrHeld
	}
	return d.show(name, l), nil
}

// show is what an application is told: no more than can be promised.
func (d *Desk) show(name string, l *loan) Loan {
	left := l.ttl
	if d.Trust != nil {
		left = min(left, max(d.Trust(), 0))
	}
	return Loan{Lease: name, Token: l.token, ExpiresIn: left}
}

// ask notes that a lease is wanted.
func (d *Desk) ask(name string, user int, ttl time.Duration) (*loan, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l, ok := d.loans[name]; ok {
		if l.user != user {
			return nil, ErrHeld // on this very host
		}
		l.ttl = ttl
		return l, nil
	}
	if len(d.loans) >= most {
		return nil, ErrTooMany
	}
	l := &loan{user: user, ttl: ttl, granted: make(chan struct{}), over: make(chan struct{})}
	if d.loans == nil {
		d.loans = map[string]*loan{}
	}
	d.loans[name] = l
	d.Change(d.wants())
	return l, nil
}

// Wants lists the leases that the session must take by name.
func (d *Desk) Wants() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.wants()
}

func (d *Desk) wants() []string {
	names := make([]string, 0, len(d.loans))
	for name := range d.loans {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// end forgets a loan; its holder returns, which gives the lease back.
func (d *Desk) end(name string, l *loan) {
	if d.loans[name] != l {
		return
	}
	delete(d.loans, name)
	close(l.over)
	if l.timer != nil {
		l.timer.Stop()
	}
	d.Change(d.wants())
}

// Keep extends a loan by its time to live. A token of 0 is whichever it has.
func (d *Desk) Keep(name string, user int, token leases.Token) (Loan, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l, err := d.find(name, user, token)
	if err != nil {
		return Loan{}, err
	}
	if l.closing {
		return Loan{}, ErrClosing
	}
	l.timer.Reset(l.ttl)
	return d.show(name, l), nil
}

// Look says whether a token is that of a loan that lasts.
func (d *Desk) Look(name string, user int, token leases.Token) (Loan, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l, err := d.find(name, user, token)
	if err != nil {
		return Loan{}, err
	}
	return d.show(name, l), nil
}

// Release gives a loan back; the second time it is no loan any more: ErrStale.
func (d *Desk) Release(name string, user int, token leases.Token) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	l, err := d.find(name, user, token)
	if err != nil {
		return err
	}
	d.end(name, l)
	return nil
}

// find returns the loan that lasts and is this user's.
func (d *Desk) find(name string, user int, token leases.Token) (*loan, error) {
	l, ok := d.loans[name]
	switch {
	case !ok || l.token == 0 || token != 0 && token != l.token || !l.trusted():
		return nil, ErrStale
	case user != l.user && user != 0:
		return nil, ErrForeign
	}
	return l, nil
}

// Hold is the holder of the session for leases that are lent. It returns when
// the session loses the lease, or the loan is over.
func (d *Desk) Hold(ctx context.Context, g leases.Grant) {
	d.mu.Lock()
	l, ok := d.loans[g.Lease]
	if ok && l.token == 0 {
		l.token, l.trusted = g.Token, func() bool { return ctx.Err() == nil }
		l.timer = time.AfterFunc(l.ttl, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.end(g.Lease, l)
		})
		close(l.granted)
	}
	d.mu.Unlock()
	if !ok {
		return // nobody wants it any more
	}
	select {
	case <-l.over:
	case <-ctx.Done():
	case <-g.Yield:
		// Wanted elsewhere. The process still acts, and learns of it when it keeps or
		// checks the loan; until it gives back, or its time is over, it has the lease.
		d.mu.Lock()
		l.closing = true
		d.mu.Unlock()
		select {
		case <-l.over:
		case <-ctx.Done():
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.end(g.Lease, l)
}
