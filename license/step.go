package license

import (
	"slices"
	"time"
)

// Step takes in what happened at a moment of the node's own clock, and says what
// to answer.
func (s *State) Step(now time.Duration, e Event) []Action {
	out := s.step(now, e)
	out = append(out, s.later...)
	s.later = nil
	return out
}

func (s *State) step(now time.Duration, e Event) []Action {
	if s.uses == nil {
		s.uses, s.blocks, s.pools = map[Use]*use{}, map[string]*block{}, map[string]Pool{}
	}
	switch e := e.(type) {
	case Asked:
		return s.asked(now, e)
	case Shown:
		return s.shown(now, e.Use)
	case Left:
		return s.left(e)
	case Gone:
		s.gone(e)
	case Recalled:
		s.recalled(now, e.Uses)
	case Began:
		s.began(e.Incarnation)
	case Learned:
		s.learned(e.Pools)
	case Answered:
		return s.answered(now, e)
	case Kept:
		s.kept(e)
	case Failed:
		return append(s.failed(now, e.Call), s.overdue(now)...)
	case Elapsed:
		s.idle(now)
		return s.overdue(now)
	case Stopped:
		s.closing = true
		for _, b := range s.blocks {
			b.left, b.due = 0, now // first not granted any more, then given back
		}
	}
	return nil
}

func (s *State) asked(now time.Duration, e Asked) []Action {
	u := s.uses[e.Use]
	if u == nil {
		u = &use{user: e.User, how: opOut, leave: opIn}
		s.uses[e.Use] = u
	}
	if e.User != u.user && e.User != 0 && u.user != 0 && u.wanted {
		return []Action{{Ticket: e.Ticket, Use: e.Use, Err: ErrForeign}}
	}
	u.touched.Store(int64(now))
	if u.wanted && u.seated {
		return []Action{{Ticket: e.Ticket, Use: e.Use, Seat: u.seat}}
	}
	out := s.letGo(e.Use, u) // whoever just gave it back has done so
	if !u.wanted {
		// It may be on its way out; then it comes in again behind that.
		u.user, u.wanted, u.seen, u.how, u.leave = e.User, true, false, opOut, opIn
		if u.known == present {
			u.known = unknown
		}
	}
	if len(u.waiting) == 0 {
		u.asked = now
	}
	u.waiting = append(u.waiting, e.Ticket)
	s.push(e.Use, u)
	return append(out, s.decide(now, e.Use, u)...)
}

// shown is somebody at work: seated here and now, and said to be so.
func (s *State) shown(now time.Duration, key Use) []Action {
	u := s.uses[key]
	if u == nil {
		u = &use{leave: opIn}
		s.uses[key] = u
	}
	u.touched.Store(int64(now))
	if u.wanted && u.seated {
		return nil
	}
	out := s.letGo(key, u)
	if u.known == present {
		u.known = unknown
	}
	u.wanted, u.seated, u.seen, u.how, u.leave = true, true, true, opAgain, opIn
	s.moves++
	s.push(key, u)
	return append(out, s.letIn(key, u, false)...)
}

func (s *State) left(e Left) []Action {
	u := s.uses[e.Use]
	switch {
	case u == nil:
		return []Action{{Ticket: e.Ticket, Use: e.Use, Err: ErrNotHeld}}
	case e.User != u.user && e.User != 0 && u.wanted:
		return []Action{{Ticket: e.Ticket, Use: e.Use, Err: ErrForeign}}
	}
	out := s.turnAway(e.Use, u, ErrNotHeld)
	u.wanted, u.seated = false, false
	s.moves++
	u.leaving = append(u.leaving, e.Ticket)
	s.push(e.Use, u)
	if s.away {
		// It is given back as soon as somebody listens; who leaves does not wait for that.
		return append(out, s.letGo(e.Use, u)...)
	}
	return append(out, s.forget(e.Use, u)...)
}

// turnAway tells all who wait to be let in that they are not.
func (s *State) turnAway(key Use, u *use, err error) (out []Action) {
	for _, t := range u.waiting {
		out = append(out, Action{Ticket: t, Use: key, Err: err})
	}
	u.waiting = nil
	return out
}

// letGo tells all who wait to have left that they have.
func (s *State) letGo(key Use, u *use) (out []Action) {
	for _, t := range u.leaving {
		out = append(out, Action{Ticket: t, Use: key})
	}
	u.leaving = nil
	return out
}

// forget drops a use that nobody wants and the database does not have.
func (s *State) forget(key Use, u *use) []Action {
	if u.wanted || u.known != absent {
		return nil
	}
	out := s.letGo(key, u)
	if !u.queued {
		delete(s.uses, key)
	}
	return out
}

// gone is somebody who hung up: what nobody waits for is not wanted.
func (s *State) gone(e Gone) {
	u := s.uses[e.Use]
	if u == nil {
		return
	}
	same := func(t int) bool { return t == e.Ticket }
	u.waiting = slices.DeleteFunc(u.waiting, same)
	u.leaving = slices.DeleteFunc(u.leaving, same)
	if u.wanted && !u.seated && len(u.waiting) == 0 {
		u.wanted = false
		s.push(e.Use, u)
		s.later = append(s.later, s.forget(e.Use, u)...)
	}
}

// began is another life: what the former had is void, and whoever is at work is
// said to be.
func (s *State) began(incarnation int64) {
	if incarnation == s.life {
		return
	}
	if s.life != 0 {
		s.former = append(s.former, s.life)
	}
	s.life, s.number, s.retry = incarnation, 0, 0
	for key, u := range s.uses {
		if u.how == opAdopt && u.known == unknown && s.blocks[key.Pool] != nil {
			// Its seat may have been taken out of escrow already, and was void with the life
			// before; another one will be. How many are left then, only the database knows.
			s.blocks[key.Pool].left = 0
		}
		u.known = absent
		switch {
		case u.seated && u.how != opAdopt:
			u.how = opAgain
		case !u.wanted:
			s.later = append(s.later, s.forget(key, u)...)
			continue
		}
		s.push(key, u)
	}
	for _, b := range s.blocks {
		b.due = 0 // it must be this life's before anything else
	}
}

func (s *State) learned(pools []Pool) {
	s.pools = map[string]Pool{}
	for _, p := range pools {
		s.pools[p.Name] = p
		if p.Escrow > 0 && s.blocks[p.Name] == nil {
			s.blocks[p.Name] = &block{}
		}
	}
}

// letIn tells all who wait that they have a seat.
func (s *State) letIn(key Use, u *use, record bool) (out []Action) {
	for i, t := range u.waiting {
		out = append(out, Action{Ticket: t, Use: key, Seat: u.seat, Record: record && i == 0})
	}
	u.waiting = nil
	return out
}

// Refuse takes back what could not be written down.
func (s *State) Refuse(key Use) {
	if u := s.uses[key]; u != nil && u.seated && u.seat.Kind == Graced {
		u.wanted, u.seated = false, false
		s.moves++
		s.push(key, u)
		s.later = append(s.later, s.forget(key, u)...)
	}
}

// idle gives back what was not renewed for too long.
func (s *State) idle(now time.Duration) {
	for key, u := range s.uses {
		limit := s.pools[key.Pool].Idle
		if u.wanted && u.seated && limit > 0 && now-time.Duration(u.touched.Load()) > limit {
			u.wanted, u.seated, u.leave = false, false, opIdle
			s.moves++
			s.push(key, u)
		}
	}
}
