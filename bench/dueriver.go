package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// riverCrew are clients with default settings but for the number of workers; the
// leader among them inserts what is due.
type riverCrew struct {
	lab     *lab
	name    string
	pool    *pgxpool.Pool
	clients []*river.Client[pgx.Tx]
}

type tickArgs struct {
	Job string `json:"job"`
}

func (tickArgs) Kind() string { return "tick" }

type tickWorker struct {
	river.WorkerDefaults[tickArgs]
	seen *starts
}

func (w *tickWorker) Work(_ context.Context, job *river.Job[tickArgs]) error {
	w.seen.add(job.Args.Job, job.ScheduledAt, time.Now())
	return nil
}

func riverDue(ctx context.Context, l *lab, seen *starts) (_ crew, err error) {
	r := &riverCrew{lab: l}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.stop())
		}
	}()
	if r.name, err = l.database(ctx); err != nil {
		return nil, err
	}
	cfg, err := pgxpool.ParseConfig(l.server.TCP(r.name))
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = 10 * dueNodes
	if r.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, err
	}
	m, err := rivermigrate.New(riverpgxv5.New(r.pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, err
	}
	var periodic []*river.PeriodicJob
	for i := range dueJobs {
		periodic = append(periodic, river.NewPeriodicJob(wholeSeconds{}, func() (river.JobArgs, *river.InsertOpts) { return tickArgs{dueName(i)}, nil }, nil))
	}
	for range dueNodes {
		workers := river.NewWorkers()
		river.AddWorker(workers, &tickWorker{seen: seen})
		c, err := river.NewClient(riverpgxv5.New(r.pool), &river.Config{
			Workers: workers, PeriodicJobs: periodic, Logger: slog.New(slog.DiscardHandler),
			Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 100}},
		})
		if err != nil {
			return nil, err
		}
		if err := c.Start(ctx); err != nil {
			return nil, err
		}
		r.clients = append(r.clients, c)
	}
	return r, nil
}

// wholeSeconds is a schedule on the same instants as the others'.
type wholeSeconds struct{}

func (wholeSeconds) Next(t time.Time) time.Time { return t.Truncate(time.Second).Add(time.Second) }

func (r *riverCrew) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var errs []error
	for _, c := range r.clients {
		errs = append(errs, c.StopAndCancel(ctx))
	}
	if r.pool != nil {
		r.pool.Close()
	}
	_, err := r.lab.admin.Exec("DROP DATABASE IF EXISTS " + r.name + " WITH (FORCE)")
	return errors.Join(append(errs, err)...)
}
