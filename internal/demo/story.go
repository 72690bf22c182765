package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// perform waits until the cluster is ready, shows it, and breaks it. It returns
// when ctx ends or the time is over; agents ends early only when one cannot run.
func (d *demo) perform(ctx, agents context.Context) error {
	both, stop := context.WithCancelCause(agents)
	defer stop(nil)
	defer context.AfterFunc(ctx, func() { stop(context.Cause(ctx)) })()
	if err := d.awaitNodes(both); err != nil {
		return err
	}
	if err := d.schedule(both, definitions()); err != nil {
		return err
	}
	if err := d.awaitJobs(both); err != nil {
		return err
	}
	d.introduce()
	shows, both := errgroup.WithContext(both)
	both, over := context.WithCancelCause(both)
	defer over(nil)
	if d.For > 0 {
		timer := time.AfterFunc(d.For, func() { over(errEnd) })
		defer timer.Stop()
	}
	shows.Go(func() error { return d.showBoard(both) })
	shows.Go(func() error { return d.story(both) })
	err := asEnd(shows.Wait())
	if d.For == 0 && ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		d.show.say("Ending: the agents leave, then everything is removed")
		return nil // somebody has seen enough
	}
	if err != nil {
		return err
	}
	d.show.say("The time is over: waiting until every slot that is due has its row")
	until, err := d.settled(agents, nil)
	d.mu.Lock()
	d.until = until
	d.mu.Unlock()
	return err
}

const nodesReadySQL = `SELECT count(*) FROM coterie.nodes WHERE state = 'ready'`

const jobsHeldSQL = `SELECT count(*) FROM coterie.jobs WHERE runner IS NOT NULL`

func (d *demo) awaitNodes(ctx context.Context) error {
	begun := time.Now()
	if err := d.await(ctx, nodesReadySQL, d.Nodes, "nodes that are ready"); err != nil {
		return err
	}
	var names []string
	for _, n := range d.nodes {
		names = append(names, n.name)
	}
	d.step(begun, "nodes %s ready", strings.Join(names, " "))
	return nil
}

func (d *demo) awaitJobs(ctx context.Context) error {
	begun := time.Now()
	want := len(definitions())
	if err := d.await(ctx, jobsHeldSQL, want, "jobs that have a runner"); err != nil {
		return err
	}
	d.step(begun, "%d jobs, each with its runner", want)
	return nil
}

// await asks until an answer is what it should be.
func (d *demo) await(ctx context.Context, question string, want int, what string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyWithin, errors.New("given up waiting"))
	defer cancel()
	for {
		var got int
		err := d.db.GetContext(ctx, &got, question)
		if err == nil && got >= want {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("count %s: %w", what, err)
		}
		if err := wait(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("%s: %d of %d: %w", what, got, want, err)
		}
	}
}

// introduce tells what there is, and what to try.
func (d *demo) introduce() {
	which := ""
	if d.Dir != "" {
		which = " --dir " + quote(d.place.dir)
	}
	d.result.Ready = time.Since(d.begun)
	d.show.tell(fmt.Sprintf("Ready after %.1f s. Status page %s\n\nTry in another terminal:", d.result.Ready.Seconds(), d.nodes[0].page()))
	for _, try := range [][2]string{
		{". " + quote(d.place.path("env")), "for all that follows"},
		{"coterie status; coterie jobs", ""},
		{"psql -c 'table coterie.takeovers'", "all that it knows is rows"},
		{"coterie demo kill " + nodeName(1) + which, "kill -9 of all of it: its jobs move"},
		{"coterie demo freeze " + nodeName(0) + which, "then thaw it: a zombie does no harm"},
		{"coterie demo cut-db 5s" + which, "no database: see what stays up"},
		{"coterie demo load" + which, "many more jobs for a while"},
		{"tail -f " + quote(d.place.path("share", witnessName)), ""},
	} {
		d.show.tell(strings.TrimRight(fmt.Sprintf("  %-36s  %s", try[0], try[1]), " "))
	}
	d.show.tell("Ctrl-C ends it and removes everything.\n")
}

// act is something that is done to the cluster, and shown.
type act func(ctx context.Context, n *node, say func(string, ...any)) error

// acts are the story, in order. A long demo that is to be judged begins again
// and again; one that somebody looks at stops after the first two.
func (d *demo) acts() []act {
	kill := func(what victim) act {
		return func(ctx context.Context, n *node, say func(string, ...any)) error {
			return d.killShown(ctx, n, what, restAfterKill, say)
		}
	}
	cut := func(how cut, all bool) act {
		return func(ctx context.Context, n *node, say func(string, ...any)) error {
			o := Order{Do: "cut-db", For: sessionTTL + time.Second, How: string(how)}
			if !all {
				o.Node = n.name
			}
			return d.cut(ctx, o, say)
		}
	}
	return []act{kill(victimAgent), kill(victimAll), d.sleepwalk, cut(cutSilent, false), kill(victimSupervisor), cut(cutRefuse, false),
		func(ctx context.Context, _ *node, say func(string, ...any)) error {
			return d.load(ctx, Order{Jobs: 10, For: 5 * time.Second}, say)
		},
		cut(cutSilent, true), cut(cutRefuse, true)}
}

// sleepwalk freezes a node, and lets it go on.
func (d *demo) sleepwalk(ctx context.Context, n *node, say func(string, ...any)) error {
	if err := d.freezeShown(ctx, n, say); err != nil {
		return err
	}
	if err := wait(ctx, heartbeat); err != nil {
		return err
	}
	return d.thawShown(ctx, n, say)
}

// actTime is how long before the end no act begins any more.
const actTime = 8 * time.Second

// story breaks things by itself. Somebody who looks on may take it over: the
// first order ends it, unless the demo is to be judged.
func (d *demo) story(ctx context.Context) error {
	begun, acts := time.Now(), d.acts()
	pauses := []time.Duration{10 * time.Second, 12 * time.Second}
	if d.For > 0 {
		pauses = []time.Duration{d.For * 15 / 100, d.For * 20 / 100}
	}
	for n := 0; d.For > 0 || n < len(pauses); n++ {
		pause := 3 * time.Second
		if n < len(pauses) {
			pause = min(pauses[n], 12*time.Second)
		}
		if taken, err := d.pause(ctx, pause); taken || err != nil {
			return d.restOf(ctx, err)
		}
		if n >= len(pauses) && time.Since(begun) > d.For-actTime {
			break // too late to see it out
		}
		victim, err := d.busiest(ctx)
		if err != nil {
			return err
		}
		err = acts[n%len(acts)](ctx, victim, d.show.say)
		if down, ok := errors.AsType[*DownError](err); ok {
			d.show.say("%v", down)
		} else if err != nil {
			return err
		}
	}
	return d.restOf(ctx, nil)
}

// restOf waits for the end, if nothing is wrong.
func (d *demo) restOf(ctx context.Context, err error) error {
	if err != nil {
		return err
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// pause waits, and tells whether somebody else has taken over meanwhile.
func (d *demo) pause(ctx context.Context, t time.Duration) (taken bool, err error) {
	if d.For > 0 {
		return false, wait(ctx, t)
	}
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case <-d.ordered:
		return true, nil
	case <-timer.C:
		return false, nil
	}
}

const busiestSQL = `
SELECT name FROM coterie.nodes
WHERE state = 'ready' AND leases_held > 0
ORDER BY leases_held DESC, name
LIMIT 1`

// busiest is the node that holds most.
func (d *demo) busiest(ctx context.Context) (*node, error) {
	for {
		var names []string
		if err := d.db.SelectContext(ctx, &names, busiestSQL); err != nil {
			return nil, fmt.Errorf("look for a victim: %w", err)
		}
		if len(names) == 1 {
			return d.node(names[0]), nil
		}
		if err := wait(ctx, heartbeat/2); err != nil {
			return nil, err
		}
	}
}

// died tells that an agent ended that nobody had harmed.
func (d *demo) died(n *node, why error) {
	d.mu.Lock()
	d.deaths[n.name]++
	d.mu.Unlock()
	if why == nil {
		why = errors.New("exit code 0")
	}
	d.show.say("the agent of %s ended by itself: %v; see %s", n.name, why, n.log())
}
