package main

import (
	"context"
	"time"

	"github.com/coterie-ha/coterie/coordinator"
)

// citizen chooses the node's state whenever a fact changes, reports it, and
// lets the session take leases accordingly. When stop ends it leaves: nothing
// more is taken, what is idle is handed over at once, what runs has until
// drain.deadline, and errLeft ends everything else. life ends first only when
// something failed.
func (a *agent) citizen(stop, life context.Context) error {
	stopping := stop.Done()
	var deadline <-chan time.Time
	reported := memory{state: coordinator.Joining}
	var incarnation int64
	for {
		k := a.knows()
		held := a.held()
		next := k.state.Next(coordinator.Facts{
			Stopping: stopping == nil, Goal: k.goal(), Proved: k.share.Usable() && k.proof.Proved && k.unkeyed == "" && k.unlike == "" && k.untrusted == "", Held: held,
		})
		message := a.message(k)
		view := a.session.Load().View()
		if k.wanted.Differs(reported.state) && a.presentAgain(life, k.wanted.State) {
			reported.state, incarnation = coordinator.Joining, 0
		}
		if next != reported.state || message != reported.message || view.Incarnation != incarnation {
			a.become(next, message)
			if view.Incarnation != 0 && a.report(life, view.Incarnation, &reported.state, next, message) {
				reported.message, incarnation = message, view.Incarnation
			}
		}
		if next == coordinator.Left {
			return errLeft
		}
		if next != k.state {
			continue // one edge at a time
		}
		select {
		case <-life.Done():
			return context.Cause(life)
		case <-stopping:
			stopping = nil
			a.log.Info("told to stop: handing over", "leases", held, "deadline", a.cfg.Drain.Deadline)
			timer := time.NewTimer(a.cfg.Drain.Deadline)
			defer timer.Stop()
			deadline = timer.C
		case <-deadline:
			a.log.Warn("the deadline has passed: stopping what runs", "leases", held)
			return errLeft
		case <-a.facts:
		}
	}
}

// presentAgain puts this node's own row back: a copy of it that was refused later
// has written over it, or the database is another, which missed its last words.
func (a *agent) presentAgain(ctx context.Context, found coordinator.State) bool {
	a.log.Warn("the database knows this node otherwise: presenting it again", "found", found)
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Database.StatementTimeout)
	defer cancel()
	welcome, err := a.node.Join(ctx)
	if err != nil {
		a.log.Warn("not presented again", "err", err)
		return false
	}
	a.know(func(k *memory) {
		k.reports++
		k.wanted.State, k.wanted.Goal = coordinator.Joining, welcome.Goal
	})
	poke(a.facts)
	return true
}

// become takes on a state in this process: load balancers see it at once, and
// the session takes leases or stops taking them.
func (a *agent) become(s coordinator.State, message string) {
	var was coordinator.State
	a.know(func(k *memory) { was, k.state, k.message = k.state, s, message })
	if was != s {
		a.log.Info("state changed", "from", was, "to", s, "message", message)
	}
	if s := a.session.Load(); s.View().Incarnation != 0 {
		s.Change(a.takes(), a.wants())
	}
}

// report writes the state, by each state between the one that the row has and the
// next; a report that fails is made again with the next fact, at the latest after
// the next heartbeat.
func (a *agent) report(ctx context.Context, incarnation int64, row *coordinator.State, next coordinator.State, message string) bool {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Database.StatementTimeout)
	defer cancel()
	for _, s := range row.Way(next) {
		if err := a.node.Report(ctx, incarnation, s, message); err != nil {
			a.log.Debug("state not reported", "state", s, "err", err)
			return false
		}
		*row = s
		a.know(func(k *memory) {
			k.reports++
			k.wanted.State = s
		})
	}
	return true
}

// goal is what operators want, but while the server of this node is restarted.
func (k memory) goal() coordinator.Goal {
	if k.restarting {
		return coordinator.GoalDrained
	}
	return k.wanted.Goal
}

// aMoment is how long a node is young.
const aMoment = 2 * time.Second

// young says that the node has just started, perhaps with twenty others at once, all
// of which wait to be ready: what is not needed for that is not asked of the database.
func (a *agent) young() bool { return time.Since(a.started) < aMoment }

// message tells people what keeps this node from working as it should.
func (a *agent) message(k memory) string {
	switch {
	case k.state == coordinator.Joining && a.young() && (!k.looked || k.share.Usable()):
		return "" // it is over before anybody reads it, and would be heard by all nodes
	case !k.looked:
		return "looking at the share"
	case !k.share.Usable():
		return "share " + string(k.share.State) + ": " + k.share.Reason
	case !k.proof.Proved && !(k.proof.Untold && k.state == coordinator.Ready): // whose next life has begun: it is told at once
		return k.proof.Waiting
	case k.restarting:
		return "the server is restarted for its keystore"
	case k.unlike != "" && k.state == coordinator.Joining:
		return k.unlike
	case k.unkeyed != "" && k.state == coordinator.Joining:
		return k.unkeyed
	case k.untrusted != "" && k.state == coordinator.Joining:
		return k.untrusted
	}
	return k.blind
}

// takes lists the classes of leases that this node takes now.
func (a *agent) takes() []string {
	k := a.knows()
	if !k.state.Takes() || !a.cfg.Node.Candidate {
		return nil
	}
	return a.runner.Takes()
}

// held counts holders that have not returned: also one that was told to end, while
// a program of it lives.
func (a *agent) held() int { return a.session.Load().View().Busy }
