package leases

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"
)

// Grant is authority over a lease, for as long as the context given with it lasts.
type Grant struct {
	Lease string
	Token Token
	Yield <-chan struct{} // closed when the lease should be handed over as soon as the holder is idle
}

// Holder acts for a lease. Its context ends, with cause ErrLost or ErrMoved,
// when the authority does; it must then stop whatever it started and return.
// Returning earlier gives the lease back.
type Holder func(ctx context.Context, g Grant)

// Session is one life of a node. Set the exported fields, then Run it once.
type Session struct {
	DB    *sqlx.DB // a pool of its own, so that a heartbeat never waits for other work
	Node  string
	Takes []string // classes of leases to take
	Wants []string // leases to take by name
	Hold  Holder
	Keep  Keeper // asked first; nil: Hold has all

	// Former is the incarnation of this node's life before, when its process is
	// known to be gone: it is replaced without waiting for its end.
	Former int64
	// Mark is the highest token that is known from before, from this host or the share.
	Mark Token
	// Began is told the incarnation once the session is there, before anything is held.
	Began func(incarnation int64, now time.Time)
	// Ticked is told what each heartbeat brought; it must not block.
	Ticked func(Tick)

	Clock Clock // the database's time, as heartbeats show it

	incarnation int64
	takes       Changed
	recent      [4]time.Duration // the last heartbeats that were answered, in turn
	beaten      int              // how many were, in all
	core        State
	started     time.Time
	slept       atomic.Int64  // how long the host had slept when last looked, in ns
	awake       time.Duration // how long it had when this life began
	once        sync.Once
	in          chan Event
	done        chan struct{} // closed when nobody reads in any more
	answered    beat          // the last heartbeat that was
	answeredAt  time.Duration // and when it was, on the node's own clock
	view        atomic.Pointer[View]
	held        []Lease // of the view
	heldAs      fingerprint
	holders     map[string]holder
	wait        sync.WaitGroup
	overTold    bool          // to the keeper
	back        chan struct{} // the keeper gave something back

	mu    sync.Mutex // guards backs
	backs []Returned // what it gave back
}

// holder is who acts for a lease: the keeper, when it has nothing but a token.
type holder struct {
	token  Token
	cancel context.CancelCauseFunc
	yield  chan struct{}
}

// Tick is what became of one heartbeat.
type Tick struct {
	Err    error
	Took   time.Duration
	Trust  time.Duration // how long holders may act from now on without another heartbeat
	Margin time.Duration

	// Stepped is how far the database's clock jumped since the answer before, if it
	// surely did. It is for the record: no decision hangs on one clock.
	Stepped time.Duration
	Answer
}

// View is a snapshot of a session for whoever wants to look at it.
type View struct {
	Turned      time.Time // when the loop last turned; it does so at least once per heartbeat
	Incarnation int64
	Trusted     time.Time // until when holders may act, on this process's monotonic clock
	Beaten      time.Time // when the last heartbeat was acknowledged
	RTT         time.Duration
	Terms       Terms
	Mark        Token // highest token that this node knows of
	Held        []Lease
	Busy        int // holders that have not returned yet, also those that were told to end
	Peers       []Peer
	Head        int64
}

// View returns the latest snapshot; its zero value before the session began.
func (s *Session) View() View {
	if v := s.view.Load(); v != nil {
		return *v
	}
	return View{}
}

// Change tells the session what to take from now on. It hands over what it
// holds and is no longer to take, each lease as soon as its holder is idle.
func (s *Session) Change(takes, wants []string) { s.send(Changed{Takes: takes, Wants: wants}) }

// Learn tells the session of a token that was given, as far as another node
// remembers. What Change lets it take afterwards is taken only from a database
// that knows of that token too, or in a new era.
func (s *Session) Learn(t Token) { s.send(Marked{t}) }

// Wake is a hint that the ledger may have moved. It never blocks for long and
// may be called at any time.
func (s *Session) Wake() { s.send(Hinted{}) }

func (s *Session) send(e Event) {
	s.once.Do(s.prepare)
	if _, hint := e.(Hinted); hint {
		select {
		case s.in <- e:
		default: // a full queue wakes the loop anyway
		}
		return
	}
	select {
	case s.in <- e:
	case <-s.done:
	}
}

func (s *Session) prepare() {
	s.in, s.done, s.back = make(chan Event, 64), make(chan struct{}), make(chan struct{}, 1)
}

// Run begins the session, keeps it, and starts and ends holders, until ctx ends
// or the session is lost. It returns after every holder has returned: with
// ErrLost when the database ended the session (begin another one), ErrTaken
// when another process lives under this name, or the context's cause after the
// session was ended and its leases were freed. Any other error means that it may
// still be there, and lives until its time is over.
func (s *Session) Run(ctx context.Context) error {
	s.once.Do(s.prepare)
	s.incarnation = newIncarnation()
	s.takes = Changed{Takes: s.Takes, Wants: s.Wants}
	s.holders = map[string]holder{}
	s.started, s.awake = time.Now(), suspended()
	s.slept.Store(int64(s.awake))
	if err := s.begin(ctx); err != nil {
		close(s.done)
		return err
	}
	defer s.wait.Wait()
	err := s.loop(ctx)
	close(s.done) // before leaving: whoever has something to tell must not wait for that
	if errors.Is(err, ErrLost) {
		return err
	}
	if err := s.leave(ctx); err != nil {
		return err
	}
	return err
}

// newIncarnation is a number that no life had before.
func newIncarnation() int64 {
	var b [8]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return int64(binary.BigEndian.Uint64(b[:])>>2) + 1
}

// now is the node's own clock: it goes on while the host sleeps.
func (s *Session) now() time.Duration {
	slept := time.Duration(s.slept.Load())
	// Two clocks that are read one after the other differ a little each time; that is not sleep.
	if d := suspended(); (d - slept).Abs() > 5*time.Millisecond {
		s.slept.Store(int64(d))
		slept = d
	}
	return time.Since(s.started) + slept - s.awake
}

// begin makes the session row.
func (s *Session) begin(ctx context.Context) error {
	decide := Beginning{Gone: s.Former}
	for {
		began, sent := s.now(), time.Now()
		b, err := s.callBegin(ctx, decide.Replaces(began))
		if err != nil {
			return err
		}
		s.Clock.Observe(sent, time.Now(), b.Now)
		pause, err := decide.Told(s.now(), b)
		if err != nil {
			return fmt.Errorf("begin session of %s: %w", s.Node, err)
		}
		if b.Began {
			s.core = State{Node: s.Node, Takes: s.Takes, Wants: s.Wants, Mark: s.Mark}
			s.core.Begun(began, b.Terms, b.Era, decide.Seen())
			s.publish()
			if s.Began != nil {
				s.Began(s.incarnation, b.Now)
			}
			return nil
		}
		if err := rest(ctx, pause); err != nil {
			return err
		}
	}
}

func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// leave ends the session after its holders have returned.
func (s *Session) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.core.Terms.TTL)
	defer cancel()
	if _, err := EndSession(ctx, s.DB, s.Node, s.incarnation, "release", "left"); err != nil {
		return err
	}
	return nil
}
