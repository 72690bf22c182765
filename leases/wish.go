package leases

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// A wish is where a lease would rather be: with a node that has the tags which it
// likes, or not beside others of its group.

// suits is how many of the tags that a lease likes a node has.
func (l Load) suits(w Wish) int {
	n := 0
	for _, tag := range w.Likes {
		if slices.Contains(l.Tags, tag) {
			n++
		}
	}
	return n
}

// misplaced are the leases with a wish that would be better elsewhere, of those
// that balance may ask for.
func (s *State) misplaced(now time.Duration, names []string) map[string]bool {
	load := s.living()
	me := slices.IndexFunc(load, func(l Load) bool { return l.Node == s.Node })
	if me < 0 {
		return nil
	}
	out, apart := map[string]bool{}, map[string]int{}
	maps.Copy(apart, load[me].Apart)
	for _, name := range names { // those on their way count first
		if g := s.grants[name]; g.Apart != "" && g.phase > holding && !g.retry {
			apart[g.Apart]--
		}
	}
	for _, name := range names {
		g := s.grants[name]
		if len(g.Likes) == 0 && g.Apart == "" || !s.yields(now, name) {
			continue
		}
		mine, least := load[me].suits(g.Wish), apart[g.Apart]
		for _, l := range load {
			if l.Node == s.Node || !l.takes(g.class) {
				continue
			}
			switch suits := l.suits(g.Wish); {
			case suits > mine:
				out[name] = true
			case suits == mine && g.Apart != "":
				least = min(least, l.Apart[g.Apart])
			}
		}
		if apart[g.Apart] > least+1 {
			out[name] = true
		}
		if out[name] && g.Apart != "" {
			apart[g.Apart]--
		}
	}
	return out
}

// kind is what balance tells leases apart by: class and tags. The database writes it so too.
func (w Wish) kind(class string) string {
	if len(w.Likes) == 0 {
		return class
	}
	return class + kindSeparator + strings.Join(w.Likes, kindSeparator)
}

const kindSeparator = "\x1f" // no name has it

func kindly(kind string) (class string, w Wish) {
	class, likes, ok := strings.Cut(kind, kindSeparator)
	if ok {
		w.Likes = strings.Split(likes, kindSeparator)
	}
	return class, w
}
