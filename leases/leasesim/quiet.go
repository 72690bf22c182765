package leasesim

import (
	"fmt"
	"slices"
	"time"

	"github.com/coterie-ha/coterie/leases"
)

// quiet lets the cluster recover and looks whether it does: every lease that a
// live node wants has a holder in time, then loads are level, then nothing moves.
func (w *world) quiet() {
	w.Calms++
	for range 3 { // a new era may begin once what cut the history is over
		w.run(w.settled + w.recovery() - w.now)
	}
	w.check.everyLeaseIsHeld()
	w.worst = w.db.cluster.setting
	w.scant = w.worst.Margin
	w.level()
	for _, h := range w.hosts {
		if h.node() == nil {
			h.restart(false)
			w.level()
		}
	}
	if !w.mixed && w.perMille(400) {
		w.exercise(w.hosts[w.rand.IntN(len(w.hosts))])
	}
}

// recovery is how long it may take until every lease is held again. Own clocks may
// run slow, and the worst terms may be those of a dead node. When no node lives, the
// first one watches its own former session before it can watch those of others.
func (w *world) recovery() time.Duration {
	t := w.worst
	patience := t.Heartbeat * 3 / 2
	least := t.TTL + 2*t.Heartbeat + patience
	if !w.survived {
		least += t.TTL
	}
	return least*106/100 + time.Second
}

// level waits until loads are level, and then for a while in which nothing moves.
// What was given away in vain, amid the storm, is tried again after sixteen times
// to live at the latest.
func (w *world) level() {
	for n := 0; n < 4 && (n == 0 || w.check.unlevel() != ""); n++ {
		w.run(6 * w.worst.TTL)
	}
	if odd := w.check.unlevel(); odd != "" {
		w.check.wrong("%s", odd)
	}
	before := w.Grants
	w.run(2 * w.worst.TTL)
	if w.Grants != before {
		w.check.wrong("%d leases moved in quiet", w.Grants-before)
	}
	w.check.everyLeaseIsHeld()
}

// exercise lets a node leave and join again, and counts the leases that move.
func (w *world) exercise(h *host) {
	p := h.node()
	if p == nil || len(w.hosts) < 2 || !w.check.fine() {
		return
	}
	// They are given back one after the other, and dealt as they come.
	w.moves("left", len(p.holders)+1+w.astray(), func() { h.up = false; p.halt() })
	share := (len(w.db.leases) + len(w.hosts) - 1) / len(w.hosts)
	w.moves("joined", share+w.astray(), func() { h.restart(true) })
}

// astray counts the leases that are not where an operator prefers them: when one of
// them moves it goes there, and another one must move in its stead.
func (w *world) astray() (n int) {
	for _, l := range w.db.leases {
		if l.prefer != "" && l.prefer != l.node {
			n++
		}
	}
	return n
}

func (w *world) moves(what string, most int, do func()) {
	before := w.Grants
	do()
	w.level()
	moved := w.Grants - before
	w.Moved += moved
	if moved > most {
		w.check.wrong("%d leases moved when a node %s, more than %d", moved, what, most)
	}
}

// wantsIt says whether the node wants a lease, and is able to have it.
func (h *host) wantsIt(l lease) bool {
	p := h.node()
	return p != nil && p.living && !p.stop &&
		(slices.Contains(h.wants, l.name) || l.class != "" && slices.Contains(h.takes, l.class))
}

// everyLeaseIsHeld: by a holder that acts, but for the moment of a hand-over.
func (c *checker) everyLeaseIsHeld() {
	const handOver = 3 // heartbeats
	for _, l := range c.w.db.leases {
		wanted := slices.ContainsFunc(c.w.hosts, func(h *host) bool { return h.wantsIt(l) })
		held := slices.ContainsFunc(c.acting[l.name], func(h *holder) bool { return h.cause == nil && h.believes() })
		since := max(c.left[l.name], c.w.settled)
		if wanted && !held && c.w.now-since > handOver*c.w.db.cluster.setting.Heartbeat && c.fine() {
			c.wrong("%s has no holder; the row says %+v", l.name, l)
		}
	}
}

// unlevel names a lease that should be with another node which takes it: one that
// it likes more, or else one with fewer of its group, or one that would still be
// less full for its weight.
func (c *checker) unlevel() string {
	load, apart := map[string]int{}, map[[2]string]int{}
	for _, l := range c.w.db.leases {
		if c.w.db.held(l) && l.class != "" {
			load[l.node]++
			apart[[2]string{l.node, l.Apart}]++
		}
	}
	for _, l := range c.w.db.leases {
		if !c.w.db.held(l) || l.class == "" || l.prefer == l.node {
			continue
		}
		at := c.w.db.nodes[l.node]
		for _, h := range c.w.hosts {
			if !h.wantsIt(l) || !c.fine() {
				continue
			}
			other := c.w.db.nodes[h.name]
			mine, theirs := at.suits(l.Wish), other.suits(l.Wish)
			switch {
			case theirs > mine:
				return fmt.Sprintf("%s stays with %s, which has %d of %v, though %s has %d", l.name, l.node, mine, l.Likes, h.name, theirs)
			case theirs < mine:
			case l.Apart != "":
				if here, there := apart[[2]string{l.node, l.Apart}], apart[[2]string{h.name, l.Apart}]; here-there > 1 {
					return fmt.Sprintf("%s stays with %s beside %d of its group, though %s has %d", l.name, l.node, here, h.name, there)
				}
			case load[l.node]*max(1, other.weight) > (load[h.name]+1)*max(1, at.weight):
				return fmt.Sprintf("%s stays with %s, which holds %d (weight %d), though %s holds %d (weight %d)",
					l.name, l.node, load[l.node], at.weight, h.name, load[h.name], other.weight)
			}
		}
	}
	return ""
}

// suits counts the tags of a node that a lease likes.
func (n node) suits(wish leases.Wish) (count int) {
	for _, tag := range n.tags {
		if slices.Contains(wish.Likes, tag) {
			count++
		}
	}
	return count
}
