//go:build linux

package chaos

import (
	"cmp"
	"slices"

	"github.com/coterie-ha/coterie/test/cluster"
)

// belief is the life of one program of a job: from its first sign to its last.
type belief struct {
	job      string
	node     string
	token    int64
	pid      int
	from, to int64
	acts     []int64
}

// Asleep is the time in which all processes of a node stand still, its
// supervisor too: nobody can end its programs before it wakes.
const Asleep = "asleep"

// afterThaw is how long a program of a host that was frozen may live on when
// the host wakes: its supervisor asks it to stop, and kills it after a grace.
const afterThaw = int64(1500e6)

// beliefs checks that no two programs of one lease live at one instant.
func (h *History) beliefs(v *violations) {
	byJob := map[string][]*belief{}
	for _, b := range believers(h.Testimonies) {
		byJob[b.job] = append(byJob[b.job], b)
	}
	for job, all := range byJob {
		slices.SortFunc(all, func(a, b *belief) int { return cmp.Compare(a.from, b.from) })
		for i, old := range all {
			for _, next := range all[i+1:] {
				if next.from > old.to {
					break
				}
				if h.slept(old, next) {
					continue
				}
				v.add("beliefs", "%s: the program of %s with token %d (process %d) was alive %v after that of %s with token %d (process %d) began%s",
					job, old.node, old.token, old.pid, ms(old.to-next.from), next.node, next.token, next.pid, h.around(old.from, old.to))
			}
		}
	}
}

// slept tells whether the older program's host was frozen when the next one
// began, and ended it soon after it woke.
func (h *History) slept(old, next *belief) bool {
	return slices.ContainsFunc(h.Faults, func(f Fault) bool {
		return f.Kind == Asleep && f.Node == old.node && f.From < next.from && old.to < f.To+afterThaw && !actedIn(old, f.From, f.To)
	})
}

func actedIn(b *belief, from, to int64) bool {
	return slices.ContainsFunc(b.acts, func(at int64) bool { return from < at && at < to })
}

// believers gathers the testimonies of each program.
func believers(all []cluster.Testimony) []*belief {
	type id struct {
		job   string
		token int64
		pid   int
	}
	known := map[id]*belief{}
	var list []*belief
	for _, t := range all {
		b := known[id{t.Job, t.Token, t.PID}]
		if b == nil {
			b = &belief{job: t.Job, node: t.Node, token: t.Token, pid: t.PID, from: t.From, to: t.At}
			known[id{t.Job, t.Token, t.PID}] = b
			list = append(list, b)
		}
		b.from, b.to = min(b.from, t.From), max(b.to, t.At)
		b.acts = append(b.acts, t.At)
	}
	return list
}
