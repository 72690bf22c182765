package leasesim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/coterie-ha/coterie/leases"
)

// Counts tell how much happened.
type Counts struct {
	Events     int // of the simulation
	Heartbeats int
	Grants     int // holders begun
	Claims     int
	Takeovers  int // claims of a lease whose holder had no session any more
	Retakes    int // claims of a lease that the node had already
	Lost       int // contexts ended for loss of authority
	Ended      int // sessions ended by others, by a successor or by a last will
	Unknown    int // statements carried out whose client did not hear of it
	Taken      int // processes refused for another one of their name
	Eras       int // eras that began
	Asserts    int
	Refused    int // assertions refused
	Effects    int // transactions of applications committed under an assertion
	Calms      int // times that the cluster was looked at in quiet
	Moved      int // leases that changed hands because a node joined or left in quiet
}

// Outcome is what a run brought.
type Outcome struct {
	Counts
	Plan       Plan
	Faults     map[string]int
	Violations []string
	Digest     uint64 // of every step
}

// Run simulates a plan: storms of faults, each followed by quiet in which the
// cluster must recover, balance and come to rest.
func Run(plan Plan) Outcome {
	w := newWorld(plan, someTerms[0])
	w.populate()
	w.quiet()
	for w.now < plan.Length && w.check.fine() {
		w.storm(w.between(20*time.Second, 3*time.Minute))
		w.quiet()
	}
	return Outcome{Counts: w.Counts, Plan: plan, Faults: w.faults, Violations: w.check.Violations, Digest: w.digest}
}

// populate makes two to five hosts and some leases, in most runs all of one class.
func (w *world) populate() {
	if w.perMille(250) {
		w.change(someTerms[w.rand.IntN(len(someTerms))])
	}
	w.mixed = w.perMille(300)
	w.picky = w.mixed && w.perMille(500)
	for i := range 2 + w.rand.IntN(4) {
		takes := []string{"work"}
		if w.mixed && w.perMille(500) {
			takes = [][]string{{"mail"}, {"mail", "work"}, {}}[w.rand.IntN(3)]
		}
		h := w.add(string(rune('a'+i)), int64(w.rand.IntN(101)-50), takes...)
		if w.picky {
			w.db.nodes[h.name] = node{weight: 1 + w.rand.IntN(3), tags: w.tags("fast", "near")}
		}
		if w.mixed && w.perMille(300) {
			h.wants = []string{"named"}
		}
	}
	for i := range 2 + w.rand.IntN(9) {
		class := "work"
		if w.mixed && w.perMille(400) {
			class = []string{"mail", "nobody's"}[w.rand.IntN(2)]
		}
		w.db.declare(fmt.Sprintf("job/%d", i), class)
		if w.picky {
			w.db.wish(fmt.Sprintf("job/%d", i), w.wish())
		}
	}
	if w.mixed {
		w.db.declare("named", "")
	}
	for _, h := range w.hosts {
		w.after(w.between(0, 10*time.Second), func() { h.start() })
	}
	w.settled = 10 * time.Second
}

// wish is where a lease would rather be, if it cares.
func (w *world) wish() (wish leases.Wish) {
	switch w.rand.IntN(3) {
	case 0:
		wish.Likes = w.tags("fast", "near")
	case 1:
		wish.Apart = "twins"
	}
	return wish
}

func (w *world) tags(words ...string) (some []string) {
	for _, word := range words {
		if w.perMille(500) {
			some = append(some, word)
		}
	}
	return some
}

func (o *Outcome) add(other Outcome) {
	c, d := &o.Counts, other.Counts
	c.Events += d.Events
	c.Heartbeats += d.Heartbeats
	c.Grants += d.Grants
	c.Claims += d.Claims
	c.Takeovers += d.Takeovers
	c.Retakes += d.Retakes
	c.Lost += d.Lost
	c.Ended += d.Ended
	c.Unknown += d.Unknown
	c.Taken += d.Taken
	c.Eras += d.Eras
	c.Asserts += d.Asserts
	c.Refused += d.Refused
	c.Effects += d.Effects
	c.Calms += d.Calms
	c.Moved += d.Moved
	if o.Faults == nil {
		o.Faults = map[string]int{}
	}
	for name, n := range other.Faults {
		o.Faults[name] += n
	}
}

// String lists the counts and the faults.
func (o Outcome) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%+v\n", o.Counts)
	for _, name := range slices.Sorted(maps.Keys(o.Faults)) {
		fmt.Fprintf(&b, "%8d %s\n", o.Faults[name], name)
	}
	return b.String()
}
