package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/jobs"
	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/schema"
)

// ourCrew are nodes as an agent makes them, with actions that are functions.
type ourCrew struct {
	*cluster
	pools []*sqlx.DB
}

func oursDue(ctx context.Context, l *lab, seen *starts) (crew, error) {
	c, err := l.cluster(ctx, defaults)
	if err != nil {
		return nil, err
	}
	o := &ourCrew{cluster: c}
	var wanted []jobs.Definition
	for i := range dueJobs {
		wanted = append(wanted, jobs.Definition{Name: dueName(i), Schedule: "@every 1s", Action: "tick"})
	}
	if _, err := jobs.Apply(ctx, c.db, jobs.Diff(nil, wanted), "bench"); err != nil {
		return nil, errors.Join(err, o.stop())
	}
	for i := range dueNodes {
		if err := o.node(ctx, fmt.Sprintf("n%d", i), seen); err != nil {
			return nil, errors.Join(err, o.stop())
		}
	}
	return o, nil
}

func (o *ourCrew) node(ctx context.Context, name string, seen *starts) error {
	works, err := schema.Pool(schema.Options{DSN: o.lab.server.TCP(o.name), Application: name, MaxConns: 4})
	if err != nil {
		return err
	}
	o.pools = append(o.pools, works)
	beats, err := schema.Pool(schema.Options{DSN: o.lab.server.TCP(o.name), Application: name, MaxConns: 2})
	if err != nil {
		return err
	}
	o.pools = append(o.pools, beats)
	s := &leases.Session{DB: beats, Node: name, Hold: func(ctx context.Context, _ leases.Grant) { <-ctx.Done() }}
	r := &jobs.Runner{DB: works, Node: name, Now: func() time.Time { return s.Clock.Now() }, Actions: map[string]jobs.Action{
		"tick": jobs.Func(func(_ context.Context, run jobs.Run) error {
			seen.add(run.Job, run.Due, time.Now())
			return nil
		}),
	}}
	if err := r.Refresh(ctx); err != nil {
		return err
	}
	s.Takes, s.Keep = r.Takes(), r
	ctx, cancel := context.WithCancel(ctx)
	o.cluster.stop = append(o.cluster.stop, cancel)
	o.wait.Go(func() {
		defer r.Close()
		if err := s.Run(ctx); !errors.Is(err, context.Canceled) {
			say("node %s: %v", name, err)
		}
	})
	return nil
}

func (o *ourCrew) stop() error {
	for _, stop := range o.cluster.stop {
		stop()
	}
	o.wait.Wait()
	var errs []error
	for _, p := range o.pools {
		errs = append(errs, p.Close())
	}
	return errors.Join(append(errs, o.cluster.close())...)
}
