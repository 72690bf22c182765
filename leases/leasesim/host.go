package leasesim

import (
	"slices"
	"time"

	"github.com/coterie-ha/coterie/leases"
)

// host is a machine with a node on it.
type host struct {
	w        *world
	name     string
	clock    clock         // own clock: goes on while the host sleeps
	slept    time.Duration // on its own clock; timers did not see that
	asleep   bool
	stunned  bool  // asleep, and its own clock stands still
	rate     int64 // of its own clock, when that does not stand still; per mille
	sleepers []*process
	fast     bool          // its own clock runs fast
	spared   time.Duration // until when its clocks do not stand still again
	link     link

	takes, wants []string
	drained      bool
	lives        []*process // that are not gone, and some that are
	killed       int64      // incarnation of the process that was killed last
	former       int64      // incarnation of a process that is known to be gone
	up           bool       // somebody wants the node to run
}

func (h *host) own() time.Duration { return h.clock.at(h.w.now) }

// timers is the clock that timers run on.
func (h *host) timers() time.Duration { return h.own() - h.slept }

// node is the process that was started last of those that are not gone, or nil.
func (h *host) node() *process {
	for i := len(h.lives) - 1; i >= 0; i-- {
		if !h.lives[i].gone {
			return h.lives[i]
		}
	}
	return nil
}

// start starts a process.
func (h *host) start() {
	h.up = true
	h.w.lives++
	p := &process{
		w: h.w, host: h, incarnation: h.w.lives, begins: leases.Beginning{Gone: h.former}, holders: map[string]*holder{},
	}
	h.lives = append(slices.DeleteFunc(slices.Clone(h.lives), func(p *process) bool { return p.gone }), p)
	h.w.check.alive[p.incarnation] = p
	h.w.note("starts", p, "", p.incarnation)
	if h.asleep {
		h.sleeps(p)
	}
	p.deliver(fromTimers, p.begin)
}

// suspend puts a host to sleep: its own clock goes on, its timers do not see it.
// When it is stunned, as a hypervisor does, its own clock does not see it either.
func (h *host) suspend(d time.Duration, stunned bool) {
	if h.asleep {
		return
	}
	h.asleep = true
	for _, p := range h.lives {
		if !p.gone {
			h.sleeps(p)
		}
	}
	from := h.own()
	if h.stunned = stunned; stunned {
		h.clock.turn(h.w.now, 0, 0)
	}
	h.w.after(d, func() {
		h.asleep = false
		if h.stunned = false; stunned {
			h.clock.turn(h.w.now, h.rate, 0)
		}
		h.slept += h.own() - from
		sleepers := h.sleepers
		h.sleepers = nil
		for _, p := range sleepers {
			p.resume()
		}
	})
}

// stun stops all clocks of a host for no longer than the margin bears, the shortest that
// a process may go by, and once in the life of its trust: what clocks do not see adds up.
func (h *host) stun(d time.Duration) {
	if h.asleep || h.w.now < h.spared {
		return
	}
	d = min(d, h.w.scant/2)
	h.spared = h.w.now + d + 2*h.w.worst.TTL
	h.suspend(d, true)
}

func (h *host) sleeps(p *process) {
	p.freeze()
	h.sleepers = append(h.sleepers, p)
}

// turn changes the rate of the host's own clock, which one that stands still takes up later.
func (h *host) turn(rate int64) {
	if h.rate = rate; h.stunned {
		return
	}
	h.clock.turn(h.w.now, rate, 0)
	for _, p := range h.lives {
		for _, a := range p.alarms {
			a.plan()
		}
	}
}

// kill ends the process that was started last, and returns it.
func (h *host) kill() *process {
	p := h.node()
	if p != nil {
		p.vanish()
		h.killed = p.incarnation
	}
	h.up = false
	return p
}

// restart starts a node that nobody has started meanwhile. With proof it knows
// that the process that was killed is gone.
func (h *host) restart(proof bool) {
	if h.node() != nil {
		h.up = true
		return
	}
	h.former = 0
	if proof {
		h.former = h.killed
	}
	h.start()
}

// drain tells the host's processes to take nothing, or what they took before.
func (h *host) drain(drained bool) {
	h.drained = drained
	for _, p := range h.lives {
		p.deliver(fromHolders, func() {
			if p.living {
				p.allowed++
				p.step(leases.Changed{Takes: h.taking(), Wants: h.wants})
			}
		})
	}
}

// taking is what its processes are to take.
func (h *host) taking() []string {
	if h.drained {
		return nil
	}
	return h.takes
}
