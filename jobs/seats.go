package jobs

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// seats bounds how many runs are open on this node. Who finds none waits, and is
// told when one is free: the highest priority first, of equals the oldest slot.
type seats struct {
	mu      sync.Mutex // guards the fields below
	most    int        // 0 for any number
	taken   map[*held]bool
	waiting []waiter
	wake    func(*held)
}

type waiter struct {
	who      *held
	priority int
	due      time.Time
}

// before tells whether a waiter comes before another one.
func (w waiter) before(o waiter) bool {
	return cmp.Or(cmp.Compare(o.priority, w.priority), w.due.Compare(o.due), cmp.Compare(w.who.name, o.who.name)) < 0
}

// line puts somebody into the line, and tells whether there was one to get into.
func (s *seats) line(w waiter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.most == 0 || s.taken[w.who] || s.place(w.who) >= 0 {
		return false
	}
	at := slices.IndexFunc(s.waiting, w.before)
	if at < 0 {
		at = len(s.waiting)
	}
	s.waiting = slices.Insert(s.waiting, at, w)
	return true
}

func (s *seats) place(h *held) int {
	return slices.IndexFunc(s.waiting, func(w waiter) bool { return w.who == h })
}

// take gives a seat to who stands in line, unless the free ones are for others.
func (s *seats) take(h *held) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.most == 0 || s.taken[h] {
		return true
	}
	if len(s.taken)+s.place(h) >= s.most {
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
	for _, next := range s.left(h) {
		s.wake(next)
	}
}

// left are those who may try now, in their order.
func (s *seats) left(h *held) (next []*held) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.taken, h)
	s.forget(h)
	for i := 0; i < len(s.waiting) && i < s.most-len(s.taken); i++ {
		next = append(next, s.waiting[i].who)
	}
	return next
}

func (s *seats) forget(h *held) {
	s.waiting = slices.DeleteFunc(s.waiting, func(w waiter) bool { return w.who == h })
}
