package leases

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// State is what one life of a node knows. Step changes it and says what to do;
// it asks no clock and starts nothing. Times are durations on the node's own
// clock, which counts also while the host sleeps.
type State struct {
	Node  string
	Takes []string // classes of free leases to take
	Wants []string // leases to take by name, whatever their class

	// Mark is above every token this node knows of, or is the highest of them: a
	// database that knows less had its history cut.
	Mark Token

	Terms    Terms
	young    bool          // the era was, when this life began
	quiet    time.Duration // nothing is taken before then
	beats    int64         // of the last heartbeat that was acknowledged
	old      bool          // the database has older rows than were seen
	trust    time.Duration // holders may act until then
	ended    bool          // the database says this life is over
	stopping bool

	seen  int64         // ledger position of the last listing
	stale bool          // ask for a listing with the next heartbeat, moved or not
	moved bool          // the ledger did with the last listing: what has a lower number may follow
	asks  bool          // the last heartbeat asked to take something, or to give it back
	lost  bool          // trust has ended, and all holders were told, since the last answer
	beat  int           // heartbeats sent
	sent  time.Duration // when the last one was
	due   time.Duration // next heartbeat by rhythm
	hurry time.Duration // next heartbeat because something is to be told or asked; never, when not

	watched map[string]watch
	silent  map[string]bool // peers whose beats stood still for too long, by the last answer
	grants  map[string]*grant
	free    map[string]offer
	resting map[string]time.Duration // leases whose holder returned by itself: not taken before then
	given   map[string]gift          // leases that were given away for balance
	load    []Load
	dealt   map[string]string // who takes what is free, as listed; nil: not reckoned yet
	paused  bool              // no balancing
}

// never is later than any moment of a life.
const never = time.Duration(1<<63 - 1)

// watch is what this node saw of a peer's session, and since when.
type watch struct {
	Peer
	since time.Duration
}

type offer struct {
	token Token
	class string
	goal  string        // node that is to take it
	since time.Duration // when this node first saw it free
	Wish
	tried // to take it
}

// Event is something that a node saw.
type Event interface{ event() }

// Answered is a heartbeat that was acknowledged.
type Answered struct {
	Began time.Duration // when the attempt started
	Answer
}

// Failed is a heartbeat without an answer; its effects are unknown.
type Failed struct{}

// Elapsed is time that passed.
type Elapsed struct{}

// Returned is a holder that came back.
type Returned struct {
	Lease string
	Token Token
}

// Stopped asks the node to give everything up.
type Stopped struct{}

// Changed tells what the node takes from now on.
type Changed struct{ Takes, Wants []string }

// Hinted is word that the ledger may have moved.
type Hinted struct{}

// Marked is word of a token that was given, from another node's memory.
type Marked struct{ Token Token }

func (Answered) event() {}
func (Failed) event()   {}
func (Elapsed) event()  {}
func (Returned) event() {}
func (Stopped) event()  {}
func (Changed) event()  {}
func (Hinted) event()   {}
func (Marked) event()   {}

// Action is something to do for a holder.
type Action struct {
	Do    Do
	Lease string
	Token Token
	Cause error // why a holder ends
}

// Do is the kind of an action.
type Do int

const (
	Begin Do = iota // start a holder
	Yield           // ask it to return when it is idle
	End             // end its context now
)

// Step takes in what was seen at a moment of the node's own clock and returns
// what must be done, in order.
func (s *State) Step(now time.Duration, e Event) []Action {
	var out []Action
	switch e := e.(type) {
	case Answered:
		out = s.answered(now, e)
	case Failed:
		s.stale = s.stale || s.asks || !s.crowd() // a database that is overrun is not asked for more
		s.due = now + s.Terms.Heartbeat/3
	case Returned:
		s.returned(now, e)
		if s.lost { // thousands may come at once, and all have been told
			return nil
		}
	case Stopped:
		s.stopping = true
		for _, name := range sorted(s.grants) {
			out = s.end(out, name, ErrMoved)
		}
	case Changed:
		s.Takes, s.Wants = e.Takes, e.Wants
		out = s.yieldUnwanted(out)
		s.hurry, s.stale = now, true // what it wants by name was perhaps not listed
	case Hinted:
		if !s.crowd() {
			s.hurry = min(s.hurry, now+hintDelay)
		}
	case Marked:
		s.Mark = max(s.Mark, e.Token)
	case Elapsed:
	}
	return s.distrust(now, out)
}

// hintDelay gathers a burst of hints into one heartbeat.
const hintDelay = 2 * time.Millisecond

// distrust ends every holder once the session can no longer be trusted.
func (s *State) distrust(now time.Duration, out []Action) []Action {
	if now < s.trust && !s.ended {
		return out
	}
	s.lost = true
	for _, name := range sorted(s.grants) {
		if g := s.grants[name]; g.phase <= yielding {
			g.retry = !s.ended
		}
		out = s.end(out, name, ErrLost)
	}
	return out
}

func (s *State) answered(now time.Duration, e Answered) []Action {
	s.lost = false
	if !e.Alive || s.doubled(e) {
		s.ended = true
		return nil
	}
	if s.old = s.old || s.cut(e); s.old {
		// What it says is of another history. The next heartbeat tells it so, and ends this life.
		s.hurry = now
		return nil
	}
	s.beats = e.Beats
	s.Terms = e.Terms
	// Not the longer of old and new: the next heartbeat tells the database the new terms.
	s.trust = e.Began + e.Terms.Trust()
	s.due = e.Began + e.Terms.Heartbeat
	s.watch(now, e.Peers)
	s.hush(now)
	if e.Listing == nil {
		return nil
	}
	s.moved = e.Head != s.seen
	s.seen, s.load, s.dealt, s.paused = e.Head, e.Listing.Load, nil, e.Listing.Paused
	s.Mark = max(s.Mark, e.Listing.Mark)
	s.offers(now, e.Listing.Free)
	out := s.held(now, e.Listing.Held)
	out = s.yieldUnwanted(out)
	out = s.move(out, e.Listing.Held)
	out = s.balance(now, out)
	if len(s.claims(now)) > 0 || s.releasing(now) {
		s.hurry = now // do not wait a heartbeat to take or give back
	}
	return out
}

// doubled says whether somebody else renews this very life: a copy of this process,
// woken from a snapshot of its machine. Each heartbeat of mine counts once at most.
// Such a life is given up, but not ended: the copy may act for it.
func (s *State) doubled(e Answered) bool { return e.Beats > int64(s.beat) }

// cut says whether an answer proves that the database's history was cut: the
// beats of a life only rise, mine with each heartbeat.
func (s *State) cut(e Answered) bool {
	if e.Beats <= s.beats {
		return true
	}
	for _, p := range e.Peers {
		if w, ok := s.watched[p.Node]; ok && w.Incarnation == p.Incarnation && p.Beats < w.Beats {
			return true
		}
	}
	return false
}

// watch notes which peers stood still. A watch begins when the answer that
// showed the row was received: the row may have been newer than the request.
func (s *State) watch(now time.Duration, peers []Peer) {
	old := s.watched
	s.watched = make(map[string]watch, len(peers))
	for _, p := range peers {
		w, ok := old[p.Node]
		if !ok || w.Incarnation != p.Incarnation || w.Beats != p.Beats {
			w = watch{since: now}
		}
		w.Peer = p
		s.watched[p.Node] = w
	}
}

func (s *State) offers(now time.Duration, free []Lease) {
	old := s.free
	s.free = make(map[string]offer, len(free))
	for _, l := range free {
		o := offer{since: now}
		if before, ok := old[l.Name]; ok && before.token == l.Token {
			o = before
		}
		o.token, o.class, o.goal, o.Wish = l.Token, l.Class, cmp.Or(l.Goal, l.Prefer), l.Wish
		s.free[l.Name] = o
		s.Mark = max(s.Mark, l.Token)
	}
	maps.DeleteFunc(s.resting, func(_ string, until time.Duration) bool { return now >= until })
	maps.DeleteFunc(s.given, func(_ string, g gift) bool { return now >= g.at+2*s.Terms.TTL })
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

// Era is a history of the database. Its tokens are above all of the eras before.
type Era struct {
	Mark  Token         // the highest token so far
	Quiet time.Duration // for how long nothing is to be taken, because it is young; 0: some node has seen it for so long
}

// Begun starts a life: the session row was made by an attempt that began then.
// In a young era the node takes nothing until it has itself seen that era for as
// long as anybody may trust in the one before, whatever the database's clock does.
func (s *State) Begun(began time.Duration, terms Terms, era Era, seen time.Duration) {
	s.Mark = max(s.Mark, era.Mark)
	if s.young = era.Quiet > 0; s.young {
		s.quiet = seen + era.Quiet
	}
	s.Terms, s.trust, s.due, s.stale = terms, began+terms.Trust(), began, true
	s.hurry = never
	s.watched, s.grants, s.free = map[string]watch{}, map[string]*grant{}, map[string]offer{}
	s.resting, s.given = map[string]time.Duration{}, map[string]gift{}
}

// Over says whether the database ended this life.
func (s *State) Over() bool { return s.ended }

// Trusted says until when holders may act.
func (s *State) Trusted() time.Duration { return s.trust }

// Idle says whether no holder is left.
func (s *State) Idle() bool {
	for _, g := range s.grants {
		if g.phase != returned {
			return false
		}
	}
	return true
}

// Held lists the leases whose holders act, in order.
func (s *State) Held() []Lease {
	held := make([]Lease, 0, len(s.grants))
	for _, name := range sorted(s.grants) {
		if g := s.grants[name]; g.phase <= yielding {
			held = append(held, Lease{Name: name, Class: g.class, Token: g.token})
		}
	}
	return held
}

// fingerprint tells one list of held leases from another: tokens are never given
// twice.
type fingerprint struct {
	n, class int
	sum, xor Token
}

func (s *State) fingerprint() (f fingerprint) {
	for _, g := range s.grants {
		if g.phase <= yielding {
			f.n, f.class, f.sum, f.xor = f.n+1, f.class+len(g.class), f.sum+g.token, f.xor^g.token
		}
	}
	return f
}
