package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/license"
	"github.com/coterie-ha/coterie/sql/schema"
)

// till is a design that counts seats: 32 clients on some nodes want them.
type till struct {
	name string
	in   func(ctx context.Context, node int, user string) (granted bool, err error)
	out  func(ctx context.Context, node int, user string) error
}

// turnover is what clients saw of a design: decisions, how long each took, and the
// most seats that were held at once.
type turnover struct {
	mu        sync.Mutex // guards took
	took      sample
	held      atomic.Int64
	most      atomic.Int64
	decisions atomic.Int64
	lasted    time.Duration
}

func (t *turnover) rate() float64 { return float64(t.decisions.Load()) / t.lasted.Seconds() }

// seats counts licence seats by three designs in turn: count the rows and then
// insert one, which anybody writes first; lock a row, count, insert and commit, for
// each decision; and ours. There are few seats, and what clients hold at once tells
// who gives away one too many. Then one hot pool of ours on five nodes.
func seats(ctx context.Context, l *lab) (_ []row, err error) {
	const few, many, nodes = 20, 200, 5
	c, err := l.cluster(ctx, fast)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	pool, err := schema.Open(ctx, schema.Options{DSN: l.server.TCP(c.name), MaxConns: 40})
	if err != nil {
		return nil, err
	}
	pool.SetMaxIdleConns(40)
	defer func() { err = errors.Join(err, pool.Close()) }()
	desks, err := c.desks(ctx, nodes, few, many)
	if err != nil {
		return nil, err
	}
	if err := c.exec(ctx, fmt.Sprintf(plainSQL, few)); err != nil {
		return nil, err
	}
	designs := []till{plain(pool, "count and then insert", plainCountSQL), plain(pool, "a lock and a commit each", plainLockSQL), ours(desks, "few")}
	totals := make([]turnover, len(designs))
	for range l.rounds() {
		for i, d := range designs {
			if err := d.drive(ctx, &totals[i], 2, l.round()); err != nil {
				return nil, fmt.Errorf("%s: %w", d.name, err)
			}
		}
	}
	hot := &turnover{}
	if err := ours(desks, "many").drive(ctx, hot, nodes, time.Duration(l.rounds())*l.round()); err != nil {
		return nil, err
	}
	told := func(i int) string {
		return fmt.Sprintf("%.0f/s, %v, at most %d of %d at once", totals[i].rate(), totals[i].took, totals[i].most.Load(), few)
	}
	us := totals[2].most.Load()
	return []row{
		{figure: "seats, 20 of them, 32 clients on 2 nodes, beside: count and then insert", ours: told(2), peer: told(0),
			ratio: times(totals[2].rate() / totals[0].rate()), limit: "never more than there are", met: judge(us <= few)},
		{figure: "the same beside: a lock and a commit for each", ours: told(2), peer: told(1),
			ratio: times(totals[2].rate() / totals[1].rate()), limit: "never more, and faster", met: judge(us <= few && totals[2].rate() > totals[1].rate())},
		{figure: "seats, 200 of them, 32 clients on 5 nodes, each decision on disk", ours: fmt.Sprintf("%.0f/s, %v, at most %d at once", hot.rate(), hot.took, hot.most.Load()),
			limit: "2,000/s, p99 40 ms", met: judge(hot.rate() >= 2000 && hot.took.at(.99) <= 40*time.Millisecond && hot.most.Load() <= many)},
	}, nil
}

// desks are nodes with their desks, and a pool of few seats and one of many.
func (c *cluster) desks(ctx context.Context, nodes, few, many int) ([]*license.Desk, error) {
	if err := c.exec(ctx, `SELECT coterie.license_define($1, 'bench', '')`,
		fmt.Sprintf(`{"pools": [{"name": "few", "seats": %d}, {"name": "many", "seats": %d}]}`, few, many)); err != nil {
		return nil, err
	}
	pools, err := license.ReadPools(ctx, c.db)
	if err != nil {
		return nil, err
	}
	var all []*license.Desk
	begun := time.Now()
	for i := range nodes {
		n, err := c.start(ctx, plan{name: fmt.Sprintf("app-%d", i), deaf: true})
		if err != nil {
			return nil, err
		}
		db, err := schema.Open(ctx, schema.Options{DSN: c.lab.server.TCP(c.name), MaxConns: 2})
		if err != nil {
			return nil, err
		}
		d := &license.Desk{DB: db, Node: n.Node, Now: func() time.Duration { return time.Since(begun) }}
		d.Learn(pools)
		d.Began(n.View().Incarnation)
		ctx, cancel := context.WithCancel(ctx)
		c.stop = append(c.stop, cancel)
		c.wait.Go(func() {
			err := d.Run(ctx)
			if errors.Is(err, context.Canceled) {
				err = nil
			}
			if err := errors.Join(err, db.Close()); err != nil {
				say("desk of %s: %v", d.Node, err)
			}
		})
		all = append(all, d)
	}
	return all, nil
}

func ours(desks []*license.Desk, pool string) till {
	use := func(user string) license.Use { return license.Use{Pool: pool, Holder: user} }
	return till{"ours",
		func(ctx context.Context, node int, user string) (bool, error) {
			_, err := desks[node].Checkout(ctx, use(user), 0)
			if errors.Is(err, license.ErrDenied) {
				return false, nil
			}
			return err == nil, err
		},
		func(ctx context.Context, node int, user string) error { return desks[node].Checkin(ctx, use(user), 0) },
	}
}

// plainSQL is what an application would have of its own.
const plainSQL = `
CREATE TABLE public.plain_pool (seats int NOT NULL);
CREATE TABLE public.plain_seat (who text PRIMARY KEY, since timestamptz NOT NULL DEFAULT now());
INSERT INTO public.plain_pool VALUES (%[1]d);
CREATE FUNCTION public.plain_count(p_who text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) FROM public.plain_seat) >= (SELECT seats FROM public.plain_pool) THEN RETURN false; END IF;
    INSERT INTO public.plain_seat (who) VALUES (p_who);
    RETURN true;
END $$;
CREATE FUNCTION public.plain_lock(p_who text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM public.plain_pool FOR UPDATE;
    RETURN public.plain_count(p_who);
END $$;`

const (
	plainCountSQL = `SELECT public.plain_count($1)`
	plainLockSQL  = `SELECT public.plain_lock($1)`
)

func plain(db *sqlx.DB, name, takeSQL string) till {
	return till{name,
		func(ctx context.Context, _ int, user string) (granted bool, err error) {
			return granted, db.GetContext(ctx, &granted, takeSQL, user)
		},
		func(ctx context.Context, _ int, user string) error {
			_, err := db.ExecContext(ctx, `DELETE FROM public.plain_seat WHERE who = $1`, user)
			return err
		},
	}
}

// drive has 32 clients take seats and give them back for a while. What a client
// knows that it holds is counted: from after the answer until before it gives it back.
func (d till) drive(ctx context.Context, t *turnover, nodes int, lasts time.Duration) error {
	const clients = 32
	errs := make(chan error, clients)
	begun := time.Now()
	for c := range clients {
		go func() {
			var took sample
			timed := func(do func() error) error {
				began := time.Now()
				err := do()
				took = append(took, time.Since(began))
				t.decisions.Add(1)
				return err
			}
			err := func() error {
				for time.Since(begun) < lasts {
					user, granted := fmt.Sprintf("user%d-%d", c, rand.IntN(1000)), false
					if err := timed(func() (err error) { granted, err = d.in(ctx, c%nodes, user); return err }); err != nil {
						return err
					}
					if !granted {
						continue
					}
					now := t.held.Add(1)
					for most := t.most.Load(); now > most && !t.most.CompareAndSwap(most, now); most = t.most.Load() {
						continue
					}
					time.Sleep(time.Millisecond)
					t.held.Add(-1)
					if err := timed(func() error { return d.out(ctx, c%nodes, user) }); err != nil {
						return err
					}
				}
				return nil
			}()
			t.mu.Lock()
			t.took = append(t.took, took...)
			t.mu.Unlock()
			errs <- err
		}()
	}
	var err error
	for range clients {
		err = errors.Join(err, <-errs)
	}
	t.lasted += time.Since(begun)
	return err
}
