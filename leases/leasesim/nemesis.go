package leasesim

import (
	"slices"
	"time"

	"github.com/coterie-ha/coterie/leases"
)

// liar is whose clock lies in a run: that two lie at once is more than two clocks
// can bear.
type liar int

const (
	nobodyLies liar = iota
	databaseLies
	hostLies
)

// fault breaks something and plans its mending.
type fault struct {
	name string
	do   func(w *world, h *host, d time.Duration)
}

// faults of one node; h is the node that they hit.
var ofNodes = []fault{
	{"process paused", func(w *world, h *host, d time.Duration) {
		if p := h.node(); p != nil {
			p.freeze()
			w.after(d, p.resume)
		}
	}},
	{"host suspended", func(w *world, h *host, d time.Duration) { h.suspend(d, false) }},
	{"host stunned", func(_ *world, h *host, d time.Duration) { h.stun(d) }},
	{"own clock runs fast", func(w *world, h *host, d time.Duration) {
		if h.fast || h.asleep || w.liar == databaseLies {
			return
		}
		w.liar = hostLies
		rate := h.rate
		h.fast = true
		h.turn(w.between64(1100, 3000))
		w.after(d, func() { h.fast = false; h.turn(rate) })
	}},
	{"process killed, restarted without proof", func(w *world, h *host, d time.Duration) {
		h.kill()
		w.after(d, func() { h.restart(false) })
	}},
	{"process killed, restarted with proof", func(w *world, h *host, d time.Duration) {
		h.kill()
		w.after(d/20, func() { h.restart(true) })
	}},
	{"process killed, its last will said", func(w *world, h *host, d time.Duration) {
		if p := h.kill(); p != nil {
			w.after(w.between(time.Millisecond, time.Second), func() {
				w.db.submit(w.db.broke, &end{process: p}, func(bool) {})
			})
		}
		w.after(d, func() { h.restart(false) })
	}},
	{"process killed for good", func(_ *world, h *host, _ time.Duration) { h.kill() }},
	{"node stopped", func(w *world, h *host, d time.Duration) {
		h.up = false
		if p := h.node(); p != nil {
			p.halt()
		}
		w.after(d, func() { h.restart(true) })
	}},
	{"second process under one name", func(w *world, h *host, d time.Duration) {
		if h.node() != nil {
			h.former = 0
			h.start()
		}
	}},
	{"network refuses", func(w *world, h *host, d time.Duration) {
		h.link.refuses = true
		w.after(d, func() { h.link.refuses = false })
	}},
	{"requests vanish", func(w *world, h *host, d time.Duration) {
		h.link.mute = true
		w.after(d, func() { h.link.mute = false })
	}},
	{"answers vanish", func(w *world, h *host, d time.Duration) {
		h.link.deaf = true
		w.after(d, func() { h.link.deaf = false })
	}},
	{"packets vanish at random", func(w *world, h *host, d time.Duration) {
		h.link.loses = 300
		w.after(d, func() { h.link.loses = 0 })
	}},
	{"requests are slow", func(w *world, h *host, d time.Duration) {
		h.link.slow = w.between(0, d)
		w.settled = max(w.settled, w.now+2*d)
		w.after(d, func() { h.link.slow = 0 })
	}},
	{"answers are late", func(w *world, h *host, d time.Duration) {
		h.link.late = w.between(0, w.worst.TTL)
		w.settled = max(w.settled, w.now+d+w.worst.TTL)
		w.after(d, func() { h.link.late = 0 })
	}},
	{"hints are lost", func(w *world, h *host, d time.Duration) {
		h.link.noHints = true
		w.after(d, func() { h.link.noHints = false })
	}},
	{"node drained", func(w *world, h *host, d time.Duration) {
		if !h.drained {
			h.drain(true)
			w.after(d, func() { h.drain(false) })
		}
	}},
}

// faults of the database.
var ofDatabase = []fault{
	{"database frozen", func(w *world, _ *host, d time.Duration) {
		w.db.frozen = true
		w.after(d, w.db.thaw)
	}},
	{"database restarted", func(w *world, _ *host, d time.Duration) {
		w.db.breakOff()
		w.db.down = true
		w.after(d, func() { w.db.down = false })
	}},
	{"standby promoted", func(w *world, _ *host, d time.Duration) { w.promote(w.between(0, 5*time.Second), d/4) }},
	{"backup restored", func(w *world, _ *host, d time.Duration) { w.promote(w.between(0, 10*time.Minute), d) }},
	{"database's clock jumped", func(w *world, _ *host, _ time.Duration) {
		by := []time.Duration{300 * time.Millisecond, 3 * time.Second, 30 * time.Second, time.Hour}[w.rand.IntN(4)]
		if w.perMille(500) {
			by = -by
		}
		w.jump(by)
	}},
	{"database's clock runs wrong", func(w *world, _ *host, d time.Duration) {
		if w.liar == hostLies {
			return
		}
		w.liar = databaseLies
		w.db.turn(w.between64(500, 2000), 0)
		w.after(d, func() { w.db.turn(1000, 0) })
	}},
	{"commits stall", func(w *world, _ *host, d time.Duration) {
		w.stalls = 2 * w.worst.TTL
		w.after(d, func() { w.stalls = 0 })
	}},
	{"lease moved by hand", func(w *world, h *host, _ time.Duration) {
		w.db.move(w.rand.IntN(len(w.db.leases)), h.name, w.perMille(300), w.perMille(500))
	}},
	{"a lease's wish changed", func(w *world, _ *host, _ time.Duration) {
		if w.picky {
			w.db.wish(w.db.leases[w.rand.IntN(len(w.db.leases))].name, w.wish())
		}
	}},
	{"hand-overs paused", func(w *world, _ *host, d time.Duration) {
		w.db.pause(true)
		w.after(d, func() { w.db.pause(false) })
	}},
	{"terms changed", func(w *world, _ *host, _ time.Duration) { w.change(someTerms[w.rand.IntN(len(someTerms))]) }},
}

// someTerms are settings between which an operator changes his mind.
var someTerms = []leases.Terms{
	{TTL: 6 * time.Second, Heartbeat: 1500 * time.Millisecond, Margin: 1500 * time.Millisecond},
	{TTL: 3 * time.Second, Heartbeat: 500 * time.Millisecond, Margin: time.Second},
	{TTL: 15 * time.Second, Heartbeat: 4 * time.Second, Margin: 3 * time.Second},
}

func (w *world) between64(least, most int64) int64 { return least + w.rand.Int64N(most-least+1) }

// storm breaks things for a while: some at random moments, some as traps that
// wait for a node to come to a certain point, and break several things there.
func (w *world) storm(d time.Duration) {
	w.calm = false
	w.kinds = w.some(ofNodes, ofDatabase, plots)
	end := w.now + d
	w.ends = end
	var next func()
	next = func() {
		if w.now >= end {
			return
		}
		if w.perMille(500) {
			w.lay(end)
		} else {
			w.strike(w.hosts[w.rand.IntN(len(w.hosts))], end)
		}
		w.after(w.between(0, 6*time.Second), next)
	}
	next()
	w.run(d)
	w.heal()
}

// some picks the faults of one storm: few kinds at a time meet each other more
// often than all do.
func (w *world) some(kinds ...[]fault) []fault {
	var out []fault
	chance := 100 + w.rand.IntN(600)
	for _, f := range slices.Concat(kinds...) {
		if w.perMille(chance) {
			out = append(out, f)
		}
	}
	return out
}

// strike does one fault that is mended by the end.
func (w *world) strike(h *host, end time.Duration) {
	if len(w.kinds) == 0 {
		return
	}
	f := w.kinds[w.rand.IntN(len(w.kinds))]
	most := min(w.long(), end-w.now)
	if most <= 0 {
		return
	}
	w.faults[f.name]++
	w.note(f.name+" "+h.name, nil, "", 0)
	f.do(w, h, most)
}

// long is how long a fault lasts: near the times that matter.
func (w *world) long() time.Duration {
	t := w.worst
	switch w.rand.IntN(4) {
	case 0:
		return w.between(0, t.Heartbeat)
	case 1:
		return w.between(t.TTL-2*t.Margin, t.TTL+t.Margin)
	case 2:
		return w.between(0, 3*t.TTL)
	}
	return w.between(0, 20*time.Second)
}

// lay lays a trap: when a node comes to a moment, up to three things happen at
// once, most of them to itself.
func (w *world) lay(end time.Duration) {
	var at *host
	if w.perMille(300) {
		at = w.hosts[w.rand.IntN(len(w.hosts))]
	}
	n := 1 + w.rand.IntN(3)
	w.trap(moment(w.rand.IntN(int(moments))), at, 0, func(p *process) {
		for range n {
			h := p.host
			if w.perMille(300) {
				h = w.hosts[w.rand.IntN(len(w.hosts))]
			}
			w.strike(h, end)
		}
	})
}
