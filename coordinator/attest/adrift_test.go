package attest

import (
	"testing"
	"time"

	"github.com/coterie-ha/coterie/appdata"
)

// What a look may still write that nobody heard of again counts as written for a
// minute after all looks were heard of, and never while one is stuck.
func TestARoundIsAdriftForAMinute(t *testing.T) {
	stuck := 0
	m := Member{said: 9, Stuck: func() int { return stuck }}
	now := time.Now()
	hung := &appdata.Condition{State: appdata.Hung}
	well := &appdata.Condition{State: appdata.OK, Words: &appdata.Words{Kept: true}}
	floor := func(want int64, after time.Duration) {
		t.Helper()
		if got := m.floor(now.Add(after)); got != want {
			t.Errorf("after %v the floor is %d, want %d", after, got, want)
		}
	}
	floor(9, 0)
	m.adrift.heard(hung, 10, now)
	m.said = 12
	floor(10, 0)
	m.adrift.heard(hung, 11, now) // the lowest stands
	floor(10, time.Hour)          // it hangs
	m.adrift.heard(well, 12, now)
	floor(10, drifts)
	stuck = 1
	floor(10, time.Hour)
	stuck = 0
	m.adrift.heard(well, 13, now.Add(time.Hour))
	floor(10, time.Hour+drifts)
	floor(12, time.Hour+drifts+1)
	floor(12, time.Hour+2*drifts)
	// What was said before it went adrift is not lowered.
	m.adrift.heard(hung, 14, now)
	floor(12, 0)
}
