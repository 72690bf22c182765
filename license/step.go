package license

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// State is what a node knows of its uses. Step takes in what happened and Next
// says what to ask the database; neither asks a clock or starts anything. Times
// are durations on the node's own clock, which counts also while the host sleeps.
type State struct {
	Patience time.Duration // how long a checkout may wait for the database

	pools  map[string]Pool
	uses   map[Use]*use
	queue  []Use // what has something to tell, in order
	blocks map[string]*block

	life    int64   // incarnation of the session; 0 for none
	former  []int64 // incarnations that this process had before
	number  int64   // of the last call
	flying  bool    // a call is under way
	away    bool    // the last call failed
	since   time.Duration
	retry   time.Duration // no call before then
	closing bool
	later   []Action // to be said with the next step
}

// use is what the node wants of a use, and what it knows of the database's mind.
type use struct {
	wanted  bool
	seated  bool // the application was told yes
	known   known
	how     Op // by which a wanted one is told
	leave   Op // by which an unwanted one is
	queued  bool
	asked   time.Duration // when the first one who waits asked
	touched atomic.Int64  // when it was renewed; set also by who only reads
	seat    Seat
	user    int
	waiting []int // tickets of those who wait to be let in
	leaving []int // and of those who wait to have left
}

// known is what the database has of a use, as far as the node knows.
type known int

const (
	absent known = iota
	present
	unknown // a call's answer was lost
)

// block is escrow of a pool.
type block struct {
	left  int           // seats that may yet be granted
	until time.Duration // and until when, on the own clock
	due   time.Duration // when to ask again
	more  time.Duration // and when, if some are missing
}

// Event is something that happened.
type Event interface{ event() }

// Asked is an application that wants a use.
type Asked struct {
	Use
	User, Ticket int
}

// Shown is a use that a source sees: it is at work, whether it has a seat or not.
type Shown struct{ Use }

// Left is an application that gives a use back.
type Left struct {
	Use
	User, Ticket int
}

// Gone is somebody who does not wait for an answer any more.
type Gone struct {
	Use
	Ticket int
}

// Began is a session that began.
type Began struct{ Incarnation int64 }

// Learned is what the pools are.
type Learned struct{ Pools []Pool }

// Answered is a batch that was acknowledged.
type Answered struct {
	Call    Call
	Replies []Reply
}

// Kept is escrow that was acknowledged.
type Kept struct {
	Call  Call
	Began time.Duration // when the call started
	Seats int
	Lasts time.Duration
}

// Failed is a call without an answer: what it asked for happened, or not.
type Failed struct{ Call Call }

// Elapsed is time that passed.
type Elapsed struct{}

// Stopped asks the node to give its escrow back.
type Stopped struct{}

func (Asked) event()    {}
func (Shown) event()    {}
func (Left) event()     {}
func (Gone) event()     {}
func (Began) event()    {}
func (Learned) event()  {}
func (Answered) event() {}
func (Kept) event()     {}
func (Failed) event()   {}
func (Elapsed) event()  {}
func (Stopped) event()  {}

// Action is an answer to who waits.
type Action struct {
	Ticket int
	Use    Use
	Seat   Seat
	Err    error
	Record bool // written down before it is said: the database does not know
}

// Call is what to ask the database next.
type Call struct {
	Number      int64
	Incarnation int64
	Keep        string  // the pool whose escrow is kept, or
	Want        int     // how many seats of it
	Former      []int64 // lives whose escrow is this process's, too
	Batch       []Item  // else what is said of uses
}

// batchSize is how many uses one call is about at most.
const batchSize = 256

// Step takes in what happened at a moment of the node's own clock, and says what
// to answer.
func (s *State) Step(now time.Duration, e Event) []Action {
	out := s.step(now, e)
	out = append(out, s.later...)
	s.later = nil
	return out
}

func (s *State) step(now time.Duration, e Event) []Action {
	if s.uses == nil {
		s.uses, s.blocks, s.pools = map[Use]*use{}, map[string]*block{}, map[string]Pool{}
	}
	switch e := e.(type) {
	case Asked:
		return s.asked(now, e)
	case Shown:
		return s.shown(now, e.Use)
	case Left:
		return s.left(e)
	case Gone:
		s.gone(e)
	case Began:
		s.began(e.Incarnation)
	case Learned:
		s.learned(e.Pools)
	case Answered:
		return s.answered(now, e)
	case Kept:
		s.kept(e)
	case Failed:
		return append(s.failed(now, e.Call), s.overdue(now)...)
	case Elapsed:
		s.idle(now)
		return s.overdue(now)
	case Stopped:
		s.closing = true
		for _, b := range s.blocks {
			b.left, b.due = 0, now // first not granted any more, then given back
		}
	}
	return nil
}

// push makes sure that a use is told of.
func (s *State) push(key Use, u *use) {
	if !u.queued && u.op() != "" {
		u.queued = true
		s.queue = append(s.queue, key)
	}
}

// op is what must be said of a use.
func (u *use) op() Op {
	switch {
	case u.wanted && u.known != present:
		return u.how
	case !u.wanted && u.known != absent:
		return u.leave
	}
	return ""
}

func (s *State) asked(now time.Duration, e Asked) []Action {
	u := s.uses[e.Use]
	if u == nil {
		u = &use{user: e.User, how: opOut, leave: opIn}
		s.uses[e.Use] = u
	}
	if e.User != u.user && e.User != 0 && u.user != 0 && u.wanted {
		return []Action{{Ticket: e.Ticket, Use: e.Use, Err: ErrForeign}}
	}
	u.touched.Store(int64(now))
	if u.wanted && u.seated {
		return []Action{{Ticket: e.Ticket, Use: e.Use, Seat: u.seat}}
	}
	out := s.letGo(e.Use, u) // whoever just gave it back has done so
	if !u.wanted {
		// It may be on its way out; then it comes in again behind that.
		u.user, u.wanted, u.how, u.leave = e.User, true, opOut, opIn
		if u.known == present {
			u.known = unknown
		}
	}
	if len(u.waiting) == 0 {
		u.asked = now
	}
	u.waiting = append(u.waiting, e.Ticket)
	s.push(e.Use, u)
	return append(out, s.decide(now, e.Use, u)...)
}

// shown is somebody at work: seated here and now, and said to be so.
func (s *State) shown(now time.Duration, key Use) []Action {
	u := s.uses[key]
	if u == nil {
		u = &use{leave: opIn}
		s.uses[key] = u
	}
	u.touched.Store(int64(now))
	if u.wanted && u.seated {
		return nil
	}
	out := s.letGo(key, u)
	if u.known == present {
		u.known = unknown
	}
	u.wanted, u.seated, u.how, u.leave = true, true, opAgain, opIn
	s.push(key, u)
	return append(out, s.letIn(key, u, false)...)
}

func (s *State) left(e Left) []Action {
	u := s.uses[e.Use]
	switch {
	case u == nil:
		return []Action{{Ticket: e.Ticket, Use: e.Use, Err: ErrNotHeld}}
	case e.User != u.user && e.User != 0 && u.wanted:
		return []Action{{Ticket: e.Ticket, Use: e.Use, Err: ErrForeign}}
	}
	out := s.turnAway(e.Use, u, ErrNotHeld)
	u.wanted, u.seated = false, false
	u.leaving = append(u.leaving, e.Ticket)
	s.push(e.Use, u)
	if s.away {
		// It is given back as soon as somebody listens; who leaves does not wait for that.
		return append(out, s.letGo(e.Use, u)...)
	}
	return append(out, s.forget(e.Use, u)...)
}

// turnAway tells all who wait to be let in that they are not.
func (s *State) turnAway(key Use, u *use, err error) (out []Action) {
	for _, t := range u.waiting {
		out = append(out, Action{Ticket: t, Use: key, Err: err})
	}
	u.waiting = nil
	return out
}

// letGo tells all who wait to have left that they have.
func (s *State) letGo(key Use, u *use) (out []Action) {
	for _, t := range u.leaving {
		out = append(out, Action{Ticket: t, Use: key})
	}
	u.leaving = nil
	return out
}

// forget drops a use that nobody wants and the database does not have.
func (s *State) forget(key Use, u *use) []Action {
	if u.wanted || u.known != absent {
		return nil
	}
	out := s.letGo(key, u)
	if !u.queued {
		delete(s.uses, key)
	}
	return out
}

// gone is somebody who hung up: what nobody waits for is not wanted.
func (s *State) gone(e Gone) {
	u := s.uses[e.Use]
	if u == nil {
		return
	}
	same := func(t int) bool { return t == e.Ticket }
	u.waiting = slices.DeleteFunc(u.waiting, same)
	u.leaving = slices.DeleteFunc(u.leaving, same)
	if u.wanted && !u.seated && len(u.waiting) == 0 {
		u.wanted = false
		s.push(e.Use, u)
		s.later = append(s.later, s.forget(e.Use, u)...)
	}
}

// began is another life: what the former had is void, and whoever is at work is
// said to be.
func (s *State) began(incarnation int64) {
	if incarnation == s.life {
		return
	}
	if s.life != 0 {
		s.former = append(s.former, s.life)
	}
	s.life, s.number, s.retry = incarnation, 0, 0
	for key, u := range s.uses {
		if u.how == opAdopt && u.known == unknown && s.blocks[key.Pool] != nil {
			// Its seat may have been taken out of escrow already, and was void with the life
			// before; another one will be. How many are left then, only the database knows.
			s.blocks[key.Pool].left = 0
		}
		u.known = absent
		switch {
		case u.seated && u.how != opAdopt:
			u.how = opAgain
		case !u.wanted:
			s.later = append(s.later, s.forget(key, u)...)
			continue
		}
		s.push(key, u)
	}
	for _, b := range s.blocks {
		b.due = 0 // it must be this life's before anything else
	}
}

func (s *State) learned(pools []Pool) {
	s.pools = map[string]Pool{}
	for _, p := range pools {
		s.pools[p.Name] = p
		if p.Escrow > 0 && s.blocks[p.Name] == nil {
			s.blocks[p.Name] = &block{}
		}
	}
}

// Next is what to ask the database now; nothing while a call is under way.
func (s *State) Next(now time.Duration) (Call, bool) {
	if s.flying || s.life == 0 || now < s.retry {
		return Call{}, false
	}
	call := Call{Number: s.number + 1, Incarnation: s.life}
	for _, name := range sorted(s.blocks) {
		b, want := s.blocks[name], s.pools[name].Escrow*max(s.pools[name].Weight, 1)
		if now >= b.due || b.left < want && now >= b.more {
			call.Keep, call.Former = name, slices.Clone(s.former)
			if !s.closing {
				call.Want = want
			}
			b.left = min(b.left, call.Want) // fewer are counted on before fewer are asked for
			break
		}
	}
	if call.Keep == "" {
		call.Batch = s.batch()
	}
	if call.Keep == "" && len(call.Batch) == 0 && !s.away {
		return Call{}, false
	}
	s.number++
	s.flying = true
	return call, true
}

func (s *State) batch() (items []Item) {
	n := 0
	for _, key := range s.queue {
		if len(items) == batchSize {
			break
		}
		n++
		u := s.uses[key]
		u.queued = false
		op := u.op()
		if op == "" {
			s.later = append(s.later, s.forget(key, u)...)
			continue
		}
		items = append(items, Item{Op: op, Use: key})
		// Until it is answered nobody knows.
		u.known = unknown
	}
	s.queue = slices.Delete(s.queue, 0, n)
	return items
}

func (s *State) answered(now time.Duration, e Answered) (out []Action) {
	s.flying, s.away = false, false
	for i, item := range e.Call.Batch {
		u := s.uses[item.Use]
		if u == nil || e.Call.Incarnation != s.life {
			continue // another life began meanwhile: what that one had is void
		}
		out = append(out, s.reply(now, item, u, e.Replies[i])...)
	}
	return out
}

// reply takes in what the database says of one use.
func (s *State) reply(now time.Duration, item Item, u *use, r Reply) (out []Action) {
	key := item.Use
	switch r.Answer {
	case "granted", "shared", "held":
		u.known, u.seat, u.how = present, r.Seat, opOut
		if u.wanted {
			u.seated = true
			out = s.letIn(key, u, false)
		}
	case "released", "kept", "none":
		u.known = absent
		out = s.letGo(key, u)
	case "denied":
		u.known = absent
		if u.wanted && !u.seated {
			if s.fromEscrow(now, key, u) {
				out = s.letIn(key, u, true)
			} else {
				u.wanted = false
				out = s.turnAway(key, u, &DeniedError{Pool: key.Pool, Reason: r.Reason})
			}
		}
	case "wait":
		u.known = absent // asked again, until patience ends
		s.retry = now + s.Patience/10
	default:
		u.known = absent
		err := ErrName
		if r.Answer == "no_pool" {
			err = ErrNoPool
		}
		u.wanted, u.seated = false, false
		out = s.turnAway(key, u, err)
	}
	s.push(key, u)
	return append(out, s.forget(key, u)...)
}

// letIn tells all who wait that they have a seat.
func (s *State) letIn(key Use, u *use, record bool) (out []Action) {
	for i, t := range u.waiting {
		out = append(out, Action{Ticket: t, Use: key, Seat: u.seat, Record: record && i == 0})
	}
	u.waiting = nil
	return out
}

// fromEscrow grants a seat that was kept in advance.
func (s *State) fromEscrow(now time.Duration, key Use, u *use) bool {
	b, weight := s.blocks[key.Pool], max(s.pools[key.Pool].Weight, 1)
	if b == nil || b.left < weight || now >= b.until {
		return false
	}
	b.left -= weight
	u.how, u.seated, u.seat = opAdopt, true, Seat{Kind: Escrowed}
	s.push(key, u)
	return true
}

// overdue decides what the database did not in time.
func (s *State) overdue(now time.Duration) (out []Action) {
	for key, u := range s.uses {
		out = append(out, s.decide(now, key, u)...)
	}
	return out
}

// decide answers who has waited too long, or would: out of escrow, by the pool's
// grace, or no.
func (s *State) decide(now time.Duration, key Use, u *use) []Action {
	switch {
	case !u.wanted || u.seated || len(u.waiting) == 0:
		return nil
	case now-u.asked < s.Patience && (!s.away || now-s.since < s.Patience):
		return nil
	case s.fromEscrow(now, key, u):
		return s.letIn(key, u, true)
	case s.away && now-s.since < s.pools[key.Pool].Grace:
		u.how, u.seated, u.seat = opAgain, true, Seat{Kind: Graced}
		s.push(key, u)
		return s.letIn(key, u, true)
	}
	u.wanted = false
	s.push(key, u)
	return append(s.turnAway(key, u, fmt.Errorf("%s: %w", key.Pool, ErrAway)), s.forget(key, u)...)
}

// Refuse takes back what could not be written down.
func (s *State) Refuse(key Use) {
	if u := s.uses[key]; u != nil && u.seated && u.seat.Kind == Graced {
		u.wanted, u.seated = false, false
		s.push(key, u)
		s.later = append(s.later, s.forget(key, u)...)
	}
}

func (s *State) failed(now time.Duration, c Call) (out []Action) {
	s.flying = false
	if !s.away {
		s.away, s.since = true, now
	}
	s.retry = now + s.Patience/4
	for _, item := range c.Batch {
		if u := s.uses[item.Use]; u != nil {
			s.push(item.Use, u)
			if !u.wanted {
				out = append(out, s.letGo(item.Use, u)...)
			}
		}
	}
	return out
}

// kept is escrow. What was granted of it and not told yet is still counted there.
func (s *State) kept(e Kept) {
	s.flying, s.away = false, false
	b := s.blocks[e.Call.Keep]
	if b == nil || e.Call.Incarnation != s.life {
		return
	}
	left := e.Seats
	for key, u := range s.uses {
		if key.Pool == e.Call.Keep && u.how == opAdopt && u.known != present {
			left -= max(s.pools[key.Pool].Weight, 1)
		}
	}
	b.left, b.until, b.due = max(left, 0), e.Began+e.Lasts-e.Lasts/10, e.Began+e.Lasts/3
	b.more = e.Began + min(2*s.Patience, e.Lasts/3)
	switch {
	case s.closing:
		b.left = 0
		fallthrough
	case s.pools[e.Call.Keep].Escrow == 0:
		delete(s.blocks, e.Call.Keep)
	}
}

// idle gives back what was not renewed for too long.
func (s *State) idle(now time.Duration) {
	for key, u := range s.uses {
		limit := s.pools[key.Pool].Idle
		if u.wanted && u.seated && limit > 0 && now-time.Duration(u.touched.Load()) > limit {
			u.wanted, u.seated, u.leave = false, false, opIdle
			s.push(key, u)
		}
	}
}

// sorted lists the names in a map in order, so that a replay is exact.
func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
