package leases

import (
	"cmp"
	"hash/fnv"
	"maps"
	"slices"
	"time"
)

// Balance has one measure: how many leases with a class a node holds, for its
// weight. Every node computes the same from the same listing, and does its own
// part of it. Leases with a wish are placed by it first, and moved only for its sake.

// gift is a lease that was given away for balance.
type gift struct {
	at   time.Duration
	vain bool // whom it was meant for did not take it
	back int  // how many times in a row it had to be taken back
}

// patient is for how long a node keeps what it had to take back: the longer the
// more often.
func (s *State) patient(times int) time.Duration { return s.Terms.TTL << min(times, 4) }

func (l Load) count() int {
	n := l.Stays
	for _, k := range l.Holds {
		n += k
	}
	return n
}

// share is how full a node is that holds n leases.
func (l Load) share(n int) float64 { return float64(n) / float64(max(1, l.Weight)) }

func (l Load) takes(class string) bool { return class != "" && slices.Contains(l.Takes, class) }

// deal says who takes what is free, as listed.
func (s *State) deal() map[string]string {
	if s.dealt == nil {
		s.dealt = deal(s.living(), s.free)
	}
	return s.dealt
}

// living is the load as listed, but that a node that beats no more takes nothing:
// it is dead, only nobody may say so yet.
func (s *State) living() []Load {
	if len(s.silent) == 0 {
		return s.load
	}
	load := slices.Clone(s.load)
	for i, l := range load {
		if s.silent[l.Node] {
			load[i].Takes = nil
		}
	}
	return load
}

// silence is for how long the beats of a healthy node may seem to stand still:
// one heartbeat of its own, one of the node that looks, and a little.
func (s *State) silence() time.Duration { return s.Terms.Heartbeat * 9 / 4 }

// hush notes who beats no more, by what the last answer showed.
func (s *State) hush(now time.Duration) {
	silent := map[string]bool{}
	for node, w := range s.watched {
		if now-w.since >= s.silence() {
			silent[node] = true
		}
	}
	if !maps.Equal(s.silent, silent) {
		s.silent, s.dealt = silent, nil
	}
}

// deal says who takes each free lease, of those that take its class: the node
// that it is meant for, else the one that it likes most, where fewest of its group
// are, which will be least full. Equals are told apart by how strongly each is
// drawn to it.
func deal(load []Load, free map[string]offer) map[string]string {
	count, apart := make([]int, len(load)), make([]map[string]int, len(load))
	for i, l := range load {
		count[i], apart[i] = l.count(), map[string]int{}
		maps.Copy(apart[i], l.Apart)
	}
	dealt := make(map[string]string, len(free))
	for _, name := range sorted(free) {
		o, to := free[name], -1
		for i, l := range load {
			if !l.takes(o.class) {
				continue
			}
			if l.Node == o.goal {
				to = i
				break
			}
			if to < 0 || cmp.Or(
				cmp.Compare(load[to].suits(o.Wish), l.suits(o.Wish)),
				cmp.Compare(apart[i][o.Apart], apart[to][o.Apart]),
				cmp.Compare(l.share(count[i]+1), load[to].share(count[to]+1)),
				cmp.Compare(draw(load[to].Node, name), draw(l.Node, name))) < 0 {
				to = i
			}
		}
		if to < 0 {
			continue
		}
		dealt[name] = load[to].Node
		count[to]++
		if o.Apart != "" {
			apart[to][o.Apart]++
		}
	}
	return dealt
}

// draw is how strongly a node is drawn to a lease (rendezvous hashing: Thaler
// and Ravishankar, 1998).
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

// move hands over what an operator wants elsewhere: between runs, or at once.
func (s *State) move(out []Action, mine []Lease) []Action {
	for _, l := range mine {
		g := s.grants[l.Name]
		if l.Goal == "" || l.Goal == s.Node || g.phase > yielding {
			continue
		}
		if !l.Now {
			out = s.yield(out, l.Name, "switchover")
			continue
		}
		g.cause = "switchover"
		out = s.end(out, l.Name, ErrMoved)
	}
	return out
}

// balance asks holders to yield until every wish is met that can be and no node
// is fuller than need be, once nothing is free that somebody takes.
func (s *State) balance(now time.Duration, out []Action) []Action {
	if s.stopping || s.paused || len(s.deal()) > 0 {
		return out
	}
	names := sorted(s.grants)
	going := s.misplaced(now, names)
	if len(going) == 0 { // loads are levelled when all are where they would rather be
		going = s.surplus(now, names)
	}
	for _, name := range names {
		if going[name] {
			s.grants[name].away = true
			out = s.yield(out, name, "switchover")
		}
	}
	return out
}

// yields says whether balance may ask for a lease.
func (s *State) yields(now time.Duration, name string) bool {
	g := s.grants[name]
	return g.phase == holding && g.prefer != s.Node && now >= g.keep && !slices.Contains(s.Wants, name)
}

// surplus picks what this node has too much of. Of a kind that was given away in
// vain nothing more is, for a while.
func (s *State) surplus(now time.Duration, names []string) map[string]bool {
	give, out := moves(s.living(), s.Node), map[string]bool{}
	for _, name := range names { // those on their way count first
		switch g := s.grants[name]; {
		case g.Apart != "":
		case now < g.keep:
			delete(give, g.kind(g.class))
		case g.phase > holding && !g.retry:
			give[g.kind(g.class)]--
		}
	}
	for _, name := range names {
		if g := s.grants[name]; g.Apart == "" && give[g.kind(g.class)] > 0 && s.yields(now, name) {
			give[g.kind(g.class)]--
			out[name] = true
		}
	}
	return out
}

// moves says how many leases of each kind a node should give away: one at a
// time, from a node to one that takes them, suits them no less and would still be
// less full then, the widest difference first.
func moves(load []Load, from string) map[string]int {
	type node struct {
		Load
		count int
	}
	nodes := make([]node, len(load))
	for i, l := range load {
		nodes[i] = node{l, l.count()}
		nodes[i].Holds = map[string]int{}
		maps.Copy(nodes[i].Holds, l.Holds)
	}
	give := map[string]int{}
	for {
		// The fullest first; at equal shares by name, so that all see the same order.
		slices.SortFunc(nodes, func(a, b node) int {
			return cmp.Or(cmp.Compare(b.share(b.count), a.share(a.count)), cmp.Compare(a.Node, b.Node))
		})
		most, least, widest, kind := -1, -1, 0.0, ""
		for i, a := range nodes {
			for j, b := range slices.Backward(nodes) {
				if j <= i || a.share(a.count)-b.share(b.count) <= widest {
					break // none of those that are left is wider
				}
				wide := a.share(a.count) - b.share(b.count+1)
				if wide <= widest {
					continue
				}
				if k, ok := movable(a.Load, b.Load); ok {
					most, least, widest, kind = i, j, wide, k
				}
			}
		}
		if most < 0 {
			return give
		}
		nodes[most].count--
		nodes[least].count++
		nodes[most].Holds[kind]--
		nodes[least].Holds[kind]++
		if nodes[most].Node == from {
			give[kind]++
		}
	}
}

// movable is the kind of leases that a node holds most of among those that would
// be no worse off with another.
func movable(from, to Load) (kind string, ok bool) {
	for k, n := range from.Holds {
		if n <= 0 || ok && (n < from.Holds[kind] || n == from.Holds[kind] && k > kind) {
			continue
		}
		class, wish := kindly(k)
		if to.takes(class) && to.suits(wish) >= from.suits(wish) {
			kind, ok = k, true
		}
	}
	return kind, ok
}
