package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/sql/schema"
)

// gocronCrew are schedulers of gocron that share a lock per job, as its manual says: a row
// of a table, taken before a run and given back after it.
type gocronCrew struct {
	lab        *lab
	name       string
	pools      []*sqlx.DB
	schedulers []gocron.Scheduler
}

// rowLocker is gocron's Locker on PostgreSQL.
type rowLocker struct{ db *sqlx.DB }

func (l rowLocker) Lock(ctx context.Context, key string) (gocron.Lock, error) {
	var got string
	now := time.Now() // all nodes are on this host
	err := l.db.GetContext(ctx, &got, `INSERT INTO lock (name, until) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET until = excluded.until WHERE lock.until <= $3 RETURNING name`, key, now.Add(10*time.Second), now)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errors.New("somebody else has it")
	}
	return rowLock{l.db, key}, err
}

type rowLock struct {
	db  *sqlx.DB
	key string
}

func (l rowLock) Unlock(ctx context.Context) error {
	_, err := l.db.ExecContext(ctx, `UPDATE lock SET until = $2 WHERE name = $1`, l.key, time.Now())
	return err
}

func gocronDue(ctx context.Context, l *lab, seen *starts) (_ crew, err error) {
	g := &gocronCrew{lab: l}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.stop())
		}
	}()
	if g.name, err = l.database(ctx); err != nil {
		return nil, err
	}
	for i := range dueNodes {
		db, err := schema.Pool(schema.Options{DSN: l.server.TCP(g.name), MaxConns: 10})
		if err != nil {
			return nil, err
		}
		g.pools = append(g.pools, db)
		if i == 0 {
			if _, err := db.ExecContext(ctx, `CREATE TABLE lock (name text PRIMARY KEY, until timestamptz NOT NULL)`); err != nil {
				return nil, err
			}
		}
		s, err := gocron.NewScheduler(gocron.WithDistributedLocker(rowLocker{db}))
		if err != nil {
			return nil, err
		}
		g.schedulers = append(g.schedulers, s)
		for i := range dueJobs {
			name := dueName(i)
			tick := func() { now := time.Now(); seen.add(name, now.Truncate(time.Second), now) }
			if _, err := s.NewJob(gocron.CronJob("* * * * * *", true), gocron.NewTask(tick), gocron.WithName(name)); err != nil {
				return nil, fmt.Errorf("gocron: %w", err)
			}
		}
		s.Start()
	}
	return g, nil
}

func (g *gocronCrew) stop() error {
	var errs []error
	for _, s := range g.schedulers {
		errs = append(errs, s.Shutdown())
	}
	for _, p := range g.pools {
		errs = append(errs, p.Close())
	}
	_, err := g.lab.admin.Exec("DROP DATABASE IF EXISTS " + g.name + " WITH (FORCE)")
	return errors.Join(append(errs, err)...)
}
