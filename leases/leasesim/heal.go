package leasesim

import (
	"slices"
	"time"

	"github.com/coterie-ha/coterie/leases"
)

// promote replaces the database by one that lost its tail, after a while.
func (w *world) promote(tail, away time.Duration) {
	if w.db.down || w.calm {
		return
	}
	w.db.breakOff()
	w.db.down = true
	w.after(away, func() {
		w.db.down, w.db.frozen = false, false
		if w.db.lose(tail+away) > 0 {
			w.faults["tail lost"]++
		}
		w.worsen(w.db.cluster.setting)
		if w.calm {
			w.db.pause(false) // what was ordered at the end of the storm may be lost
		}
	})
}

// worsen remembers the longest times in force, and the shortest margin.
func (w *world) worsen(t leases.Terms) {
	w.scant = min(w.scant, t.Margin)
	w.worst = leases.Terms{
		TTL: max(w.worst.TTL, t.TTL), Heartbeat: max(w.worst.Heartbeat, t.Heartbeat), Margin: max(w.worst.Margin, t.Margin),
	}
}

// heal ends the storm: what still lasts is mended, holders that take their time return.
func (w *world) heal() {
	w.calm, w.stalls, w.traps = true, 0, nil
	w.settled = max(w.settled, w.now)
	w.db.down = false
	if w.db.frozen {
		w.db.thaw()
	}
	if w.db.clock.rate != 1000 {
		w.db.turn(1000, 0)
	}
	w.db.pause(false)
	for _, reset := range w.lost { // who still waits for what was lost learns it now
		reset()
	}
	w.lost = nil
	w.survived = slices.ContainsFunc(w.hosts, func(h *host) bool { // one that wakes may not know yet that its session is over
		p := h.node()
		return p != nil && p.living && w.db.sessions[h.name].incarnation == p.incarnation
	})
	for _, h := range w.hosts {
		h.link = link{}
		for _, p := range h.lives {
			for _, name := range sorted(p.holders) {
				if hd := p.holders[name]; hd.leaves != nil {
					hd.returnAfter(w.between(0, time.Second))
				}
			}
		}
		// Some stay away: the others must do without them.
		if h.node() == nil && (w.perMille(700) || h == w.hosts[0]) {
			h.restart(false)
		}
	}
}

func sorted(m map[string]*holder) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
