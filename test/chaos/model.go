//go:build linux

package chaos

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/coterie-ha/coterie/test/cluster"
)

// holding is the state of one lease: who holds it.
type holding struct {
	held  bool
	node  string
	life  int64
	token int64
}

// operation is something that was done to a lease, or seen of it.
type operation struct {
	what  string // claim, free, read, effect
	lease string
	holding
}

// model is how a lease behaves when all happens one after another.
var model = porcupine.Model{
	Partition: func(all []porcupine.Operation) [][]porcupine.Operation {
		byLease := map[string][]porcupine.Operation{}
		for _, o := range all {
			name := o.Input.(operation).lease
			byLease[name] = append(byLease[name], o)
		}
		parts := make([][]porcupine.Operation, 0, len(byLease))
		for _, part := range byLease {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return holding{} },
	Step: func(state, input, _ any) (bool, any) {
		now, o := state.(holding), input.(operation)
		same := now.held && now.node == o.node && now.life == o.life
		switch o.what {
		case "claim":
			return (!now.held || same) && o.token > now.token, o.holding
		case "free":
			return same && now.token == o.token, holding{token: now.token}
		case "read":
			return now.held == o.held && now.token == o.token && (!now.held || same), now
		case "effect": // assert_lease said that this token is the holder's
			return now.held && now.token == o.token, now
		}
		return false, now
	},
}

// patience bounds the search. A history that is right takes well under a second.
const patience = 30 * time.Second

// linearize checks that the operations of each lease can be put in one order.
func (h *History) linearize(v *violations, tenures []*tenure) {
	switch porcupine.CheckOperationsTimeout(model, h.operations(tenures), patience) {
	case porcupine.Illegal:
		v.add("history", "no order of claims, reads and effects explains what was seen")
	case porcupine.Unknown:
		v.add("history", "no order of claims, reads and effects was found in %v", patience)
	}
}

func (h *History) operations(tenures []*tenure) []porcupine.Operation {
	var all []porcupine.Operation
	add := func(client int, o operation, from, to int64) {
		all = append(all, porcupine.Operation{ClientId: client, Input: o, Call: from, Return: to})
	}
	for _, t := range tenures {
		it := holding{true, t.node, t.life, t.token}
		add(0, operation{"claim", t.lease, it}, t.claim.began(), t.claim.done())
		if t.freed != nil && t.freed.Kind != "lease.claimed" {
			add(0, operation{"free", t.lease, it}, t.freed.began(), t.freed.done())
		}
	}
	for _, r := range thinned(h.Reads) {
		add(1, operation{"read", r.Lease, holding{r.Held, r.Node, r.Life, r.Token}}, r.From, r.To)
	}
	for _, t := range h.Testimonies {
		if t.Deed == cluster.Accepted {
			add(2, operation{"effect", lease(t.Job), holding{true, t.Node, 0, t.Token}}, t.From, t.At)
		}
	}
	return all
}

// began is a moment before an event was visible to others.
func (e *Event) began() int64 { return e.At - int64(2*time.Millisecond) }

// done is a moment by which it was.
func (e *Event) done() int64 {
	if e.Seen == 0 {
		return math.MaxInt64
	}
	return max(e.Seen, e.At)
}

// thinned leaves out reads between two that saw the same: they say nothing new,
// except now and then.
func thinned(all []Read) []Read {
	const often = int64(100 * time.Millisecond)
	last := map[string]Read{}
	var kept []Read
	var passed = map[string]Read{}
	for _, r := range all {
		was, known := last[r.Lease]
		same := known && was.Held == r.Held && was.Node == r.Node && was.Life == r.Life && was.Token == r.Token
		if same && r.From-was.From < often {
			passed[r.Lease] = r
			continue
		}
		if p, ok := passed[r.Lease]; ok && !same {
			kept = append(kept, p) // the last that saw what was before
		}
		delete(passed, r.Lease)
		kept, last[r.Lease] = append(kept, r), r
	}
	slices.SortStableFunc(kept, func(a, b Read) int { return strings.Compare(a.Lease, b.Lease) })
	return kept
}
