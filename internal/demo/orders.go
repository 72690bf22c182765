package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/coterie-ha/coterie/jobs"
)

// cut cuts the lines of all nodes, or of one, for a while.
func (d *demo) cut(ctx context.Context, o Order, say func(string, ...any)) error {
	nodes, whose := d.nodes, "all nodes"
	if o.Node != "" {
		n := d.node(o.Node)
		if n == nil {
			return &NoNodeError{o.Node}
		}
		nodes, whose = []*node{n}, n.name
	}
	how := map[string]string{string(cutSilent): "packets vanish", string(cutRefuse): "connections break"}
	say("%s cut off from the database for %v: %s", whose, o.For, how[o.How])
	for _, n := range nodes {
		n.line.Cut(cut(o.How))
	}
	since, err := clock(ctx, d.db)
	if err == nil {
		err = wait(ctx, o.For)
	}
	for _, n := range nodes {
		n.line.Mend()
	}
	if err != nil {
		return err
	}
	say("%s reach the database again", whose)
	if err := wait(ctx, heartbeat+margin); err != nil {
		return err
	}
	moved, err := takeovers(ctx, d.db, since, o.Node)
	if err != nil {
		return err
	}
	lost := 0
	for _, t := range moved {
		if t.Cause == causeCrash {
			lost++
			say("  %s", t)
		}
	}
	if lost == 0 {
		say("  no lease had to change hands")
	}
	return nil
}

// loadPrefix begins the names of extra jobs.
const loadPrefix = "load-"

// load applies extra jobs, each due every second, and removes them after a while.
func (d *demo) load(ctx context.Context, o Order, say func(string, ...any)) error {
	var defs []jobs.Definition
	first := d.loads.Add(int64(o.Jobs)) - int64(o.Jobs)
	for i := range o.Jobs {
		defs = append(defs, jobs.Definition{Name: fmt.Sprintf("%s%03d", loadPrefix, first+int64(i)+1), Schedule: "@every 1s", Action: tick, Timeout: 10 * time.Second})
	}
	if err := d.schedule(ctx, defs); err != nil {
		return err
	}
	say("%d jobs more, each every second, for %v", o.Jobs, o.For)
	waited := wait(ctx, o.For)
	at, done, err := d.unschedule(context.WithoutCancel(ctx), defs)
	if err != nil {
		return err
	}
	say("the %d jobs are gone again; %s", o.Jobs, done)
	d.mu.Lock()
	for i := range d.owed {
		for _, def := range defs {
			if d.owed[i].job == def.Name {
				d.owed[i].until = at
			}
		}
	}
	d.mu.Unlock()
	return waited
}

const loadSQL = `
SELECT count(*) FILTER (WHERE outcome = 'succeeded') AS well, count(*) AS slots, count(*) FILTER (WHERE outcome = 'running') AS open,
       coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - due_at)) * 1000, 0) AS half,
       coalesce(max(extract(epoch FROM finished_at - due_at)) * 1000, 0) AS worst
FROM coterie.runs WHERE job = ANY (string_to_array($1, ' '))`

// unschedule removes jobs. It returns the instant up to which they owe slots,
// which is a little before, and what became of them.
func (d *demo) unschedule(ctx context.Context, defs []jobs.Definition) (time.Time, string, error) {
	var names []string
	for _, def := range defs {
		names = append(names, def.Name)
	}
	at, err := d.settled(ctx, names)
	if err != nil {
		return at, "", err
	}
	current, err := jobs.Current(ctx, d.db)
	if err != nil {
		return at, "", err
	}
	var changes jobs.Changes
	for _, c := range current {
		for _, name := range names {
			if c.Name == name {
				changes = append(changes, jobs.Change{Old: &c})
			}
		}
	}
	if _, err := jobs.Apply(ctx, d.db, changes, "coterie demo load"); err != nil {
		return at, "", err
	}
	var sum struct {
		Well, Slots, Open int
		Half, Worst       float64
	}
	for begun := time.Now(); sum.Slots == 0 || sum.Open > 0 && time.Since(begun) < movedWithin; {
		if err := wait(ctx, 50*time.Millisecond); err != nil {
			return at, "", err
		}
		if err := d.db.GetContext(ctx, &sum, loadSQL, strings.Join(names, " ")); err != nil {
			return at, "", fmt.Errorf("sum the load up: %w", err)
		}
	}
	return at, fmt.Sprintf("%d of %d slots succeeded, done %.0f ms (median), %.0f ms (worst) after they were due", sum.Well, sum.Slots, sum.Half, sum.Worst), nil
}
