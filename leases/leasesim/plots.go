package leasesim

import "time"

// plots are faults that only hurt together, in an order that chance seldom finds.
var plots = []fault{
	{"plot: a slow watcher", func(w *world, h *host, d time.Duration) {
		// Its request arrives after another node's last heartbeat, which its watch must not count from before.
		t := w.db.cluster.setting
		other := w.another(h)
		w.trap(beating, h, 0, func(*process) {
			h.link.slow = w.between(t.Margin, max(t.Margin, t.Attempt()))
			w.settled = max(w.settled, w.now+t.TTL)
			w.after(h.link.slow/2, func() { w.trap(answered, other, 0, func(p *process) { w.pause(p, 2*t.TTL) }) })
			w.after(h.link.slow, func() { h.link.slow = 0; w.jump(time.Hour) })
		})
	}},
	{"plot: twin lives", func(w *world, h *host, d time.Duration) {
		// A life and the next one stand at the same beats, and the next one is silent from then on.
		n := w.rand.IntN(3)
		h.kill()
		h.restart(true)
		w.trap(answered, h, n, func(*process) {
			w.after(w.between(0, w.db.cluster.setting.TTL), func() {
				if w.calm {
					return
				}
				h.kill()
				h.restart(true)
				w.trap(answered, h, n, func(p *process) { w.pause(p, 2*w.worst.TTL) })
				w.jump(time.Hour)
			})
		})
	}},
	{"plot: a second process beside a silent one", func(w *world, h *host, d time.Duration) {
		w.trap(answered, h, 0, func(p *process) {
			w.pause(p, d)
			h.former = 0
			h.start()
			w.jump(time.Hour)
		})
	}},
	{"plot: a promotion beside an unreachable holder", func(w *world, h *host, d time.Duration) {
		t := w.db.cluster.setting
		w.trap(answered, h, 0, func(*process) {
			h.link.mute = true
			w.after(d, func() { h.link.mute = false })
			w.promote(w.between(0, time.Second), w.between(0, 500*time.Millisecond))
			if w.perMille(500) {
				w.after(w.between(time.Second, t.TTL/2), func() { w.jump(time.Hour) })
				other := w.another(h)
				w.after(t.TTL/2, func() {
					if !w.calm {
						other.kill()
						other.restart(true)
					}
				})
			}
		})
	}},
	{"plot: a shorter time to live beside an unreachable holder", func(w *world, h *host, d time.Duration) {
		w.trap(answered, h, 0, func(*process) {
			h.link.deaf = w.perMille(500)
			h.link.mute = !h.link.deaf
			w.after(d, func() { h.link.mute, h.link.deaf = false, false })
			w.change(someTerms[1])
			if w.perMille(500) {
				w.after(w.between(0, 2*time.Second), func() { w.promote(0, w.between(0, 500*time.Millisecond)) })
			}
		})
	}},
	{"plot: a heartbeat that is overtaken by longer terms", func(w *world, h *host, d time.Duration) {
		// It was sent under short terms, which hold again when it arrives; the node then trusts in the long ones.
		short, long := someTerms[1], someTerms[2]
		w.change(short)
		w.trap(beating, h, 2, func(*process) {
			h.link.slow = short.Attempt() + w.between(0, time.Second)
			w.settled = max(w.settled, w.now+h.link.slow+short.TTL)
			w.change(long)
			w.trap(beating, h, 0, func(*process) { h.link.slow = 0 })
			w.trap(answered, h, 0, func(*process) {
				w.change(short)
				h.link.mute = true
				w.after(d, func() { h.link.mute = false })
			})
		})
	}},
	{"plot: a clock set back beside a dead node", func(w *world, h *host, d time.Duration) {
		w.trap(answered, h, 0, func(*process) {
			h.kill()
			w.jump(-time.Hour)
		})
	}},
	{"plot: two standbys of one point", func(w *world, _ *host, d time.Duration) {
		point := w.now - w.between(0, time.Second)
		w.promote(w.now-point, 0)
		w.after(w.between(w.worst.TTL, 3*w.worst.TTL), func() { w.promote(w.now-point, 0) })
	}},
}

func (w *world) another(h *host) *host {
	for {
		if o := w.hosts[w.rand.IntN(len(w.hosts))]; o != h {
			return o
		}
	}
}

func (w *world) pause(p *process, d time.Duration) {
	p.freeze()
	w.after(min(d, w.ends-w.now), p.resume)
}

// jump moves the database's clock, if no other clock lies. Set back by about a time
// to live or less it cannot be told from a clock that is right: what it times, a
// session of the dead or the quiet of an era, lasts longer by so much.
func (w *world) jump(by time.Duration) {
	if w.liar == hostLies || w.calm {
		return
	}
	w.liar = databaseLies
	w.db.turn(w.db.clock.rate, by)
	if back := -by; back > 0 && back < 2*w.worst.TTL {
		w.settled = max(w.settled, w.now+min(back, w.worst.TTL))
	}
}
