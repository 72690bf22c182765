package leases

import (
	"hash/fnv"
	"maps"
	"slices"
)

// Balance has one measure: how many leases with a class a node holds. Every node
// computes the same from the same listing, and does its own part of it.

func (l Load) count() int {
	n := l.Stays
	for _, k := range l.Holds {
		n += k
	}
	return n
}

// deal says who takes each free lease: the node that holds least of those that
// take its class. Equals are told apart by how strongly each is drawn to it.
func deal(load []Load, free map[string]offer) map[string]string {
	count := make([]int, len(load))
	for i, l := range load {
		count[i] = l.count()
	}
	dealt := make(map[string]string, len(free))
	for _, name := range sorted(free) {
		class, to := free[name].class, -1
		for i, l := range load {
			if class == "" || !slices.Contains(l.Takes, class) {
				continue
			}
			if l.Node == free[name].goal {
				to = i
				break
			}
			if to < 0 || count[i] < count[to] || count[i] == count[to] && draw(l.Node, name) > draw(load[to].Node, name) {
				to = i
			}
		}
		if to >= 0 {
			dealt[name] = load[to].Node
			count[to]++
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

// balance asks holders to yield until loads differ by at most one, once nothing
// is free that somebody takes.
func (s *State) balance(out []Action) []Action {
	if s.stopping || s.paused || len(deal(s.load, s.free)) > 0 {
		return out
	}
	give := moves(s.load, s.Node)
	for _, going := range []bool{true, false} { // those on their way count first
		for _, name := range sorted(s.grants) {
			g := s.grants[name]
			switch {
			case give[g.class] == 0:
			case going && g.phase > holding && !g.retry:
				give[g.class]--
			case !going && g.phase == holding && !slices.Contains(s.Wants, name) && g.prefer != s.Node:
				out = s.yield(out, name, "switchover")
				give[g.class]--
			}
		}
	}
	return out
}

// moves says how many leases of each class a node should give away: one at a
// time, from a node to one that holds at least two less and takes that class,
// the widest difference first.
func moves(load []Load, from string) map[string]int {
	count, holds := make([]int, len(load)), make([]map[string]int, len(load))
	for i, l := range load {
		count[i], holds[i] = l.count(), map[string]int{}
		maps.Copy(holds[i], l.Holds)
	}
	give := map[string]int{}
	for {
		most, least, moved := -1, -1, ""
		for i := range load {
			for j := range load {
				if count[i]-count[j] <= 1 || most >= 0 && count[i]-count[j] <= count[most]-count[least] {
					continue
				}
				if class, ok := movable(holds[i], load[j].Takes); ok {
					most, least, moved = i, j, class
				}
			}
		}
		if most < 0 {
			return give
		}
		count[most]--
		count[least]++
		holds[most][moved]--
		holds[least][moved]++
		if load[most].Node == from {
			give[moved]++
		}
	}
}

// movable is the class that a node holds most of among those that another takes.
func movable(holds map[string]int, takes []string) (class string, ok bool) {
	for _, c := range takes {
		if n := holds[c]; n > 0 && (!ok || n > holds[class] || n == holds[class] && c < class) {
			class, ok = c, true
		}
	}
	return class, ok
}
