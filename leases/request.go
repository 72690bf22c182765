package leases

import (
	"hash/fnv"
	"slices"
	"time"
)

// Request is what a heartbeat asks of the database besides being renewed.
type Request struct {
	Takes   []string
	Seen    int64 // -1 asks for a listing
	Mark    Token
	Stepped time.Duration // the database's clock was seen to jump by that
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
	Name  string `json:"name"`
	Class string `json:"class"`
	Token Token  `json:"token"`
}

// Load is how much a node holds that takes leases.
type Load struct {
	Node   string   `json:"node"`
	Takes  []string `json:"takes"`
	Leases int      `json:"leases"`
}

// Listing is what is held by this node and what is free, at one ledger position.
type Listing struct {
	Held []Lease `json:"held"`
	Free []Lease `json:"free"`
	Load []Load  `json:"load"`
}

// listEvery asks for a listing every so many heartbeats although the ledger did
// not move: an event may commit after one with a higher number was seen.
const listEvery = 4

// Request builds the heartbeat that is due.
func (s *State) Request(now time.Duration) Request {
	r := Request{Takes: s.Takes, Seen: s.seen, Mark: s.Mark, Stepped: s.stepped}
	if s.stopping {
		r.Takes = nil
	}
	for _, name := range s.peers() {
		if w := s.watched[name]; now-w.since >= w.TTL {
			r.Dead = append(r.Dead, w.Peer)
		}
	}
	for _, name := range s.names() {
		g := s.grants[name]
		switch {
		case g.phase != returned || g.rests(now, s.Terms.Heartbeat):
		case g.retry && !s.stopping && s.wants(name, g.class):
			r.Claim = append(r.Claim, Lease{Name: name, Class: g.class, Token: g.token})
		default:
			r.Release = append(r.Release, Release{Name: name, Token: g.token, Cause: g.cause})
		}
	}
	r.Claim = append(r.Claim, s.claims(now)...)
	s.try(now, r)
	s.beat++
	if s.stale || s.open() || s.beat%listEvery == 0 {
		r.Seen = -1
	}
	s.sent, s.due, s.hurry = now, now+s.Terms.Heartbeat, never
	return r
}

// try notes what is asked for now.
func (s *State) try(now time.Duration, r Request) {
	for _, l := range r.Release {
		s.grants[l.Name].at = &now
	}
	for _, l := range r.Claim {
		if g, mine := s.grants[l.Name]; mine {
			g.at = &now
			continue
		}
		o := s.free[l.Name]
		o.at = &now
		s.free[l.Name] = o
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
// a peer has stood still for long enough or patience with a free lease ended.
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
	for name, o := range s.free {
		if ripe := o.since + s.patience(); s.wants(name, o.class) && ripe > s.sent {
			due = min(due, ripe)
		}
	}
	return due
}

// patience is how long a node leaves a lease beyond its fair share to others.
func (s *State) patience() time.Duration { return s.Terms.Heartbeat }

// claims picks what to take: up to the fair share at once, the rest when others
// have left it for as long as patience lasts. Leases asked for by name are no
// matter of share.
func (s *State) claims(now time.Duration) []Lease {
	if s.stopping || s.ended || now >= s.trust || now < s.quiet {
		return nil
	}
	room := s.share() - len(s.grants)
	var out []Lease
	for _, name := range s.preferred() {
		o := s.free[name]
		if _, mine := s.grants[name]; mine || !s.wants(name, o.class) || now < s.resting[name] || o.rests(now, s.Terms.Heartbeat) {
			continue
		}
		named := slices.Contains(s.Wants, name)
		if !named && room <= 0 && now-o.since < s.patience() {
			continue
		}
		if !named {
			room--
		}
		out = append(out, Lease{Name: name, Class: o.class, Token: o.token})
	}
	return out
}

// share is how many leases each node holds when all hold alike, rounded up.
func (s *State) share() int {
	total, nodes := 0, 0
	for _, l := range s.load {
		total += l.Leases
		nodes++
	}
	for _, o := range s.free {
		if o.class != "" {
			total++
		}
	}
	if nodes == 0 {
		return 0
	}
	return (total + nodes - 1) / nodes
}

// preferred orders the free leases by how strongly this node is drawn to each
// (rendezvous hashing: Thaler and Ravishankar, 1998), so that nodes that see the
// same list rarely reach for the same lease.
func (s *State) preferred() []string {
	type rank struct {
		name string
		at   int
	}
	ranks := make([]rank, 0, len(s.free))
	for name := range s.free {
		mine, at := draw(s.Node, name), 0
		for _, l := range s.load {
			if l.Node != s.Node && draw(l.Node, name) > mine {
				at++
			}
		}
		ranks = append(ranks, rank{name, at})
	}
	slices.SortFunc(ranks, func(a, b rank) int {
		if a.at != b.at {
			return a.at - b.at
		}
		if a.name < b.name {
			return -1
		}
		return 1
	})
	names := make([]string, len(ranks))
	for i, r := range ranks {
		names[i] = r.name
	}
	return names
}

func draw(node, lease string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(node))
	h.Write([]byte{0})
	h.Write([]byte(lease))
	x := h.Sum64() // FNV leaves like names close together; mix (splitmix64's finaliser)
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

func (s *State) peers() []string {
	names := make([]string, 0, len(s.watched))
	for name := range s.watched {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// balance asks holders to yield until loads differ by at most one. Every node
// computes the same moves from the same listing and carries out its own.
func (s *State) balance(out []Action) []Action {
	if s.stopping || len(s.free) > 0 {
		return out
	}
	give := moves(s.load, s.Node)
	for _, to := range s.load {
		n := give[to.Node]
		for _, name := range s.names() {
			if n == 0 {
				break
			}
			g := s.grants[name]
			if g.phase == yielding && g.cause == "switchover" {
				n-- // already on its way
				continue
			}
			if g.phase == holding && slices.Contains(to.Takes, g.class) && !slices.Contains(s.Wants, name) {
				out = s.yield(out, name, "switchover")
				n--
			}
		}
	}
	return out
}

// moves says how many leases a node should give to each other: one at a time
// from the fullest to the emptiest until they differ by at most one.
func moves(load []Load, from string) map[string]int {
	count := make([]int, len(load))
	for i, l := range load {
		count[i] = l.Leases
	}
	give := map[string]int{}
	for len(load) > 1 {
		most, least := 0, 0
		for i := range load {
			if count[i] > count[most] {
				most = i
			}
			if count[i] < count[least] {
				least = i
			}
		}
		if count[most]-count[least] <= 1 {
			break
		}
		count[most]--
		count[least]++
		if load[most].Node == from {
			give[load[least].Node]++
		}
	}
	return give
}
