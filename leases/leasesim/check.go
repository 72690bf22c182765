package leasesim

import (
	"errors"
	"fmt"
	"time"

	"github.com/coterie-ha/coterie/leases"
)

// checker looks at everything that happens, with the eye of somebody who knows
// the real time and every process.
type checker struct {
	w          *world
	Violations []string

	acting  map[string][]*holder // per lease: holders that have not returned
	begun   map[string]leases.Token
	claimed map[string]leases.Token
	given   map[leases.Token]bool
	alive   map[int64]*process
	left    map[string]time.Duration // when the last holder of a lease was gone, in real time
	crashed map[string]bool          // leases whose holder's session was ended by another
	cuts    int                      // how many times the history was cut

	// A host whose own clock stood still believes for too long: with it in the world
	// two holders may believe at once, and only tokens keep their effects apart.
	stunned  bool
	Overlaps int // that were seen then
}

func newChecker(w *world) *checker {
	return &checker{
		w: w, acting: map[string][]*holder{}, begun: map[string]leases.Token{},
		claimed: map[string]leases.Token{}, given: map[leases.Token]bool{}, alive: map[int64]*process{}, crashed: map[string]bool{}, left: map[string]time.Duration{},
	}
}

// fine says that nothing was wrong so far; the first thing is what to look at.
func (c *checker) fine() bool { return len(c.Violations) == 0 }

func (c *checker) wrong(format string, args ...any) {
	if len(c.Violations) > 10 {
		return
	}
	c.Violations = append(c.Violations, fmt.Sprintf("%v: ", c.w.now)+fmt.Sprintf(format, args...))
	c.w.note("WRONG: "+c.Violations[len(c.Violations)-1], nil, "", 0)
}

// trusts says whether a process may rightly believe in its session.
func (p *process) trusts() bool { return p.living && !p.gone && p.host.own() < p.core.Trusted() }

// believes says whether a holder may rightly act: its context has not ended for
// loss of authority, and its process trusts the session. One that was asked to
// stop, and has not, still acts.
func (h *holder) believes() bool { return !errors.Is(h.cause, leases.ErrLost) && h.p.trusts() }

// begins: no other holder of the lease believes, none of the same process is
// left, and the token is higher than any before.
func (c *checker) begins(h *holder) {
	c.w.Grants++
	for _, o := range c.acting[h.lease] {
		if o.p == h.p {
			c.wrong("%s: %s begins with token %d before its holder with token %d has returned", h.lease, h.p.host.name, h.token, o.token)
		}
	}
	if last := c.begun[h.lease]; h.token <= last {
		c.wrong("%s: %s begins with token %d after token %d", h.lease, h.p.host.name, h.token, last)
	}
	c.begun[h.lease] = h.token
	c.acting[h.lease] = append(c.acting[h.lease], h)
	c.overlaps(h)
}

func (c *checker) overlaps(h *holder) {
	if !h.believes() {
		return
	}
	for _, o := range c.acting[h.lease] {
		switch {
		case o.p == h.p || !o.believes():
		case c.stunned:
			c.Overlaps++
		default:
			c.wrong("%s: %s/%d with token %d and %s/%d with token %d both hold it", h.lease,
				h.p.host.name, h.p.incarnation, h.token, o.p.host.name, o.p.incarnation, o.token)
		}
	}
}

// extended: a process trusts its session for longer than before.
func (c *checker) extended(p *process) {
	if !p.trusts() {
		return
	}
	for _, l := range c.w.db.leases {
		if h := p.holders[l.name]; h != nil {
			c.overlaps(h)
		}
	}
}

// ends: a context must not outlive the trust while its process is awake. Half a
// margin is left for what the holder started.
func (c *checker) ends(h *holder) {
	p := h.p
	if p.trusts() || p.core.Over() {
		return
	}
	// A shorter time to live may have ended the trust backwards.
	late := c.w.now - max(p.host.clock.when(max(p.core.Trusted(), p.trusted)), p.woke)
	if late > p.core.Terms.Margin/2 {
		c.wrong("%s: the holder on %s acted for %v after the trust in its session ended", h.lease, p.host.name, late)
	}
}

func (c *checker) returned(h *holder) { c.remove(h) }

func (c *checker) remove(h *holder) {
	c.left[h.lease] = c.w.now
	list := c.acting[h.lease]
	for i, o := range list {
		if o == h {
			c.acting[h.lease] = append(list[:i], list[i+1:]...)
			return
		}
	}
}

func (c *checker) vanished(p *process) {
	for _, h := range p.holders {
		c.remove(h)
	}
	delete(c.alive, p.incarnation)
}

// committed looks at what a transaction did.
func (c *checker) committed(t *tx) {
	if t.eras > 0 {
		c.w.Eras++
		if c.cuts == 0 {
			c.wrong("a new era began though the history was not cut")
		}
	}
	for _, e := range t.ended {
		c.w.Ended++
		if p := c.alive[e.incarnation]; p != nil && p.trusts() && !p.leaving && !c.stunned {
			c.wrong("the session of %s/%d was ended while it trusted it for another %v", e.node, e.incarnation, p.core.Trusted()-p.host.own())
		}
	}
	for _, cl := range t.claimed {
		c.claims(cl)
	}
}

func (c *checker) claims(cl claimed) {
	name, token := cl.after.name, cl.after.token
	c.w.Claims++
	if c.given[token] {
		c.wrong("%s: token %d was given before", name, token)
	}
	c.given[token] = true
	if last := c.claimed[name]; token <= last {
		c.wrong("%s: token %d was given after token %d", name, token, last)
	}
	c.claimed[name] = token
	switch b := cl.before; {
	case b.node == "":
	case b.node == cl.after.node && b.incarnation == cl.after.incarnation:
		c.w.Retakes++
		if p := c.alive[b.incarnation]; p != nil {
			if h := p.holders[name]; h != nil && h.token == b.token && h.cause == nil {
				c.wrong("%s: %s was given token %d while it acts with token %d", name, b.node, token, b.token)
			}
		}
	case c.w.db.held(b):
		c.wrong("%s: taken by %s while %s/%d holds it", name, cl.after.node, b.node, b.incarnation)
	}
	if c.crashed[name] {
		c.w.Takeovers++
		delete(c.crashed, name)
	}
}

// effect: an application commits what it did under a token.
func (c *checker) effect(h *holder) {
	c.w.Effects++
	if l := c.w.db.leases[c.w.db.find(h.lease)]; l.token != h.token {
		c.wrong("%s: an effect with token %d was committed after token %d was given", h.lease, h.token, l.token)
	}
}

// spin: heartbeats are sent by rhythm, or because something happened. An
// allowance grows with time and with what happens.
func (c *checker) spin(p *process) {
	const burst = 30
	own := p.host.own()
	p.allowed = min(burst, p.allowed+4*float64(own-p.counted)/float64(p.core.Terms.Heartbeat))
	p.counted = own
	if p.allowed--; p.allowed < -burst {
		c.wrong("%s sends heartbeats without need", p.host.name)
		p.allowed = burst
	}
}
