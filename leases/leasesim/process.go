package leasesim

import (
	"errors"
	"time"

	"github.com/coterie-ha/coterie/leases"
)

// process is one run of a node's program: what leases.Session does around its
// core, with the same decisions at the same places.
type process struct {
	w           *world
	host        *host
	incarnation int64

	begins   leases.Beginning
	core     leases.State
	living   bool // the session has begun
	gone     bool
	stop     bool // asked to stop
	leaving  bool // its holders have returned, it ends its session
	underway bool
	trusted  time.Duration // before the step under way
	timer    *alarm
	holders  map[string]*holder

	frozen int           // by how many pauses
	busy   bool          // taking something in
	woke   time.Duration // real time at which the last one ended
	ready  [channels][]func()
	alarms []*alarm

	allowed float64 // heartbeats that it may send: see checker.spin
	counted time.Duration
}

// begin is Session.begin.
func (p *process) begin() {
	if p.stop {
		p.vanish()
		return
	}
	began := p.host.own()
	s := &begin{process: p, former: p.begins.Replaces(began), mark: p.w.mark}
	p.w.point(p, beginning)
	p.deliver(fromTimers, func() {
		p.call(s, callBudget, func(ok bool) {
			if !ok {
				p.again()
				return
			}
			p.told(began, s.answer)
		})
	})
}

// callBudget is the limit of a call that the session gives none: the dialer's.
const callBudget = 5 * time.Second

func (p *process) told(began time.Duration, b leases.Birth) {
	pause, err := p.begins.Told(p.host.own(), b)
	switch {
	case err != nil:
		if !errors.Is(err, leases.ErrTaken) {
			panic(err)
		}
		p.w.note("name taken", p, "", 0)
		p.w.Taken++
		p.again()
	case !b.Began:
		p.sleep(pause, p.begin)
	default:
		p.core = leases.State{Node: p.host.name, Takes: p.host.taking(), Wants: p.host.wants, Mark: p.w.mark}
		p.core.Begun(began, b.Terms, b.Era, p.begins.Seen())
		p.living = true
		p.w.note("begins", p, "", p.incarnation)
		p.turn()
	}
}

// again is what a node's program does when its session is over, or none could
// be begun: it begins another one after a pause.
func (p *process) again() {
	h := p.host
	if p.living {
		h.former = p.incarnation // none of its holders is left
	}
	p.vanish()
	p.w.after(p.w.between(100*time.Millisecond, time.Second), func() {
		if h.up && h.node() == nil {
			h.start()
		}
	})
}

// turn is the top of Session.loop: send what is due, and set the timer.
func (p *process) turn() {
	if p.gone || !p.living || p.leaving {
		return
	}
	if p.core.Idle() && !p.underway {
		switch {
		case p.core.Over():
			p.w.note("lost", p, "", p.incarnation)
			p.again()
			return
		case p.stop:
			p.leave()
			return
		}
	}
	now := p.host.own()
	if !p.underway && now >= p.core.Due() {
		p.beat(now)
	}
	if p.timer != nil {
		p.timer.stop()
	}
	p.timer = p.sleep(p.core.Wake(now, p.underway)-now, func() { p.step(leases.Elapsed{}) })
}

func (p *process) beat(now time.Duration) {
	p.underway = true
	p.w.check.spin(p)
	if p.w.perMille(100) { // the share is looked at now and then
		p.deliver(fromHolders, func() { p.step(leases.Marked{Token: p.w.mark}) })
	}
	s := &tick{process: p, request: p.core.Request(now)}
	p.w.Heartbeats++
	p.w.point(p, beating)
	switch r := s.request; {
	case len(r.Dead) > 0:
		p.w.point(p, endingDead)
	case len(r.Claim) > 0:
		p.w.point(p, claiming)
	case len(r.Release) > 0:
		p.w.point(p, releasing)
	}
	began := p.host.own()
	if p.w.plan.Trace != nil {
		p.w.say(p, "asks %+v", s.request)
	}
	p.deliver(fromTimers, func() {
		p.call(s, p.core.Terms.Attempt(), func(ok bool) {
			p.w.point(p, answered)
			p.deliver(fromDatabase, func() {
				p.underway = false
				p.hears(ok, s.answer)
				if !ok {
					p.step(leases.Failed{})
					return
				}
				p.step(leases.Answered{Began: began, Answer: s.answer})
			})
		})
	})
}

// hears adds an answer to the trace, without addresses: those differ each time.
func (p *process) hears(ok bool, a leases.Answer) {
	if p.w.plan.Trace == nil {
		return
	}
	listing := a.Listing
	a.Listing = nil
	p.w.say(p, "hears %v %+v lists %+v", ok, a, listing)
}

// step is the body of Session.loop.
func (p *process) step(e leases.Event) {
	if p.gone || !p.living || p.leaving {
		return
	}
	p.trusted = p.core.Trusted()
	actions := p.core.Step(p.host.own(), e)
	p.w.mark = max(p.w.mark, p.core.Mark)
	if p.core.Trusted() > p.trusted {
		p.w.check.extended(p)
	}
	for _, a := range actions {
		p.act(a)
	}
	p.turn()
}

// leave is Session.leave.
func (p *process) leave() {
	p.leaving = true
	p.w.note("leaves", p, "", p.incarnation)
	p.call(&end{process: p}, p.core.Terms.TTL, func(bool) { p.again() })
}

// halt asks the process to stop in good order.
func (p *process) halt() {
	p.deliver(fromHolders, func() {
		p.stop = true
		p.step(leases.Stopped{})
	})
}

// vanish is the end of the process and of all that it started.
func (p *process) vanish() {
	p.gone = true
	p.w.check.vanished(p)
	p.alarms = nil
	p.w.note("gone", p, "", p.incarnation)
}
