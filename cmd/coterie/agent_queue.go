package main

import (
	"context"
	"slices"
	"time"
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
	names, again, err := a.runner.TakeRequests(ctx, view.Incarnation, room)
	if err != nil {
		return err
	}
	if again > 0 {
		time.AfterFunc(again, func() { poke(a.moved) })
	}
	if !slices.Equal(names, known.requests) {
		a.know(func(k *memory) { k.requests = names })
		poke(a.lent)
	}
	return nil
}

// borrowed are the leases that are taken by name: for local processes, for requests,
// and for this node's own duties.
func (a *agent) borrowed() []string {
	return slices.Concat(a.desk.Wants(), a.knows().requests, a.duties())
}
