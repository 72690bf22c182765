package license

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

var simSeeds = flag.Int("sim", 100, "how many simulated stories of a desk")

// world is a node's state, applications that use it, and a database that decides
// as coterie.license_batch does; calls get lost on the way there or back, or come
// late.
type world struct {
	*testing.T
	r       *rand.Rand
	s       State
	now     time.Duration
	seats   int
	life    int64
	number  int64
	rows    map[Use]bool    // uses in the database
	kinds   map[string]Kind // and the seats of their holders
	void    map[Use]bool    // what lives that are over had: nothing is kept for it
	escrow  int             // seats kept for the node
	others  int             // seats that other nodes hold
	flying  *flight
	late    []flight // calls that the node has given up, and that may yet arrive
	tickets map[int]ticket
	last    int
	apps    map[Use]bool // what applications were told that they have
	down    time.Duration
	out     int // granted without the database
}

type flight struct {
	call Call
	at   time.Duration
}

type ticket struct {
	use   Use
	leave bool
}

func (w *world) free() int { return w.seats - w.others - w.escrow - w.held() }

// held counts seats of the entitlement.
func (w *world) held() (n int) {
	for _, kind := range w.kinds {
		if kind == Normal {
			n++
		}
	}
	return n
}

// drop takes a use away, and the seat with the last one of its holder.
func (w *world) drop(u Use) {
	delete(w.rows, u)
	for other := range w.rows {
		if other.Holder == u.Holder {
			return
		}
	}
	delete(w.kinds, u.Holder)
}

// give gives a holder a seat for a use.
func (w *world) give(u Use, kind Kind) Reply {
	w.rows[u], w.kinds[u.Holder] = true, kind
	delete(w.void, u)
	return Reply{Answer: "granted", Seat: Seat{1, kind}}
}

// execute is what the database does with a call; the same call again, or one that
// comes after a later one, is refused.
func (w *world) execute(c Call) (replies []Reply, kept int, ok bool) {
	if c.Incarnation != w.life || c.Number <= w.number {
		return nil, 0, false
	}
	w.number = c.Number
	if c.Keep != "" {
		for w.escrow < c.Want && w.free() > 0 {
			w.escrow++
		}
		w.escrow = min(w.escrow, c.Want)
		return nil, w.escrow, true
	}
	for _, item := range c.Batch {
		var r Reply
		switch kind, seated := w.kinds[item.Holder]; {
		case item.Op == opIn || item.Op == opIdle:
			r.Answer = map[bool]string{true: "released", false: "none"}[w.rows[item.Use]]
			w.drop(item.Use)
		case seated:
			r = w.give(item.Use, kind)
		case item.Op == opAdopt && w.escrow > 0:
			w.escrow--
			r = w.give(item.Use, Normal)
		case w.free() > 0:
			r = w.give(item.Use, Normal)
		case item.Op == opAdopt:
			if !w.void[item.Use] {
				w.Errorf("%v: no seat for %v, which was granted out of escrow", w.now, item.Use)
			}
			r = w.give(item.Use, Excess)
		case item.Op == opAgain:
			r = w.give(item.Use, Excess)
		default:
			r = Reply{Answer: "denied", Reason: "full"}
		}
		replies = append(replies, r)
	}
	return replies, 0, true
}

func (w *world) step(e Event) {
	for _, a := range w.s.Step(w.now, e) {
		t, ok := w.tickets[a.Ticket]
		if !ok {
			continue // it hung up
		}
		delete(w.tickets, a.Ticket)
		if t.use != a.Use {
			w.Fatalf("%v: %v is answered for %v", w.now, t.use, a.Use)
		}
		switch {
		case t.leave || a.Err != nil:
			if !t.leave {
				delete(w.apps, t.use)
			}
		default:
			w.apps[t.use] = true
			if a.Seat.Kind == Escrowed {
				w.out++
			}
		}
	}
}

// turn is a moment in which something happens.
func (w *world) turn() {
	w.now += time.Duration(w.r.IntN(50)) * time.Millisecond
	u := Use{Pool: "p", Holder: fmt.Sprint("u", w.r.IntN(8)), Session: fmt.Sprint(w.r.IntN(2))}
	switch n := w.r.IntN(100); {
	case n < 25:
		w.last++
		w.tickets[w.last] = ticket{use: u}
		w.step(Asked{Use: u, Ticket: w.last})
	case n < 45:
		delete(w.apps, u)
		w.last++
		w.tickets[w.last] = ticket{use: u, leave: true}
		w.step(Left{Use: u, Ticket: w.last})
	case n < 48:
		for t, one := range w.tickets {
			delete(w.tickets, t)
			w.step(Gone{Use: one.use, Ticket: t})
			break
		}
	case n < 49:
		w.life++ // the session was ended, and another begins
		w.number = 0
		for u := range w.rows {
			w.void[u] = true
		}
		w.rows, w.kinds = map[Use]bool{}, map[string]Kind{}
		w.step(Began{w.life})
	case n < 50:
		w.again()
	case n < 52:
		w.down = w.now + time.Duration(w.r.IntN(5000))*time.Millisecond
	case n < 54:
		if w.others = w.r.IntN(3); w.free() < 0 {
			w.others = max(0, w.others+w.free())
		}
	case n < 58 && len(w.late) > 0:
		i := w.r.IntN(len(w.late)) // a statement that was given up runs after all
		w.execute(w.late[i].call)
		w.late = append(w.late[:i], w.late[i+1:]...)
	default:
		w.step(Elapsed{})
	}
	w.database()
	w.invariants()
}

// again is another process of the node: it knows what the one before noted. Who
// waits hears nothing; what was kept for the former process is nobody's for a while.
func (w *world) again() {
	noted := w.s.remember()
	w.s = State{Patience: time.Second}
	w.tickets, w.flying = map[int]ticket{}, nil
	w.others += w.escrow
	w.escrow, w.number = 0, 0
	w.life++
	for u := range w.rows {
		w.void[u] = true
	}
	w.rows, w.kinds = map[Use]bool{}, map[string]Kind{}
	w.step(Recalled{noted})
	w.step(Began{w.life})
	w.step(Learned{simPools})
}

// simPools is what the node of a story must know.
var simPools = []Pool{{Name: "p", Weight: 1, Escrow: 2, Idle: 1000 * time.Hour}}

// database takes a call, and answers one.
func (w *world) database() {
	if w.flying == nil {
		if c, ok := w.s.Next(w.now); ok {
			w.flying = &flight{c, w.now}
		}
		return
	}
	f := *w.flying
	if w.r.IntN(3) > 0 {
		return
	}
	w.flying = nil
	switch n := w.r.IntN(100); {
	case w.now < w.down || n < 4: // lost on the way there; perhaps it arrives later
		if n%2 == 0 {
			w.late = append(w.late, f)
		}
		w.step(Failed{f.call})
	default:
		replies, kept, ok := w.execute(f.call)
		switch {
		case !ok || n < 8: // refused, or the answer is lost
			w.step(Failed{f.call})
		case f.call.Keep != "":
			w.step(Kept{Call: f.call, Began: f.at, Seats: kept, Lasts: time.Hour})
		default:
			w.step(Answered{Call: f.call, Replies: replies})
		}
	}
}

// invariants hold at any moment.
func (w *world) invariants() {
	// What may yet be granted without the database, and what was and it does not know, is all kept there.
	if b := w.s.blocks["p"]; b != nil {
		promised := b.left
		for u := range w.apps {
			if s := w.s.uses[u]; s != nil && s.how == opAdopt && !w.rows[u] && !w.void[u] {
				if _, seated := w.kinds[u.Holder]; !seated {
					promised++
				}
			}
		}
		if promised > w.escrow {
			w.Fatalf("%v: the node counts on %d seats of escrow, and has %d", w.now, promised, w.escrow)
		}
	}
	for u := range w.apps {
		if s := w.s.uses[u]; s == nil || !s.wanted || !s.seated {
			w.Fatalf("%v: %v was let in, and is not known", w.now, u)
		}
	}
}

func TestADeskNeverLosesOrInventsASeat(t *testing.T) {
	t.Parallel()
	for seed := range *simSeeds {
		w := &world{T: t, r: rand.New(rand.NewPCG(uint64(seed), 7)), seats: 6, life: 1, rows: map[Use]bool{}, kinds: map[string]Kind{}, void: map[Use]bool{}, tickets: map[int]ticket{}, apps: map[Use]bool{}}
		w.s.Patience = time.Second
		w.step(Began{w.life})
		w.step(Learned{simPools})
		for range 2000 {
			w.turn()
		}
		// Peace: everything that was asked is answered, and the database has what applications have.
		w.down, w.late = 0, nil
		for range 400 {
			w.now += 20 * time.Millisecond
			w.step(Elapsed{})
			if w.flying == nil {
				if c, ok := w.s.Next(w.now); ok {
					w.flying = &flight{c, w.now}
				}
			}
			if f := w.flying; f != nil {
				w.flying = nil
				replies, kept, ok := w.execute(f.call)
				switch {
				case !ok:
					w.step(Failed{f.call})
				case f.call.Keep != "":
					w.step(Kept{Call: f.call, Began: f.at, Seats: kept, Lasts: time.Hour})
				default:
					w.step(Answered{Call: f.call, Replies: replies})
				}
			}
			w.invariants()
		}
		if len(w.tickets) > 0 {
			t.Fatalf("seed %d: %d who asked were never answered: %v", seed, len(w.tickets), w.tickets)
		}
		for u := range w.rows {
			if !w.apps[u] {
				t.Fatalf("seed %d: %v is leaked", seed, u)
			}
		}
		for u := range w.apps {
			if _, ok := w.rows[u]; !ok {
				t.Fatalf("seed %d: %v is at work, and the database does not know", seed, u)
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}
