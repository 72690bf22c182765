package leasesim

import (
	"testing"
	"time"
)

// The limit of what clocks can do. A hypervisor that pauses a machine, or wakes it
// from a snapshot, stops its clocks too: the node believes in its session although
// others have waited for it by theirs. That two hold a lease then is not prevented,
// by nobody. What such a holder does afterwards is refused by its token.
func TestAHostWhoseClocksStoodStillIsStoppedByItsTokenOnly(t *testing.T) {
	var all Outcome
	overlaps := 0
	for seed := range uint64(20) {
		w := newWorld(Plan{Seed: seed}, someTerms[0])
		w.check.stunned = true
		w.populate()
		w.mixed = true // loads and moves are no matter here
		w.quiet()
		for range 30 {
			w.calm = false
			h := w.hosts[w.rand.IntN(len(w.hosts))]
			h.suspend(w.between(0, 3*w.worst.TTL), true)
			w.run(w.between(0, 4*w.worst.TTL))
			w.heal()
			w.run(4 * w.worst.TTL)
		}
		for _, wrong := range w.check.Violations {
			t.Errorf("seed %d: %s", seed, wrong)
		}
		overlaps += w.check.Overlaps
		all.add(Outcome{Counts: w.Counts})
	}
	t.Logf("%d overlaps; %d effects, %d assertions refused", overlaps, all.Effects, all.Refused)
	if overlaps < 10 {
		t.Errorf("%d overlaps: this is not the limit that it is said to be", overlaps)
	}
	if all.Effects < 1000 || all.Refused < 20 {
		t.Errorf("%d effects, %d assertions refused: too few to prove anything", all.Effects, all.Refused)
	}
}

// Within half a margin it is none: the margin bears so much.
func TestAShortPauseOfAllClocksIsBorneByTheMargin(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(Plan{Seed: seed}, someTerms[0])
		w.populate()
		w.quiet()
		for range 30 {
			w.calm = false
			w.hosts[w.rand.IntN(len(w.hosts))].suspend(w.db.cluster.setting.Margin/4, true)
			w.run(w.between(0, 2*time.Second))
			w.heal()
			w.run(w.worst.TTL)
		}
		for _, wrong := range w.check.Violations {
			t.Errorf("seed %d: %s", seed, wrong)
		}
	}
}
