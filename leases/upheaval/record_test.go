package upheaval_test

import (
	"cmp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/leases"
)

// belief is what one holder believed, and from when to when.
type belief struct {
	node  string
	lease string
	token leases.Token
	from  time.Time
	until time.Time // zero while it lasts
}

// record is what nodes believed and what was acknowledged to them.
type record struct {
	mu      sync.Mutex // guards what follows
	beliefs []belief
	acks    []string
	latest  map[string]time.Time // when the last effect of a lease was acknowledged
}

func (r *record) begin(node string, g leases.Grant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.beliefs = append(r.beliefs, belief{node: node, lease: g.Lease, token: g.Token, from: time.Now()})
}

func (r *record) end(node string, g leases.Grant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.beliefs {
		if b := &r.beliefs[i]; b.node == node && b.lease == g.Lease && b.token == g.Token && b.until.IsZero() {
			b.until = time.Now()
		}
	}
}

func (r *record) acknowledged(lease, effect string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.latest == nil {
		r.latest = map[string]time.Time{}
	}
	r.acks = append(r.acks, effect)
	r.latest[lease] = time.Now()
}

// worked returns the leases under which something was acknowledged since then.
func (r *record) worked(since time.Time) (leases []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for lease, at := range r.latest {
		if at.After(since) {
			leases = append(leases, lease)
		}
	}
	return leases
}

// all returns the beliefs so far, in the order in which they began.
func (r *record) all() []belief {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.beliefs)
}

func (r *record) effects() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.acks)
}

// held returns who believes to hold what now.
func (r *record) held() map[string]belief {
	now := map[string]belief{}
	for _, b := range r.all() {
		if b.until.IsZero() {
			now[b.lease] = b
		}
	}
	return now
}

// highest is the highest token so far.
func (r *record) highest() leases.Token {
	var high leases.Token
	for _, b := range r.all() {
		high = max(high, b.token)
	}
	return high
}

// check looks for two holders at one moment, and for tokens that did not rise.
func check(t testing.TB, beliefs []belief) {
	t.Helper()
	byLease := map[string][]belief{}
	given := map[leases.Token]belief{}
	for _, b := range beliefs {
		byLease[b.lease] = append(byLease[b.lease], b)
		if first, twice := given[b.token]; twice {
			t.Errorf("token %d was given twice: %s to %s, %s to %s", b.token, first.lease, first.node, b.lease, b.node)
		}
		given[b.token] = b
	}
	for lease, held := range byLease {
		slices.SortFunc(held, func(a, b belief) int { return cmp.Compare(a.from.UnixNano(), b.from.UnixNano()) })
		for i := 1; i < len(held); i++ {
			before, after := held[i-1], held[i]
			switch {
			case before.until.IsZero():
				t.Errorf("%s: %s holds it with token %d while %s holds it with token %d", lease, before.node, before.token, after.node, after.token)
			case after.from.Before(before.until):
				t.Errorf("%s: %s began with token %d %v before %s ended with token %d",
					lease, after.node, after.token, before.until.Sub(after.from), before.node, before.token)
			}
			if after.token <= before.token {
				t.Errorf("%s: token %d of %s follows %d of %s", lease, after.token, after.node, before.token, before.node)
			}
		}
	}
}
