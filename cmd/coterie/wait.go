package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

// lookEvery is how often a command that waits looks.
const lookEvery = 200 * time.Millisecond

// errDeadline ends a waiting that took longer than it was willing to.
var errDeadline = errors.New("the deadline has passed")

// waitForGoal waits until the node is what it should be, and tells its steps.
func (c *cli) waitForGoal(parent context.Context, k *cluster, g *goal) error {
	c.say("%s: goal %s, deadline %s. Ctrl-C stops only the waiting.", g.node, g.wanted, table.Duration(g.deadline))
	ctx, cancel := context.WithTimeoutCause(parent, g.deadline, errDeadline)
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var steps stepper
	for {
		now, err := k.node(ctx, g.node)
		if err == nil {
			err = c.tellSteps(ctx, k, g.node, &steps)
		}
		switch {
		case errors.Is(context.Cause(ctx), errDeadline) && g.stop && parent.Err() == nil:
			return c.stopAndWait(parent, k, g)
		case ctx.Err() != nil:
			return g.waited(context.Cause(ctx))
		case err != nil:
			return err
		case now.Text("goal") != g.wanted:
			return problem.New("COT-617", nil, "somebody else set the goal of %s to %s: %s", g.node, now.Text("goal"), nodeMessage(now))
		case now.Text("state") == g.wanted:
			return c.reached(g, now, false)
		case isGone(now.Text("state")):
			return c.gone(g, now)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// stopping is how long what runs has to end when it is stopped.
const stopping = 30 * time.Second

const stillHeldSQL = `SELECT name FROM coterie.leases WHERE holder = $1 ORDER BY name`

// stopAndWait moves what the node still holds at once, which stops what runs, and
// waits once more.
func (c *cli) stopAndWait(ctx context.Context, k *cluster, g *goal) error {
	var held []string
	if err := k.db.SelectContext(ctx, &held, stillHeldSQL, g.node); err != nil {
		return fmt.Errorf("read what %s holds: %w", g.node, err)
	}
	for _, lease := range held {
		var moved struct {
			From  string `db:"from_node"`
			To    string `db:"to_node"`
			Token int64
		}
		err := k.command(ctx, &moved, `SELECT from_node, to_node, token FROM coterie.lease_move($1, NULL, true, $2, $3)`, lease, caller(), g.reason)
		if err != nil {
			c.say("  %s is not stopped: %v", lease, moveProblem(err))
			continue
		}
		c.say("  the deadline has passed: stopping %s, which goes to %s", lease, moved.To)
	}
	g.stop, g.deadline = false, stopping
	return c.waitForGoal(ctx, k, g)
}

func isGone(state string) bool { return state == "dead" || state == "left" || state == "evicted" }

// gone is a node that nobody can wait for: it holds nothing, and will find its
// goal when it comes back.
func (c *cli) gone(g *goal, r table.Row) error {
	if g.wanted == "drained" {
		c.say("%s is %s: it holds nothing, and will be drained when it comes back.", g.node, r.Text("state"))
		return c.reached(g, r, true)
	}
	return problem.New("COT-611", nil, "%s is %s; its goal is ready, and it will find that when it comes back", g.node, r.Text("state"))
}

// waited is a waiting that ended before the node was there.
func (g *goal) waited(cause error) error {
	why := "the waiting was stopped"
	if errors.Is(cause, errDeadline) {
		why = "it took longer than " + table.Duration(g.deadline)
	}
	p := problem.New("COT-616", nil, "%s is not %s yet: %s", g.node, g.wanted, why)
	p.Remedy = fmt.Sprintf("coterie nodes %s; it goes on by itself", g.node)
	return p
}

// stepper remembers what has been told.
type stepper struct {
	started bool
	last    int64 // number of the last event that was seen
}

const stepsWhere = `
WHERE v.id > $1 AND (v.node = $2 OR v.peer = $2)
  AND v.kind IN ('node.reported', 'lease.released', 'lease.claimed', 'session.ended')
ORDER BY v.id`

const headSQL = `SELECT coalesce(max(id), 0) FROM coterie.events WHERE kind = 'goal.set' AND subject = $1`

// tellSteps tells what happened since the goal was set or since the last time.
func (c *cli) tellSteps(ctx context.Context, k *cluster, node string, s *stepper) error {
	if !s.started {
		if err := k.db.GetContext(ctx, &s.last, headSQL, node); err != nil {
			return fmt.Errorf("read events: %w", err)
		}
		s.started = true
	}
	rows, err := k.rows(ctx, "events", stepsWhere, s.last, node)
	if err != nil {
		return err
	}
	for i := range rows.Len() {
		r := rows.Row(i)
		s.last = r.Int("id")
		if text := step(r, node); text != "" {
			c.say("  %s  %s", r.Time("at").UTC().Format("15:04:05"), table.Safe(text))
		}
	}
	return nil
}

// step is an event of a node as a step of its way, or "".
func step(r table.Row, node string) string {
	subject := r.Text("subject")
	switch r.Text("kind") {
	case "node.reported":
		text := stateOf(r)
		if why := r.Text("reason"); why != "" {
			text += ": " + why
		}
		return text
	case "lease.released":
		return "gave back " + subject
	case "lease.claimed":
		if r.Text("node") == node {
			return fmt.Sprintf("took %s, token %d", subject, r.Int("token"))
		}
		return fmt.Sprintf("%s went to %s, token %d", subject, r.Text("node"), r.Int("token"))
	case "session.ended":
		return "its session ended: " + r.Text("rule")
	}
	return ""
}

// stateOf is the state that a node reported in an event.
func stateOf(r table.Row) string {
	var detail struct{ State string }
	raw, _ := r.Value("detail").(json.RawMessage)
	if err := json.Unmarshal(raw, &detail); err != nil {
		return "reported"
	}
	return detail.State
}
