package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// rivers are River clients with their default settings, on a database of their
// own. One of them is the leader.
type rivers struct {
	lab     *lab
	name    string // of the database
	watch   *pgxpool.Pool
	clients map[string]*riverClient
}

type riverClient struct {
	*river.Client[pgx.Tx]
	line line
	pool *pgxpool.Pool
}

func (l *lab) rivers(ctx context.Context, n int) (_ *rivers, err error) {
	name, err := l.database(ctx)
	if err != nil {
		return nil, err
	}
	r := &rivers{lab: l, name: name, clients: map[string]*riverClient{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if r.watch, err = pgxpool.New(ctx, l.server.TCP(name)); err != nil {
		return nil, err
	}
	m, err := rivermigrate.New(riverpgxv5.New(r.watch), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, err
	}
	for i := range n {
		id := fmt.Sprintf("river-%d", i)
		if r.clients[id], err = r.client(ctx, id); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *rivers) client(ctx context.Context, id string) (*riverClient, error) {
	c := new(riverClient)
	cfg, err := pgxpool.ParseConfig(r.lab.server.TCP(r.name))
	if err != nil {
		return nil, err
	}
	cfg.ConnConfig.DialFunc = c.line.dial
	if c.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, idler{})
	c.Client, err = river.NewClient(riverpgxv5.New(c.pool), &river.Config{
		ID: id, Workers: workers, Logger: slog.New(slog.DiscardHandler),
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 1}},
	})
	if err != nil {
		return nil, err
	}
	return c, c.Start(ctx)
}

// idler is a worker that never works: a client without one takes no part in elections.
type idler struct{ river.WorkerDefaults[noJob] }

func (idler) Work(context.Context, *river.Job[noJob]) error { return nil }

type noJob struct{}

func (noJob) Kind() string { return "none" }

// leading is a term of leadership.
type leading struct {
	id    string
	since time.Time
}

// after waits for a leader whose term is not the given one.
func (r *rivers) after(ctx context.Context, before leading, patience time.Duration) (leading, error) {
	limit := time.Now().Add(patience)
	for time.Now().Before(limit) {
		var now leading
		err := r.watch.QueryRow(ctx, `SELECT leader_id, elected_at FROM river_leader`).Scan(&now.id, &now.since)
		if err == nil && now != before {
			return now, nil
		}
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return leading{}, err
		}
		if err := rest(ctx, 2*time.Millisecond); err != nil {
			return leading{}, err
		}
	}
	return leading{}, fmt.Errorf("no new leader of River within %v", patience)
}

func (r *rivers) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, c := range r.clients {
		if c.line.isSilent() {
			continue // it waits for answers that do not come; its connections go with the database
		}
		if err := c.StopAndCancel(ctx); err != nil {
			say("stop a client of River: %v", err)
		}
		c.pool.Close()
	}
	if r.watch != nil {
		r.watch.Close()
	}
	_, err := r.lab.admin.Exec("DROP DATABASE " + r.name + " WITH (FORCE)")
	return err
}
