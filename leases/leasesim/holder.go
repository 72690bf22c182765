package leasesim

import (
	"errors"
	"time"

	"github.com/coterie-ha/coterie/leases"
)

// holder is a leases.Holder at work.
type holder struct {
	p       *process
	lease   string
	token   leases.Token
	began   time.Duration // real time
	cause   error         // why its context ended; nil while it has not
	yielded bool
	leaves  *alarm // when it returns
}

// act is Session.act.
func (p *process) act(a leases.Action) {
	h := p.holders[a.Lease]
	switch a.Do {
	case leases.Begin:
		h = &holder{p: p, lease: a.Lease, token: a.Token, began: p.w.now}
		p.w.note("holds", p, a.Lease, int64(a.Token))
		p.w.check.begins(h)
		p.holders[a.Lease] = h
		p.w.point(p, holding)
		h.work()
	case leases.Yield:
		if h != nil && h.token == a.Token && !h.yielded {
			h.yielded = true
			p.w.note("is to yield", p, a.Lease, int64(a.Token))
			h.returnAfter(p.w.idles())
		}
	case leases.End:
		if h != nil && h.token == a.Token && h.cause == nil {
			h.cause = a.Cause
			p.w.note("ends", p, a.Lease, int64(a.Token))
			if errors.Is(a.Cause, leases.ErrLost) {
				p.w.Lost++
			}
			p.w.check.ends(h)
			p.w.point(p, ending)
			h.returnAfter(p.w.stops())
		}
	}
}

// work is what a holder does: it may return by itself, and now and then an
// application asserts its token, also when it is long over.
func (h *holder) work() {
	if d := h.p.w.finishes(); d > 0 {
		h.returnAfter(d)
	}
	h.p.w.after(h.p.w.asserts(), h.assert)
}

// returnAfter lets the holder return then, or earlier if that was planned.
func (h *holder) returnAfter(d time.Duration) {
	p := h.p
	if h.leaves != nil {
		if h.leaves.due <= p.host.timers()+d {
			return
		}
		h.leaves.stop()
	}
	h.leaves = p.sleep(d, func() {
		delete(p.holders, h.lease)
		p.w.check.returned(h)
		p.w.note("returns", p, h.lease, int64(h.token))
		p.deliver(fromHolders, func() { p.step(leases.Returned{Lease: h.lease, Token: h.token}) })
	})
}

// assert is a transaction of an application that begins with
// coterie.assert_lease, makes an effect and commits. The application is a process
// of its own: it does not stop with the holder.
func (h *holder) assert() {
	w := h.p.w
	stale := h.p.gone || h.p.holders[h.lease] != h
	if stale && w.perMille(700) {
		return
	}
	if !w.db.down && !w.db.frozen {
		w.assert(h)
	}
	w.after(w.asserts(), h.assert)
}

func (w *world) assert(h *holder) {
	db := w.db
	w.Asserts++
	i := db.find(h.lease)
	if db.locks[row{table: 'l', lease: i}] != nil {
		return // it would wait; another one will come
	}
	l := db.leases[i]
	live := l.token == h.token && db.held(l) && db.sessions[l.node].expires > db.now() &&
		db.cluster.timeline == db.timeline
	if !live {
		w.Refused++
		return
	}
	t := &tx{db: db, shares: []int{i}}
	db.pending = append(db.pending, t)
	w.after(w.transactionTakes(), func() {
		if t.over {
			return // broken off: no effect
		}
		t.unlock()
		t.over = true
		w.check.effect(h)
	})
}
