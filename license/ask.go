package license

import (
	"slices"
	"time"
)

// batchSize is how many uses one call is about at most.
const batchSize = 256

// push makes sure that a use is told of.
func (s *State) push(key Use, u *use) {
	if !u.queued && u.op() != "" {
		u.queued = true
		s.queue = append(s.queue, key)
	}
}

// op is what must be said of a use.
func (u *use) op() Op {
	switch {
	case u.wanted && u.known != present:
		return u.how
	case !u.wanted && u.known != absent:
		return u.leave
	}
	return ""
}

// Next is what to ask the database now; nothing while a call is under way.
func (s *State) Next(now time.Duration) (Call, bool) {
	if s.flying || s.life == 0 || now < s.retry {
		return Call{}, false
	}
	call := Call{Number: s.number + 1, Incarnation: s.life}
	for _, name := range sorted(s.blocks) {
		b, want := s.blocks[name], s.pools[name].Escrow*max(s.pools[name].Weight, 1)
		if now >= b.due || b.left < want && now >= b.more {
			call.Keep, call.Former = name, slices.Clone(s.former)
			if !s.closing {
				call.Want = want
			}
			b.left = min(b.left, call.Want) // fewer are counted on before fewer are asked for
			break
		}
	}
	if call.Keep == "" {
		call.Batch = s.batch()
	}
	if call.Keep == "" && len(call.Batch) == 0 && !s.away {
		return Call{}, false
	}
	s.number++
	s.flying = true
	return call, true
}

func (s *State) batch() (items []Item) {
	n := 0
	for _, key := range s.queue {
		if len(items) == batchSize {
			break
		}
		n++
		u := s.uses[key]
		u.queued = false
		op := u.op()
		if op == "" {
			s.later = append(s.later, s.forget(key, u)...)
			continue
		}
		items = append(items, Item{Op: op, Use: key})
		// Until it is answered nobody knows.
		u.known = unknown
	}
	s.queue = slices.Delete(s.queue, 0, n)
	return items
}

func (s *State) answered(now time.Duration, e Answered) (out []Action) {
	s.flying, s.away = false, false
	for i, item := range e.Call.Batch {
		u := s.uses[item.Use]
		if u == nil || e.Call.Incarnation != s.life {
			continue // another life began meanwhile: what that one had is void
		}
		out = append(out, s.reply(now, item, u, e.Replies[i])...)
	}
	return out
}

// reply takes in what the database says of one use.
func (s *State) reply(now time.Duration, item Item, u *use, r Reply) (out []Action) {
	key := item.Use
	switch r.Answer {
	case "granted", "shared", "held":
		u.known, u.seat, u.how = present, r.Seat, opOut
		if b := s.blocks[key.Pool]; b != nil && item.Op == opAdopt {
			b.more = now // another of what is kept; this one, when somebody else brought the seat
		}
		if u.wanted {
			if !u.seated {
				u.touched.Store(int64(now)) // whoever waited long does not idle yet
			}
			u.seated = true
			s.moves++
			out = s.letIn(key, u, false)
		}
	case "released", "kept", "none":
		u.known = absent
		out = s.letGo(key, u)
	case "denied":
		u.known = absent
		if u.wanted && !u.seated {
			if s.fromEscrow(now, key, u) {
				out = s.letIn(key, u, true)
			} else {
				u.wanted = false
				out = s.turnAway(key, u, &DeniedError{Pool: key.Pool, Reason: r.Reason})
			}
		}
	case "wait":
		u.known = absent // asked again, until patience ends
		s.retry = now + s.Patience/10
	default:
		u.known = absent
		err := ErrName
		if r.Answer == "no_pool" {
			err = ErrNoPool
		}
		u.wanted, u.seated = false, false
		s.moves++
		out = s.turnAway(key, u, err)
	}
	s.push(key, u)
	return append(out, s.forget(key, u)...)
}

func (s *State) failed(now time.Duration, c Call) (out []Action) {
	s.flying = false
	if !s.away {
		s.away, s.since = true, now
	}
	s.retry = now + s.Patience/4
	for _, item := range c.Batch {
		if u := s.uses[item.Use]; u != nil {
			s.push(item.Use, u)
			if !u.wanted {
				out = append(out, s.letGo(item.Use, u)...)
			}
		}
	}
	return out
}

// sorted lists the names in a map in order, so that a replay is exact.
func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
