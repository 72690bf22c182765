package leases

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// beat is a heartbeat that came back.
type beat struct {
	began time.Duration // on the node's own clock
	sent  time.Time
	took  time.Duration
	Answer
	err error
}

// loop feeds the core: one heartbeat at a time is under way, and whatever
// happens meanwhile (trust ends, a holder returns, a hint arrives) is taken in
// at once.
func (s *Session) loop(ctx context.Context) error {
	var answer <-chan beat // of the heartbeat under way
	stop, stopping := ctx.Done(), false
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := s.now()
		if answer == nil && now >= s.core.Due() {
			answer = s.heartbeat(ctx, s.core.Request(now))
		}
		timer.Reset(s.core.Wake(now, answer != nil) - now)
		var acts []Action
		select {
		case <-stop:
			stop, stopping = nil, true
			acts = s.core.Step(s.now(), Stopped{})
		case <-timer.C:
			acts = s.core.Step(s.now(), Elapsed{})
		case e := <-s.in:
			acts = s.heard(e)
		case <-s.back:
			acts = s.kept()
		case b := <-answer:
			answer = nil
			acts = s.took(b)
		}
		s.act(ctx, acts)
		s.tellOver(stopping)
		s.publish()
		if s.core.Idle() && answer == nil {
			if s.core.Over() {
				return ErrLost
			}
			if stopping {
				return context.Cause(ctx)
			}
		}
	}
}

// heard takes in what was said to the session, and whatever else waits: thousands
// of holders may return at one time.
func (s *Session) heard(e Event) []Action {
	var acts []Action
	for n := 1; ; n++ {
		if r, ok := e.(Returned); ok {
			delete(s.holders, r.Lease)
		}
		acts = append(acts, s.core.Step(s.now(), e)...)
		if n == cap(s.in) {
			return acts
		}
		select {
		case e = <-s.in:
		default:
			return acts
		}
	}
}

// heartbeat sends one heartbeat, also while the node is leaving. The driver may not
// return when packets vanish: what counts then is that the attempt has taken too
// long, and the next one does not wait for it.
func (s *Session) heartbeat(ctx context.Context, r Request) <-chan beat {
	b := beat{began: s.now(), sent: time.Now()}
	rtt := s.rtt()
	answer := make(chan beat, 2) // the first counts
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.core.Terms.Attempt())
	context.AfterFunc(ctx, func() {
		late := b
		late.took, late.err = time.Since(b.sent), fmt.Errorf("heartbeat of %s: no answer in time: %w", s.Node, ctx.Err())
		answer <- late
	})
	s.wait.Go(func() {
		defer cancel()
		said := b
		said.Answer, said.err = s.callTick(ctx, r, rtt)
		said.took = time.Since(b.sent)
		answer <- said
	})
	return answer
}

// rtt is how long a heartbeat takes, told to the database: the shortest of the last
// four, because one that was slow says nothing; 0 until there are as many.
func (s *Session) rtt() time.Duration { return slices.Min(s.recent[:]) }

// clockTolerance is what the database's clock may differ from a node's between
// two heartbeats, beyond what delays explain, before it is called a step.
const clockTolerance = 500 * time.Millisecond

// stepped is how far the database's clock surely jumped between two answers: by
// what no delay of theirs explains. Nothing is decided by it.
func (s *Session) stepped(b beat, now time.Duration) time.Duration {
	last := s.answered
	if last.sent.IsZero() || !b.Alive {
		return 0
	}
	passed := b.Now.Sub(last.Now)
	least, most := b.began-s.answeredAt, now-last.began
	switch {
	case passed > most+clockTolerance:
		return passed - most
	case passed < least-clockTolerance:
		return passed - least
	}
	return 0
}

func (s *Session) took(b beat) []Action {
	now := s.now()
	var acts []Action
	var jumped time.Duration
	if b.err != nil {
		acts = s.core.Step(now, Failed{})
	} else {
		s.recent[s.beaten%len(s.recent)] = b.took
		s.beaten++
		s.Clock.Observe(b.sent, b.sent.Add(b.took), b.Now)
		acts = s.core.Step(now, Answered{Began: b.began, Answer: b.Answer})
		jumped = s.stepped(b, now)
		s.answered, s.answeredAt = b, now
		s.answered.Listing = nil // it has been taken in, and may name thousands
	}
	if s.Ticked != nil {
		s.Ticked(Tick{Err: b.err, Took: b.took, Trust: s.core.Trusted() - now, Margin: s.core.Terms.Margin, Stepped: jumped, Answer: b.Answer})
	}
	return acts
}

// act carries out what the core decided. Holders get contexts of their own:
// they end by the core's word only, with its cause.
func (s *Session) act(ctx context.Context, acts []Action) {
	for _, a := range acts {
		switch a.Do {
		case Begin:
			s.start(ctx, a)
		case Yield:
			switch h, ok := s.holders[a.Lease]; {
			case !ok || h.token != a.Token:
			case h.cancel == nil:
				s.Keep.Yield(a.Lease, a.Token)
			default:
				close(h.yield)
			}
		case End:
			switch h, ok := s.holders[a.Lease]; {
			case !ok || h.token != a.Token:
			case h.cancel == nil:
				s.Keep.End(a.Lease, a.Token, a.Cause)
			default:
				h.cancel(a.Cause)
			}
		}
	}
}

func (s *Session) start(ctx context.Context, a Action) {
	s.holders[a.Lease] = holder{token: a.Token}
	if s.keep(Grant{Lease: a.Lease, Token: a.Token}) {
		return
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	h := holder{token: a.Token, cancel: cancel, yield: make(chan struct{})}
	s.holders[a.Lease] = h
	s.wait.Go(func() {
		defer cancel(ErrMoved)
		s.Hold(ctx, Grant{Lease: a.Lease, Token: a.Token, Yield: h.yield})
		s.in <- Returned{Lease: a.Lease, Token: a.Token}
	})
}

// publish makes a snapshot for whoever looks.
func (s *Session) publish() {
	last := s.answered
	v := &View{
		Turned: time.Now(), Incarnation: s.incarnation, RTT: last.took, Terms: s.core.Terms,
		Trusted: time.Now().Add(s.core.Trusted() - s.now()),
		Mark:    s.core.Mark,
		Busy:    len(s.holders),
		Held:    s.heldNow(), Peers: last.Peers, Head: last.Head,
	}
	if !last.sent.IsZero() {
		v.Beaten = last.sent.Add(last.took)
	}
	s.view.Store(v)
}

// heldNow is what the core says is held. The list of before serves while it is the
// same: ten thousand leases need not be listed at each turn.
func (s *Session) heldNow() []Lease {
	if f := s.core.fingerprint(); s.held == nil || f != s.heldAs {
		s.held, s.heldAs = s.core.Held(), f
	}
	return s.held
}
