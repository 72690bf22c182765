package jobs

import (
	"container/heap"
	"time"
)

// wakeAtLeast bounds each wait for a slot: the estimate of the database's time
// may have been set right meanwhile.
const wakeAtLeast = time.Minute

// alarm wakes jobs at times of the database: one timer for all, set to the first.
// The minder's lock guards it.
type alarm struct {
	timer *time.Timer
	jobs  sleepers
}

// sleepers are a heap, the first to be woken first.
type sleepers []*held

func (s sleepers) Len() int           { return len(s) }
func (s sleepers) Less(i, j int) bool { return s[i].wake.Before(s[j].wake) }
func (s sleepers) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].place, s[j].place = int32(i)+1, int32(j)+1
}

// Push and Pop are for package heap.
func (s *sleepers) Push(h any) {
	job := h.(*held) //nolint:forcetypeassert // nothing else is pushed
	job.place = int32(len(*s)) + 1
	*s = append(*s, job)
}

func (s *sleepers) Pop() any {
	last := len(*s) - 1
	job := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	job.place = 0
	return job
}

// arm has a job woken at an instant, or not at all if it is zero.
func (r *Runner) arm(h *held, until time.Time) {
	m := &r.minder
	m.mu.Lock()
	defer m.mu.Unlock()
	a := &m.alarm
	first := len(a.jobs) > 0 && a.jobs[0] == h
	if h.place > 0 {
		heap.Remove(&a.jobs, int(h.place)-1)
	}
	if h.wake = until; !until.IsZero() && !h.gone {
		heap.Push(&a.jobs, h)
	}
	if first || len(a.jobs) > 0 && a.jobs[0] == h {
		r.set()
	}
}

// disarm forgets a job. The minder's lock is held.
func (a *alarm) disarm(h *held) {
	if h.place > 0 {
		heap.Remove(&a.jobs, int(h.place)-1)
	}
}

// set sets the timer to the first that is to be woken. The minder's lock is held.
func (r *Runner) set() {
	a := &r.minder.alarm
	if len(a.jobs) == 0 {
		a.timer.Stop()
		return
	}
	a.timer.Reset(max(0, min(wakeAtLeast, a.jobs[0].wake.Sub(r.Now()))))
}

// ring wakes those whose time has come.
func (r *Runner) ring() {
	m := &r.minder
	m.mu.Lock()
	defer m.mu.Unlock()
	a := &m.alarm
	for now := r.Now(); len(a.jobs) > 0 && !a.jobs[0].wake.After(now); {
		h := a.jobs[0]
		heap.Pop(&a.jobs)
		h.tell(sawTime)
	}
	r.set()
}
