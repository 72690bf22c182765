package jobs

import "time"

const (
	longestLead = 500 * time.Millisecond
	windowSize  = 30 * time.Second
)

// window remembers the longest of what was noted in the last half minute or so.
type window struct {
	since        time.Time
	before, last time.Duration
}

func (w *window) note(now time.Time, d time.Duration) {
	if now.Sub(w.since) > windowSize {
		w.since, w.before, w.last = now, w.last, 0
	}
	w.last = max(w.last, d)
}

// noteBegun notes how long it took to begin a run.
func (r *Runner) noteBegun(took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun.note(time.Now(), took)
}

// lead is how long before they are due runs are begun: as long as it took lately,
// and a bit. A slow database, or a thousand jobs that fall due together, then make
// no action late.
func (r *Runner) lead() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	longest := max(r.begun.before, r.begun.last)
	return min(max(shortestLead, longest+longest/4), longestLead)
}
