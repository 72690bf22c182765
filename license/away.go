package license

import (
	"fmt"
	"time"
)

// block is escrow of a pool.
type block struct {
	left  int           // seats that may yet be granted
	until time.Duration // and until when, on the own clock
	due   time.Duration // when to ask again
	more  time.Duration // and when, if some are missing
}

// fromEscrow grants a seat that was kept in advance.
func (s *State) fromEscrow(now time.Duration, key Use, u *use) bool {
	b, weight := s.blocks[key.Pool], max(s.pools[key.Pool].Weight, 1)
	if b == nil || b.left < weight || now >= b.until {
		return false
	}
	b.left -= weight
	u.how, u.seated, u.seat = opAdopt, true, Seat{Kind: Escrowed}
	s.moves++
	s.push(key, u)
	return true
}

// overdue decides what the database did not in time.
func (s *State) overdue(now time.Duration) (out []Action) {
	for key, u := range s.uses {
		out = append(out, s.decide(now, key, u)...)
	}
	return out
}

// decide answers who has waited too long, or would: out of escrow, by the pool's
// grace, or no.
func (s *State) decide(now time.Duration, key Use, u *use) []Action {
	switch {
	case !u.wanted || u.seated || len(u.waiting) == 0:
		return nil
	case now-u.asked < s.Patience && (!s.away || now-s.since < s.Patience):
		return nil
	case s.fromEscrow(now, key, u):
		return s.letIn(key, u, true)
	case s.away && now-s.since < s.pools[key.Pool].Grace:
		u.how, u.seated, u.seat = opAgain, true, Seat{Kind: Graced}
		s.moves++
		s.push(key, u)
		return s.letIn(key, u, true)
	}
	u.wanted = false
	s.push(key, u)
	return append(s.turnAway(key, u, fmt.Errorf("%s: %w", key.Pool, ErrAway)), s.forget(key, u)...)
}

// kept is escrow. What was granted of it and not told yet is still counted there.
func (s *State) kept(e Kept) {
	s.flying, s.away = false, false
	b := s.blocks[e.Call.Keep]
	if b == nil || e.Call.Incarnation != s.life {
		return
	}
	left := e.Seats
	for key, u := range s.uses {
		if key.Pool == e.Call.Keep && u.how == opAdopt && u.known != present {
			left -= max(s.pools[key.Pool].Weight, 1)
		}
	}
	b.left, b.until, b.due = max(left, 0), e.Began+e.Lasts-e.Lasts/10, e.Began+e.Lasts/3
	b.more = e.Began + min(2*s.Patience, e.Lasts/3)
	switch {
	case s.closing:
		b.left = 0
		fallthrough
	case s.pools[e.Call.Keep].Escrow == 0:
		delete(s.blocks, e.Call.Keep)
	}
}
