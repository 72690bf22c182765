package leases

import (
	"slices"
	"time"
)

// Request is what a heartbeat asks of the database besides being renewed.
type Request struct {
	Takes   []string
	Wants   []string      // leases to take by name: no others of that kind are listed
	Seen    int64         // position in the ledger of the last listing; or listNow, or listInTurn
	Beats   int64         // of the last answer: later answers may know of longer terms
	TTL     time.Duration // that this node goes by: its session must not live shorter, whatever the terms are by now
	Mark    Token
	Old     bool // the database was seen to have older rows than before
	Settles bool // this node has seen the era for as long as anybody may trust in the one before
	Dead    []Peer
	Release []Release
	Claim   []Lease
}

// Release gives a lease back.
type Release struct {
	Name  string
	Token Token
	Cause string // release or switchover
}

// Answer is what the database said to a heartbeat.
type Answer struct {
	Alive    bool      // this life is still there, and renewed
	Now      time.Time // the database's clock
	Beats    int64
	Terms    Terms
	Head     int64 // highest id of the ledger
	Activity int64 // moves with every run, for whoever keeps copies of lists
	Peers    []Peer
	Listing  *Listing // nil when the ledger has not moved
}

// Peer is another node's session.
type Peer struct {
	Node        string        `json:"node"`
	Incarnation int64         `json:"incarnation"`
	Beats       int64         `json:"beats"`
	TTL         time.Duration `json:"-"`
	Expired     bool          `json:"expired"`
}

// Lease is a lease as listed: held by this node, or free.
type Lease struct {
	Name   string `json:"name"`
	Class  string `json:"class"`
	Token  Token  `json:"token"`
	Goal   string `json:"goal"`     // node that an operator wants to hold it next
	Now    bool   `json:"goal_now"` // without waiting for the holder to be idle
	Prefer string `json:"prefer"`   // node that balance leaves it with
	Wish
}

// Wish is where a lease would rather be. A node that does not answer to it is
// better than none.
type Wish struct {
	Likes []string `json:"likes"` // tags of nodes
	Apart string   `json:"apart"` // not beside others of this group
}

// Load is what a node holds that takes leases: how many of each kind (Wish.kind),
// how many that are not moved for balance, and how many of each group that is kept
// apart, which are among the latter.
type Load struct {
	Node   string         `json:"node"`
	Weight int            `json:"weight"` // its share, beside those of others
	Tags   []string       `json:"tags"`
	Takes  []string       `json:"takes"`
	Holds  map[string]int `json:"holds"`
	Stays  int            `json:"stays"`
	Apart  map[string]int `json:"apart"`
}

// Listing is what is held by this node and what is free, at one ledger position.
type Listing struct {
	Held []Lease `json:"held"`
	Free []Lease `json:"free"`
	Load []Load  `json:"load"`

	Paused bool  `json:"paused"` // nothing moves that need not
	Mark   Token `json:"mark"`   // the highest token so far, whoever got it
}

// listEvery asks for a listing every so many heartbeats although the ledger did
// not move: an event may commit after one with a higher number was seen. Most do so
// within moments, so the heartbeat after one that saw it move asks too.
const listEvery = 4

// What a heartbeat says instead of the ledger's position when it asks for a listing:
// because this node has to know, or because it is time, which where there are many
// nodes is when the database says that it is this one's turn.
const (
	listNow    = -1
	listInTurn = -2
)

// crowd says whether there are so many nodes that not each can be told at once of
// whatever any of them does.
func (s *State) crowd() bool { return len(s.load) > 64 }

// atOnce is how many leases one heartbeat takes or gives back at most, so that
// it is answered in time however many there are.
const atOnce = 1000

// Request builds the heartbeat that is due.
func (s *State) Request(now time.Duration) Request {
	r := Request{Takes: s.Takes, Wants: s.Wants, Seen: s.seen, Beats: s.beats, TTL: s.Terms.TTL, Mark: s.Mark, Old: s.old}
	if s.young && now >= s.quiet {
		r.Settles = true
	}
	if s.stopping || now < s.quiet {
		r.Takes = nil // nobody is to leave anything to this node
	}
	for _, name := range sorted(s.watched) {
		if w := s.watched[name]; now-w.since >= w.TTL {
			r.Dead = append(r.Dead, w.Peer)
		}
	}
	for _, name := range sorted(s.grants) {
		g := s.grants[name]
		switch {
		case g.phase != returned || g.rests(now, s.Terms.Heartbeat) || len(r.Claim)+len(r.Release) >= atOnce:
		case g.retry && !s.stopping && !s.ended && s.wants(name, g.class):
			r.Claim = append(r.Claim, Lease{Name: name, Class: g.class, Token: g.token})
		default:
			r.Release = append(r.Release, Release{Name: name, Token: g.token, Cause: g.cause})
		}
	}
	claims := s.claims(now)
	r.Claim = append(r.Claim, claims[:min(len(claims), max(0, atOnce-len(r.Claim)))]...)
	s.try(now, r)
	s.beat++
	if s.stale || s.open() {
		r.Seen = listNow
	} else if s.beat%listEvery == 0 || s.moved && !s.crowd() {
		r.Seen = listInTurn
	}
	s.moved = false
	s.asks = len(r.Claim)+len(r.Release) > 0
	s.stale = false // what changes from here on, before the answer, asks for another
	s.sent, s.due, s.hurry = now, now+s.Terms.Heartbeat, never
	return r
}

// try notes what is asked for now.
func (s *State) try(now time.Duration, r Request) {
	for _, l := range r.Release {
		g := s.grants[l.Name]
		g.at = &now
		if g.away {
			s.given[l.Name] = gift{at: now, back: g.back}
		}
	}
	for _, l := range r.Claim {
		if g, mine := s.grants[l.Name]; mine {
			g.at = &now
			continue
		}
		o := s.free[l.Name]
		o.at = &now
		s.free[l.Name] = o
		if g, ok := s.given[l.Name]; ok {
			g.vain = s.deal()[l.Name] != s.Node
			s.given[l.Name] = g
		}
	}
}

// open says whether something is free that this node would take.
func (s *State) open() bool {
	for name, o := range s.free {
		if s.wants(name, o.class) {
			return true
		}
	}
	return false
}

// Due says when the next heartbeat is to be sent: by rhythm, or earlier because
// a peer has stood still for long enough, or patience with a free lease or with
// whom it was dealt to ended.
func (s *State) Due() time.Duration {
	due := min(s.due, s.hurry)
	for _, w := range s.watched {
		// Once per peer: asking again and again is pointless while the database's clock says otherwise.
		if ripe := w.since + w.TTL; ripe > s.sent {
			due = min(due, ripe)
		}
	}
	if s.stopping {
		return due
	}
	if s.quiet > s.sent {
		due = min(due, s.quiet)
	}
	dealt := s.deal()
	for name, o := range s.free {
		if !s.wants(name, o.class) {
			continue
		}
		if ripe := o.since + s.patience(); ripe > s.sent {
			due = min(due, ripe)
		}
		// Whom it was dealt to may be dead: to be looked at when its silence says so.
		if w, ok := s.watched[dealt[name]]; ok && w.since+s.silence() > s.sent {
			due = min(due, w.since+s.silence())
		}
	}
	return due
}

// Wake says when a loop that feeds this state must look again at the latest,
// while a heartbeat is under way or not. While holders act it looks often: timers
// do not see that the host slept, the own clock does.
func (s *State) Wake(now time.Duration, underway bool) time.Duration {
	wake := now + s.Terms.Heartbeat
	if !s.Idle() && now < s.trust {
		wake = min(wake, s.trust, now+s.Terms.Margin/4)
	}
	if !underway {
		wake = min(wake, s.Due())
	}
	return max(wake, now)
}

// patience is how long a node leaves a lease beyond its fair share to others:
// long enough for each of them to see it with its next heartbeat.
func (s *State) patience() time.Duration { return s.Terms.Heartbeat * 3 / 2 }

// claims picks what to take: what is dealt to this node at once, the rest when
// others have left it for as long as patience lasts. What is wanted by name is
// no matter of balance.
func (s *State) claims(now time.Duration) []Lease {
	if s.stopping || s.ended || now >= s.trust || now < s.quiet {
		return nil
	}
	var out []Lease
	dealt := s.deal()
	for _, name := range sorted(s.free) {
		if len(out) == atOnce {
			break // the next heartbeat asks for more
		}
		o := s.free[name]
		if _, mine := s.grants[name]; mine || !s.wants(name, o.class) || now < s.resting[name] || o.rests(now, s.Terms.Heartbeat) {
			continue
		}
		if to := dealt[name]; to != s.Node && to != "" && to == o.goal && now-o.since < s.patience() {
			continue // on its way to another
		}
		if dealt[name] == s.Node || slices.Contains(s.Wants, name) || now-o.since >= s.patience() {
			out = append(out, Lease{Name: name, Class: o.class, Token: o.token, Wish: o.Wish})
		}
	}
	return out
}
