package main

import (
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/coterie-ha/coterie/jobs"
	"github.com/coterie-ha/coterie/leases"
)

// keeper has the runner act for leases of jobs and requests, and counts them.
type keeper struct {
	*jobs.Runner
	agent *agent

	forgetting sync.WaitGroup // requests that have run

	mu    sync.Mutex        // guards ended
	ended map[string]string // leases whose authority ended before they came back, and why
}

// Begin takes a lease up.
func (k *keeper) Begin(g leases.Grant, back func()) bool {
	k.mu.Lock()
	delete(k.ended, g.Lease)
	k.mu.Unlock()
	ok := k.Runner.Begin(g, func() {
		k.mu.Lock()
		reason, ended := k.ended[g.Lease]
		delete(k.ended, g.Lease)
		k.mu.Unlock()
		if !ended {
			reason = "returned"
		}
		k.agent.metrics.Lost("job", reason)
		if !strings.HasPrefix(g.Lease, "request/") {
			back()
			return
		}
		// This may be the session's own goroutine, which must not wait for itself.
		k.forgetting.Go(func() {
			k.agent.ranRequest(g.Lease)
			back()
		})
	})
	if ok {
		k.agent.metrics.Acquired("job")
	}
	return ok
}

// End ends the authority over a lease.
func (k *keeper) End(lease string, token leases.Token, cause error) {
	k.mu.Lock()
	if k.ended == nil {
		k.ended = map[string]string{}
	}
	k.ended[lease] = why(cause)
	k.mu.Unlock()
	k.Runner.End(lease, token, cause)
}

// why names a cause for the metrics.
func why(cause error) string {
	if errors.Is(cause, leases.ErrLost) {
		return "lost"
	}
	return "moved"
}

// ranRequest forgets a request before its lease is given back, or the session would
// take that again at once.
func (a *agent) ranRequest(lease string) {
	a.know(func(k *memory) {
		k.requests = slices.DeleteFunc(slices.Clone(k.requests), func(name string) bool { return name == lease })
	})
	if s := a.session.Load(); s.View().Incarnation != 0 {
		s.Change(a.takes(), a.wants())
	}
	poke(a.moved) // there is room for another
}
