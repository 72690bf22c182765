package leases

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var classes = rapid.SampledFrom([]string{"x", "y", "z"})

// drawLoad draws nodes with what they take and hold; of takes the classes are given.
func drawLoad(t *rapid.T, takes *rapid.Generator[[]string]) []Load {
	load := make([]Load, rapid.IntRange(1, 6).Draw(t, "nodes"))
	for i := range load {
		l := Load{Node: string(rune('a' + i)), Takes: takes.Draw(t, "takes"), Holds: map[string]int{}}
		for _, class := range l.Takes {
			l.Holds[class] = rapid.IntRange(0, 9).Draw(t, "holds")
		}
		load[i] = l
	}
	return load
}

var (
	someClasses = rapid.SliceOfNDistinct(classes, 1, 3, rapid.ID[string])
	oneClass    = rapid.Just([]string{"x"})
)

func drawFree(t *rapid.T) map[string]offer {
	free := map[string]offer{}
	for i := range rapid.IntRange(0, 20).Draw(t, "free") {
		free[fmt.Sprint("free", i)] = offer{class: classes.Draw(t, "class"), since: sec}
	}
	return free
}

func TestFreeLeasesAreDealtToTheEmptiest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		load, free := drawLoad(t, someClasses), drawFree(t)
		dealt := deal(load, free)
		count, last := map[string]int{}, map[string]string{}
		for _, l := range load {
			count[l.Node] = l.count()
		}
		for _, name := range sorted(free) {
			to := dealt[name]
			taken := slices.ContainsFunc(load, func(l Load) bool { return slices.Contains(l.Takes, free[name].class) })
			if taken != (to != "") {
				t.Fatalf("%s of class %s is dealt to %q", name, free[name].class, to)
			}
			if taken {
				count[to]++
				last[to] = free[name].class
			}
		}
		for _, l := range load {
			if class, got := last[l.Node]; got && !slices.Contains(l.Takes, class) {
				t.Fatalf("%s is dealt class %s, which it does not take", l.Node, class)
			}
			for _, other := range load {
				if class, got := last[l.Node]; got && slices.Contains(other.Takes, class) && count[l.Node] > count[other.Node]+1 {
					t.Fatalf("%s is dealt up to %d, beside %s with %d", l.Node, count[l.Node], other.Node, count[other.Node])
				}
			}
		}
		shuffled := rapid.Permutation(load).Draw(t, "shuffled")
		if !maps.Equal(dealt, deal(shuffled, free)) {
			t.Fatal("another order of nodes, another deal")
		}
	})
}

func TestNodesThatSeeTheSameListReachForDifferentLeases(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		load, free := drawLoad(t, someClasses), drawFree(t)
		dealt := deal(load, free)
		by := map[string]string{}
		for _, l := range load {
			s := State{Node: l.Node, Takes: l.Takes, Terms: sixSeconds, trust: never, free: free, load: load}
			for _, c := range s.claims(sec) {
				if other, twice := by[c.Name]; twice {
					t.Fatalf("%s and %s reach for %s", other, l.Node, c.Name)
				}
				by[c.Name] = l.Node
			}
			late := s.claims(sec + s.patience())
			if want := len(free) - len(slices.DeleteFunc(sorted(free), func(n string) bool { return !slices.Contains(l.Takes, free[n].class) })); len(late) != len(free)-want {
				t.Fatalf("%s claims %d after patience, of %d that it takes", l.Node, len(late), len(free)-want)
			}
		}
		if !maps.Equal(by, dealt) {
			t.Fatalf("claimed %v, dealt %v", by, dealt)
		}
	})
}

func TestMovesLevelAllThatCanMove(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		load := drawLoad(t, oneClass)
		total := 0
		for i := range load {
			total += load[i].count()
		}
		least, most := total/len(load), (total+len(load)-1)/len(load)
		given, over := 0, 0
		for _, l := range load {
			give := moves(load, l.Node)["x"]
			given += give
			over += max(0, l.count()-most)
			if left := l.count() - give; give > 0 && (left < least || left > most) {
				t.Fatalf("%s of %d gives %d, the fair share is %d to %d", l.Node, l.count(), give, least, most)
			}
			if give == 0 && l.count() > most {
				t.Fatalf("%s keeps %d, the fair share is at most %d", l.Node, l.count(), most)
			}
		}
		if given > over+len(load) {
			t.Fatalf("%d moves where %d are over the fair share", given, over)
		}
	})
}

// drawPlace draws nodes of different weights, tags and groups.
func drawPlace(t *rapid.T) []Load {
	load := drawLoad(t, someClasses)
	for i := range load {
		load[i].Weight = rapid.IntRange(0, 4).Draw(t, "weight")
		load[i].Tags = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"big", "near"}), 0, 2, rapid.ID[string]).Draw(t, "tags")
		load[i].Apart = map[string]int{"g": rapid.IntRange(0, 2).Draw(t, "apart")}
		load[i].Stays = load[i].Apart["g"]
		for _, class := range load[i].Takes {
			load[i].Holds[Wish{Likes: []string{"big"}}.kind(class)] = rapid.IntRange(0, 3).Draw(t, "big ones")
		}
	}
	return load
}

func TestMovesBalanceByWeightAndAgainstNoWish(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		load := drawPlace(t)
		after := make([]Load, len(load)) // gone and not yet dealt
		gone := map[string]offer{}
		for i, l := range load {
			after[i] = l
			after[i].Holds = maps.Clone(l.Holds)
			for kind, n := range moves(load, l.Node) {
				class, wish := kindly(kind)
				if after[i].Holds[kind] -= n; after[i].Holds[kind] < 0 {
					// What came is given on: it never did come.
					n, after[i].Holds[kind] = n+after[i].Holds[kind], 0
				}
				for k := range n {
					gone[fmt.Sprintf("%s-%s-%d", l.Node, kind, k)] = offer{class: class, Wish: wish, since: sec}
				}
			}
		}
		for name, to := range deal(after, gone) {
			i := slices.IndexFunc(load, func(l Load) bool { return l.Node == to })
			from := slices.IndexFunc(load, func(l Load) bool { return l.Node == name[:1] })
			if load[i].suits(gone[name].Wish) < load[from].suits(gone[name].Wish) {
				t.Fatalf("%s goes from %s to %s, which it likes less", name, load[from].Node, to)
			}
		}
		if len(gone) > 0 {
			return // the next listing goes on from here
		}
		for _, a := range load {
			for _, b := range load {
				if kind, ok := movable(a, b); ok && a.share(a.count()) > b.share(b.count()+1) {
					t.Fatalf("%s has %d of weight %d, %s %d of weight %d, and nothing of kind %q moves", a.Node, a.count(), a.Weight, b.Node, b.count(), b.Weight, kind)
				}
			}
		}
	})
}

func TestGroupsAreSpreadAndTagsPreferred(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		load := drawPlace(t)
		free := map[string]offer{}
		for i := range rapid.IntRange(1, 9).Draw(t, "free") {
			o := offer{class: classes.Draw(t, "class"), since: sec}
			o.Likes = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"big", "near"}), 0, 2, rapid.ID[string]).Draw(t, "likes")
			o.Apart = rapid.SampledFrom([]string{"", "g"}).Draw(t, "group")
			free[fmt.Sprint("free", i)] = o
		}
		apart := map[string]int{}
		for _, l := range load {
			apart[l.Node] = l.Apart["g"]
		}
		dealt := deal(load, free)
		for _, name := range sorted(dealt) {
			o, to := free[name], load[slices.IndexFunc(load, func(l Load) bool { return l.Node == dealt[name] })]
			for _, l := range load {
				if !l.takes(o.class) {
					continue
				}
				if l.suits(o.Wish) > to.suits(o.Wish) {
					t.Fatalf("%s likes %v and is dealt to %s, not to %s", name, o.Likes, to.Node, l.Node)
				}
				if o.Apart != "" && l.suits(o.Wish) == to.suits(o.Wish) && apart[l.Node] < apart[to.Node] {
					t.Fatalf("%s is dealt to %s with %d of its group, beside %s with %d", name, to.Node, apart[to.Node], l.Node, apart[l.Node])
				}
			}
			if o.Apart != "" {
				apart[to.Node]++
			}
		}
	})
}

// Whatever the wishes: handing over comes to rest, and then nobody could be better off.
func TestWishesComeToRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type lease struct {
			Wish
			holder int
		}
		nodes := drawLoad(t, oneClass)
		all := map[string]*lease{}
		for i := range rapid.IntRange(1, 12).Draw(t, "leases") {
			l := &lease{holder: rapid.IntRange(0, len(nodes)-1).Draw(t, "holder")}
			l.Likes = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"big", "near"}), 0, 1, rapid.ID[string]).Draw(t, "likes")
			l.Apart = rapid.SampledFrom([]string{"", "g", "h"}).Draw(t, "group")
			all[fmt.Sprintf("l%02d", i)] = l
		}
		for i := range nodes {
			nodes[i].Weight = rapid.IntRange(1, 3).Draw(t, "weight")
			nodes[i].Tags = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"big", "near"}), 0, 2, rapid.ID[string]).Draw(t, "tags")
		}
		for round := 0; ; round++ {
			for i := range nodes {
				nodes[i].Holds, nodes[i].Apart, nodes[i].Stays = map[string]int{}, map[string]int{}, 0
			}
			for _, l := range all {
				if l.Apart != "" {
					nodes[l.holder].Apart[l.Apart]++
					nodes[l.holder].Stays++
				} else {
					nodes[l.holder].Holds[l.kind("x")]++
				}
			}
			free := map[string]offer{}
			for i, n := range nodes {
				s := State{Node: n.Node, Takes: n.Takes, load: nodes, grants: map[string]*grant{}}
				for name, l := range all {
					if l.holder == i {
						s.grants[name] = &grant{class: "x", Wish: l.Wish}
					}
				}
				for _, a := range s.balance(0, nil) {
					free[a.Lease] = offer{class: "x", Wish: all[a.Lease].Wish, since: sec}
				}
			}
			if len(free) == 0 {
				for name, l := range all {
					h := nodes[l.holder]
					for _, n := range nodes {
						if n.suits(l.Wish) > h.suits(l.Wish) {
							t.Fatalf("%s likes %v and rests with %s beside %s", name, l.Likes, h.Node, n.Node)
						}
						if n.suits(l.Wish) == h.suits(l.Wish) && h.Apart[l.Apart] > n.Apart[l.Apart]+1 {
							t.Fatalf("%s rests with %d of its group on %s, beside %d on %s", name, h.Apart[l.Apart], h.Node, n.Apart[l.Apart], n.Node)
						}
					}
				}
				return
			}
			if round > 40 {
				t.Fatalf("still moving: %v", sorted(free))
			}
			for name, o := range free {
				if h := &nodes[all[name].holder]; o.Apart != "" {
					h.Apart[o.Apart]--
					h.Stays--
				} else {
					h.Holds[o.kind("x")]--
				}
			}
			for name, to := range deal(nodes, free) {
				all[name].holder = slices.IndexFunc(nodes, func(l Load) bool { return l.Node == to })
			}
		}
	})
}

func TestMovesOfClassesComeToAnEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		load := drawLoad(t, someClasses)
		for _, l := range load {
			for class, n := range moves(load, l.Node) {
				if n > 0 && !slices.Contains(l.Takes, class) {
					t.Fatalf("%s gives %d of class %s, which it never had", l.Node, n, class)
				}
			}
		}
	})
}

func TestOneAttemptMayBeLostUnderAllTerms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		long := rapid.Int64Range(int64(50*time.Millisecond), int64(10*time.Minute))
		terms := Terms{TTL: time.Duration(long.Draw(t, "ttl")), Heartbeat: time.Duration(long.Draw(t, "heartbeat")), Margin: time.Duration(long.Draw(t, "margin"))}
		if terms.Validate() != nil {
			return
		}
		if next := terms.Heartbeat + terms.Attempt() + terms.Heartbeat/3; next >= terms.Trust() {
			t.Fatalf("%+v: the attempt after a lost one begins %v after the last acknowledged, trust lasts %v", terms, next, terms.Trust())
		}
	})
}

func TestTheClockIsOffByHalfADelayAtMost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c Clock
		host, offset := time.Unix(1_000_000, 0), time.Duration(rapid.Int64Range(-1e15, 1e15).Draw(t, "offset"))
		delay := rapid.Int64Range(0, int64(3*time.Second))
		for range rapid.IntRange(1, 60).Draw(t, "samples") {
			host = host.Add(time.Duration(rapid.Int64Range(0, 1e10).Draw(t, "pause")))
			if rapid.IntRange(0, 9).Draw(t, "step") == 0 {
				offset += time.Duration(rapid.Int64Range(-1e13, 1e13).Draw(t, "by"))
			}
			there, back := time.Duration(delay.Draw(t, "there")), time.Duration(delay.Draw(t, "back"))
			began, received := host, host.Add(there+back)
			c.Observe(began, received, began.Add(there+offset))
			host = received
			if off := c.at(host).Sub(host.Add(offset)).Abs(); off > max(c.delay, there+back)*3/2+time.Millisecond {
				t.Fatalf("off by %v with samples of %v and %v", off, c.delay, there+back)
			}
		}
	})
}
