package jobs

import (
	"slices"
	"sync"
)

// seats bounds how many runs are open on this node. Who finds none waits, and is
// told when one is free: the highest priority first, and of equals who came first.
type seats struct {
	mu      sync.Mutex // guards the fields below
	most    int        // 0 for any number
	taken   map[*held]bool
	waiting []waiter
}

type waiter struct {
	who      *held
	priority int
}

// take gives a seat, unless all are taken or somebody waits who comes first.
func (s *seats) take(h *held, priority int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.most == 0 || s.taken[h] {
		return true
	}
	place := slices.IndexFunc(s.waiting, func(w waiter) bool { return w.who == h })
	if place < 0 {
		if place = slices.IndexFunc(s.waiting, func(w waiter) bool { return w.priority < priority }); place < 0 {
			place = len(s.waiting)
		}
		s.waiting = slices.Insert(s.waiting, place, waiter{h, priority})
	}
	if len(s.taken)+place >= s.most {
		return false
	}
	s.forget(h)
	if s.taken == nil {
		s.taken = map[*held]bool{}
	}
	s.taken[h] = true
	return true
}

// leave gives a seat back, or a place among those who wait.
func (s *seats) leave(h *held) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.taken, h)
	s.forget(h)
	for i := 0; i < len(s.waiting) && i < s.most-len(s.taken); i++ {
		select {
		case s.waiting[i].who.vacant <- struct{}{}:
		default: // told already
		}
	}
}

func (s *seats) forget(h *held) {
	s.waiting = slices.DeleteFunc(s.waiting, func(w waiter) bool { return w.who == h })
}
