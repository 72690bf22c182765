package leases

// Keeper acts for many leases without a goroutine for each: the session tells it
// what it would otherwise tell a Holder by a context and a channel. It is told by
// one goroutine, one thing after another, and must not block.
type Keeper interface {
	// Begin gives it authority over a lease. It calls back once, when nothing acts
	// for that lease any more, which gives the lease back; at any time, from
	// anywhere. False leaves the lease to the session's Holder.
	Begin(g Grant, back func()) bool
	// Yield wants the lease handed over as soon as it is idle.
	Yield(lease string, token Token)
	// End ends the authority, for ErrLost or ErrMoved. All that acts under it must
	// stop before another may begin, as with the context of a Holder.
	End(lease string, token Token, cause error)
	// Over tells that this life ends as soon as all leases are back, also those whose
	// authority ended before: for ErrLost or ErrMoved.
	Over(cause error)
}

// keep offers a lease to the keeper.
func (s *Session) keep(g Grant) bool {
	if s.Keep == nil {
		return false
	}
	return s.Keep.Begin(g, func() {
		s.mu.Lock()
		s.backs = append(s.backs, Returned{Lease: g.Lease, Token: g.Token})
		s.mu.Unlock()
		select {
		case s.back <- struct{}{}:
		default: // told already
		}
	})
}

// kept takes in what the keeper gave back.
func (s *Session) kept() []Action {
	s.mu.Lock()
	backs := s.backs
	s.backs = nil
	s.mu.Unlock()
	var acts []Action
	for _, r := range backs {
		delete(s.holders, r.Lease)
		acts = append(acts, s.core.Step(s.now(), r)...)
	}
	return acts
}

// tellOver tells the keeper, once, that this life ends.
func (s *Session) tellOver(stopping bool) {
	if s.Keep == nil || s.overTold || !stopping && !s.core.Over() {
		return
	}
	s.overTold = true
	if s.core.Over() {
		s.Keep.Over(ErrLost)
		return
	}
	s.Keep.Over(ErrMoved)
}
