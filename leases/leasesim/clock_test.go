package leasesim

import (
	"testing"
	"time"
)

// A clock that is set right while all clocks of its host stand still goes on standing still,
// and is right when they go on.
func TestAClockThatStandsStillTakesUpItsRateLater(t *testing.T) {
	w := newWorld(Plan{}, someTerms[0])
	h := w.add("a", 0)
	h.turn(3000)
	w.run(time.Second)
	h.suspend(10*time.Second, true)
	stood := h.own()
	w.run(5 * time.Second)
	h.turn(1000)
	w.run(3 * time.Second)
	if h.own() != stood {
		t.Errorf("it went on for %v while it stood still", h.own()-stood)
	}
	w.run(2 * time.Second)
	woke := h.own()
	w.run(time.Second)
	if went := h.own() - woke; went != time.Second {
		t.Errorf("it goes %v in a second", went)
	}
}
