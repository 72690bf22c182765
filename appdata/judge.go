package appdata

import (
	"slices"
	"time"
)

// A write slower than slowWrite is felt by people; below quickWrite nobody
// complains any more. Between the two the last verdict stands.
const (
	slowWrite  = 60 * time.Millisecond
	quickWrite = 20 * time.Millisecond

	samples = 5 // writes that are looked at together: one slow write is no news
)

// Judge turns single probes into a verdict that does not flutter. Bad news
// counts at once; good news when it was seen twice in a row; slowness when most
// of the last writes were slow. Its zero value is ready.
type Judge struct {
	took   []time.Duration
	slow   bool
	stands *Condition // the verdict before
	better int        // probes in a row that found a better state than stands
}

// Next takes what a probe found and says what counts now.
func (j *Judge) Next(c Condition) Condition {
	if j.isSlow(c.Latency) {
		c.worsen(Degraded, "most writes take longer than %v", slowWrite)
	}
	if j.stands != nil && j.stands.State.worseThan(c.State) {
		j.better++
		if j.better < 2 {
			return *j.stands
		}
	}
	j.better = 0
	j.stands = &c
	return c
}

func (j *Judge) isSlow(took time.Duration) bool {
	if took == 0 {
		return j.slow // nothing was written
	}
	j.took = append(j.took, took)
	if len(j.took) > samples {
		j.took = j.took[1:]
	}
	if len(j.took) <= samples/2 {
		return j.slow
	}
	sorted := slices.Sorted(slices.Values(j.took))
	// Of an even number the lower middle: in doubt the share is quick.
	switch median := sorted[(len(sorted)-1)/2]; {
	case median > slowWrite:
		j.slow = true
	case median < quickWrite:
		j.slow = false
	}
	return j.slow
}
