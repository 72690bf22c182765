package leases

import (
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
	quiet    time.Duration // nothing is taken before then: the era is young
	stepped  time.Duration // how far the database's clock was seen to jump
	trust    time.Duration // holders may act until then
	ended    bool          // the database says this life is over
	stopping bool

	seen  int64         // ledger position of the last listing
	stale bool          // ask for a listing with the next heartbeat, moved or not
	beat  int           // heartbeats sent
	sent  time.Duration // when the last one was
	due   time.Duration // next heartbeat by rhythm
	hurry time.Duration // next heartbeat because something is to be told or asked; never, when not

	watched map[string]watch
	grants  map[string]*grant
	free    map[string]offer
	resting map[string]time.Duration // leases whose holder returned by itself: not taken before then
	load    []Load
}

// never is later than any moment of a life.
const never = time.Duration(1<<63 - 1)

// watch is what this node saw of a peer's session, and since when.
type watch struct {
	Peer
	since time.Duration
}

// phase of a grant: where its holder is.
type phase int

const (
	holding  phase = iota // the holder acts
	yielding              // the holder was asked to return when idle
	ending                // the holder's context has ended; it has not returned yet
	returned              // the holder has returned; the lease is to be given back, or taken anew
)

type grant struct {
	token Token
	class string
	phase phase
	cause string // freed_by of the release to come
	retry bool   // ended for lack of trust: take it anew, under a new token
	tried        // to give it back, or to take it anew
}

// tried is when something was last asked of the database that it may pass over,
// because an application holds the row: it is asked again a heartbeat later.
type tried struct{ at *time.Duration }

func (t tried) rests(now, heartbeat time.Duration) bool { return t.at != nil && now < *t.at+heartbeat }

type offer struct {
	token Token
	class string
	since time.Duration // when this node first saw it free
	tried               // to take it
}

// Event is something that a node saw.
type Event interface{ event() }

// Answered is a heartbeat that was acknowledged.
type Answered struct {
	Began   time.Duration // when the attempt started
	Stepped time.Duration // how far the database's clock jumped since the answer before, if it surely did
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

func (Answered) event() {}
func (Failed) event()   {}
func (Elapsed) event()  {}
func (Returned) event() {}
func (Stopped) event()  {}
func (Changed) event()  {}
func (Hinted) event()   {}

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
		s.stale = true
		s.due = now + s.Terms.Heartbeat/3
	case Returned:
		s.returned(now, e)
	case Stopped:
		s.stopping = true
		for _, name := range sorted(s.grants) {
			out = s.end(out, name, ErrMoved)
		}
	case Changed:
		s.Takes, s.Wants = e.Takes, e.Wants
		out = s.yieldUnwanted(out)
		s.hurry = now
	case Hinted:
		s.hurry = min(s.hurry, now+hintDelay)
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
	for _, name := range sorted(s.grants) {
		if g := s.grants[name]; g.phase <= yielding {
			g.retry = true
		}
		out = s.end(out, name, ErrLost)
	}
	return out
}

func (s *State) end(out []Action, name string, cause error) []Action {
	g := s.grants[name]
	if g.phase > yielding {
		return out
	}
	g.phase = ending
	return append(out, Action{Do: End, Lease: name, Token: g.token, Cause: cause})
}

func (s *State) yield(out []Action, name, cause string) []Action {
	g := s.grants[name]
	if g.phase != holding {
		return out
	}
	g.phase, g.cause = yielding, cause
	return append(out, Action{Do: Yield, Lease: name, Token: g.token})
}

func (s *State) answered(now time.Duration, e Answered) []Action {
	if !e.Alive {
		s.ended = true
		return nil
	}
	s.Terms = e.Terms
	// Not the longer of old and new: the next heartbeat tells the database the new terms.
	s.trust = e.Began + e.Terms.Trust()
	s.due = e.Began + e.Terms.Heartbeat
	if e.Stepped != 0 {
		s.stepped, s.hurry = e.Stepped, now
	}
	s.watch(now, e.Peers)
	if e.Listing == nil {
		return nil
	}
	s.seen, s.stale, s.load = e.Head, false, e.Listing.Load
	s.offers(now, e.Listing.Free)
	out := s.held(now, e.Listing.Held)
	out = s.yieldUnwanted(out)
	out = s.balance(out)
	if len(s.claims(now)) > 0 || s.releasing(now) {
		s.hurry = now // do not wait a heartbeat to take or give back
	}
	return out
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
		o.token, o.class = l.Token, l.Class
		s.free[l.Name] = o
		s.Mark = max(s.Mark, l.Token)
	}
	for name, until := range s.resting {
		if now >= until {
			delete(s.resting, name)
		}
	}
}

// held brings the grants in line with what the database says is mine.
func (s *State) held(now time.Duration, mine []Lease) []Action {
	var out []Action
	said := make(map[string]Lease, len(mine))
	for _, l := range mine {
		said[l.Name] = l
	}
	for _, name := range sorted(s.grants) {
		if l, ok := said[name]; !ok || l.Token != s.grants[name].token {
			g := s.grants[name]
			g.retry = false
			out = s.end(out, name, ErrLost)
			if g.phase == returned {
				delete(s.grants, name)
			}
		}
	}
	for _, l := range mine {
		s.Mark = max(s.Mark, l.Token)
		g, ok := s.grants[l.Name]
		if ok {
			g.class = l.Class
			continue // it acts, or its former holder has not returned yet
		}
		g = &grant{token: l.Token, class: l.Class, cause: "release"}
		s.grants[l.Name] = g
		if s.stopping || s.ended || now >= s.trust || !s.wants(l.Name, l.Class) {
			g.phase = returned
			continue
		}
		out = append(out, Action{Do: Begin, Lease: l.Name, Token: l.Token})
	}
	return out
}

// returned notes that a holder came back: its lease is given back with the next
// heartbeat, or taken anew if only trust was missing.
func (s *State) returned(now time.Duration, e Returned) {
	g, ok := s.grants[e.Lease]
	if !ok || g.token != e.Token {
		return
	}
	if g.phase == holding {
		// By itself. Leave it to others for a while, so that a holder that cannot work does not spin.
		s.resting[e.Lease] = now + s.Terms.TTL
	}
	g.phase = returned
	s.hurry, s.stale = now, true
}

func (s *State) wants(name, class string) bool {
	return slices.Contains(s.Wants, name) || class != "" && slices.Contains(s.Takes, class)
}

func (s *State) yieldUnwanted(out []Action) []Action {
	for _, name := range sorted(s.grants) {
		if g := s.grants[name]; !s.wants(name, g.class) {
			out = s.yield(out, name, "release")
		}
	}
	return out
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

func (s *State) releasing(now time.Duration) bool {
	for _, g := range s.grants {
		if g.phase == returned && !g.rests(now, s.Terms.Heartbeat) {
			return true
		}
	}
	return false
}

// Era is a history of the database. Its tokens are above all of the eras before.
type Era struct {
	Number int64
	Young  bool // it began not long ago, by the database's clock
}

// Begun starts a life: the session row was made by an attempt that began then.
// In a young era the node takes nothing until it has itself seen that era for a
// time to live, by when all trust in the one before has ended, whatever the
// database's clock does.
func (s *State) Begun(began, now time.Duration, terms Terms, era Era) {
	s.Mark = max(s.Mark, Token(era.Number<<eraBits))
	if era.Young {
		s.quiet = now + terms.TTL
	}
	s.Terms, s.trust, s.due, s.stale = terms, began+terms.Trust(), began, true
	s.hurry = never
	s.watched, s.grants, s.free = map[string]watch{}, map[string]*grant{}, map[string]offer{}
	s.resting = map[string]time.Duration{}
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
	var held []Lease
	for _, name := range sorted(s.grants) {
		if g := s.grants[name]; g.phase <= yielding {
			held = append(held, Lease{Name: name, Class: g.class, Token: g.token})
		}
	}
	return held
}
