//go:build linux

package chaos

import "math"

// tenure is the time in which a node held a lease, as the ledger tells it.
type tenure struct {
	lease string
	node  string
	life  int64
	token int64
	claim *Event
	freed *Event // nil: to the end
}

// replay is the state of the cluster while its ledger is read again.
type replay struct {
	lives map[string]int64   // by node: the incarnation that has a session
	held  map[string]*tenure // by lease
	most  map[string]int64   // by lease: highest token so far
	all   []*tenure
}

// ledger replays the events and checks that each was possible.
func (h *History) ledger(v *violations) []*tenure {
	const promise = "ledger"
	r := replay{lives: map[string]int64{}, held: map[string]*tenure{}, most: map[string]int64{}}
	for i := range h.Events {
		e := &h.Events[i]
		switch e.Kind {
		case "session.began":
			if was, lives := r.lives[e.Node]; lives {
				v.add(promise, "event %d: %s begins life %d while it has life %d", e.ID, e.Node, e.Life, was)
			}
			r.lives[e.Node] = e.Life
		case "session.ended":
			if r.lives[e.Subject] != e.Life {
				v.add(promise, "event %d: life %d of %s ends, which is not its present one", e.ID, e.Life, e.Subject)
				continue
			}
			delete(r.lives, e.Subject)
			r.free(e, func(t *tenure) bool { return t.node == e.Subject && t.life == e.Life })
		case "era.began":
			if !h.Lossy {
				v.add(promise, "event %d: an era begins without a cause", e.ID)
			}
			clear(r.lives)
			r.free(e, func(*tenure) bool { return true })
		case "lease.released":
			if t := r.held[e.Subject]; t == nil || t.node != e.Node || t.token != e.Token {
				v.add(promise, "event %d: %s gives back %s with token %d, which it does not hold", e.ID, e.Node, e.Subject, e.Token)
				continue
			}
			r.free(e, func(t *tenure) bool { return t.lease == e.Subject })
		case "lease.claimed":
			r.claim(v, e)
		}
	}
	return r.all
}

func (r *replay) free(e *Event, which func(*tenure) bool) {
	for name, t := range r.held {
		if which(t) {
			t.freed = e
			delete(r.held, name)
		}
	}
}

func (r *replay) claim(v *violations, e *Event) {
	const promise = "ledger"
	life, lives := r.lives[e.Node]
	if !lives {
		v.add(promise, "event %d: %s claims %s and has no session", e.ID, e.Node, e.Subject)
	}
	if t := r.held[e.Subject]; t != nil {
		if t.node != e.Node || t.life != life {
			v.add(promise, "event %d: %s claims %s, which %s holds with token %d", e.ID, e.Node, e.Subject, t.node, t.token)
		}
		t.freed = e // by its own holder, under a new token
	}
	if e.Token <= r.most[e.Subject] {
		v.add(promise, "event %d: token %d of %s does not rise above %d", e.ID, e.Token, e.Subject, r.most[e.Subject])
	}
	r.most[e.Subject] = max(r.most[e.Subject], e.Token)
	t := &tenure{lease: e.Subject, node: e.Node, life: life, token: e.Token, claim: e}
	r.held[e.Subject] = t
	r.all = append(r.all, t)
}

// FailOver is the fault after which the database is a standby that has missed the last moments.
const FailOver = "fail over"

// eras checks that each fail-over has begun an era, which tells why, as soon as anybody did anything.
func (h *History) eras(v *violations) {
	for i, f := range h.Faults {
		if f.Kind != FailOver {
			continue
		}
		until := int64(math.MaxInt64)
		for _, next := range h.Faults[i+1:] {
			if next.Kind == FailOver {
				until = next.From
				break
			}
		}
		began, after := false, 0
		for _, e := range h.Events {
			switch {
			case e.At < f.From || e.At > until:
			case e.Kind == "era.began":
				began = true
			case e.At > f.To:
				after++
			}
		}
		if !began && after > 0 {
			v.add("eras", "no era began with a fail-over, and %d things were done after it%s", after, h.around(f.From, f.To))
		}
	}
}
