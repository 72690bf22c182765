//go:build linux

package chaos

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

// slot is one due instant of a job.
type slot struct {
	job string
	due int64 // in nanoseconds since 1970
}

// slots checks that each due slot up to the last one that has a row has exactly
// one, that programs ran only for slots that say so, and each at most once.
func (h *History) slots(v *violations) {
	const promise = "slots"
	rows := map[slot]Run{}
	for _, r := range h.Runs {
		at := slot{r.Job, r.Due.UnixNano()}
		if _, twice := rows[at]; twice {
			v.add(promise, "%s at %v has two rows", r.Job, r.Due)
		}
		rows[at] = r
	}
	for _, j := range h.Jobs {
		j.gaps(v, h.Runs)
	}
	began, ended := map[slot]cluster.Testimony{}, map[slot]bool{}
	for _, t := range h.Testimonies {
		at := slot{t.Job, t.Due.UnixNano()}
		switch t.Deed {
		case cluster.Began:
			if was, twice := began[at]; twice {
				v.add(promise, "%s at %v was run twice: by %s with token %d and by %s with token %d", t.Job, t.Due, was.Node, was.Token, t.Node, t.Token)
			}
			began[at] = t
			if r, ok := rows[at]; !ok || r.Node != t.Node || r.Token != t.Token {
				v.add(promise, "%s at %v was run by %s with token %d, and its row says %+v", t.Job, t.Due, t.Node, t.Token, r)
			}
		case cluster.Ended:
			ended[at] = true
		}
	}
	for at, r := range rows {
		if r.Outcome == "succeeded" && !ended[at] {
			v.add(promise, "%s at %v succeeded, and its program did not end by itself", r.Job, r.Due)
		}
	}
}

// standsFor is how a row says that it stands also for older slots.
var standsFor = regexp.MustCompile(`this row stands also for (\d+) slots`)

// gaps finds slots of the grid that have no row.
func (j Job) gaps(v *violations, runs []Run) {
	var mine []Run
	for _, r := range runs {
		if r.Job == j.Name {
			mine = append(mine, r)
		}
	}
	slices.SortFunc(mine, func(a, b Run) int { return cmp.Compare(a.Due.UnixNano(), b.Due.UnixNano()) })
	next := j.First
	for _, r := range mine {
		if m := standsFor.FindStringSubmatch(r.Reason); m != nil {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				v.add("slots", "%s at %v stands for %q", r.Job, r.Due, m[1])
			}
			next = next.Add(j.Every * time.Duration(n))
		}
		if !r.Due.Equal(next) {
			v.add("slots", "%s: after what is accounted for comes %v, and not %v", j.Name, r.Due, next)
		}
		next = r.Due.Add(j.Every)
	}
}
