package main

import (
	"context"
	"slices"

	"github.com/coterie-ha/coterie/leases"
)

// takeRequests takes from the queue what this node has room for; it runs under
// leases that the session then takes by name.
func (a *agent) takeRequests(ctx context.Context) error {
	known := a.knows()
	view := a.session.Load().View()
	if view.Incarnation == 0 || !a.runner.HasQueue() && len(known.requests) == 0 {
		return nil
	}
	room := a.cfg.Node.Room
	if !known.state.Takes() {
		room = 0
	}
	names, err := a.runner.TakeRequests(ctx, view.Incarnation, room)
	if err != nil {
		return err
	}
	if !slices.Equal(names, known.requests) {
		a.know(func(k *memory) { k.requests = names })
		poke(a.lent)
	}
	return nil
}

// runRequest runs one request. It is forgotten before its lease is given back, or
// the session would take that again at once.
func (a *agent) runRequest(ctx context.Context, g leases.Grant) {
	a.runner.HoldRequest(ctx, g)
	a.know(func(k *memory) {
		k.requests = slices.DeleteFunc(slices.Clone(k.requests), func(name string) bool { return name == g.Lease })
	})
	if s := a.session.Load(); s.View().Incarnation != 0 {
		s.Change(a.takes(), a.wants())
	}
	poke(a.moved) // there is room for another
}

// borrowed are the leases that are taken by name: for local processes, and for
// requests.
func (a *agent) borrowed() []string {
	return slices.Concat(a.desk.Wants(), a.knows().requests)
}
