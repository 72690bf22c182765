package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jmoiron/sqlx"
	"go.etcd.io/etcd/client/v3/concurrency"

	"github.com/coterie-ha/coterie/sql/schema"
)

// cycle is how often a client takes a lease of its own and gives it back: by
// SQL (coterie.lease_take and lease_give), beside Lock and Unlock of etcd's
// mutex; and through the heartbeats of a node.
func cycle(ctx context.Context, l *lab) (_ []row, err error) {
	c, err := l.cluster(ctx, defaults)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.declare(ctx, "mutex/", 16, nil); err != nil {
		return nil, err
	}
	var rows []row
	for _, clients := range []int{1, 16} {
		got, err := c.cycles(ctx, clients)
		if err != nil {
			return rows, err
		}
		rows = append(rows, got...)
	}
	return rows, nil
}

func (c *cluster) cycles(ctx context.Context, clients int) (_ []row, err error) {
	sql, err := c.takers(ctx, clients)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sql.close()) }()
	var mutexes []cycler
	if c.lab.etcd != nil {
		for i := range clients {
			s, err := c.lab.etcd.session(ctx, nil, 60)
			if err != nil {
				return nil, err
			}
			defer s.drop()
			mutexes = append(mutexes, mutex{concurrency.NewMutex(s.Session, fmt.Sprintf("/mutex/%d", i))})
		}
	}
	rows, err := c.writers(ctx, clients)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeAll(rows.conns)) }()
	var ours, bare, peer []float64
	for range c.lab.rounds() {
		a, err := turn(ctx, sql.cyclers, c.lab.round())
		if err != nil {
			return nil, err
		}
		b, err := turn(ctx, mutexes, c.lab.round())
		if err != nil {
			return nil, err
		}
		least, err := turn(ctx, rows.cyclers, c.lab.round())
		if err != nil {
			return nil, err
		}
		ours, bare, peer = append(ours, a), append(bare, least), append(peer, b)
	}
	beats, err := c.beating(ctx, clients)
	if err != nil {
		return nil, err
	}
	text := ""
	ratio := median(ours) / median(peer)
	if len(mutexes) > 0 {
		text = fmt.Sprintf("etcd %.0f/s", median(peer))
	}
	result := row{
		figure: fmt.Sprintf("take and give back one lease, by SQL, %s; etcd: Lock and Unlock of a mutex", many(clients)),
		ours:   fmt.Sprintf("%.0f/s", median(ours)), peer: text, ratio: times(ratio), limit: "1.8",
	}
	if text != "" {
		result.met = judge(ratio >= 1.8)
	}
	return []row{result, {
		figure: fmt.Sprintf("the limit: bare statements that write the same two rows, %s", many(clients)),
		ours:   fmt.Sprintf("%.0f/s", median(bare)), peer: text, ratio: times(median(bare) / median(peer)),
	}, {
		figure: fmt.Sprintf("the same through heartbeats (leases.Session), %s", many(clients)),
		ours:   fmt.Sprintf("%.0f/s", beats), peer: text, ratio: times(beats / median(peer)),
	}}, nil
}

func many(clients int) string {
	if clients == 1 {
		return "1 client"
	}
	return fmt.Sprintf("%d clients", clients)
}

// cycler takes something and gives it back.
type cycler interface {
	cycle(ctx context.Context) error
}

// turn lets all of them work for a while and counts.
func turn(ctx context.Context, all []cycler, period time.Duration) (float64, error) {
	var mu sync.Mutex // guards what follows
	var total int
	var errs []error
	var wait sync.WaitGroup
	began := time.Now()
	for _, one := range all {
		wait.Go(func() {
			n := 0
			var err error
			for ; err == nil && time.Since(began) < period; n++ {
				err = one.cycle(ctx)
			}
			mu.Lock()
			defer mu.Unlock()
			total += n
			errs = append(errs, err)
		})
	}
	wait.Wait()
	return float64(total) / time.Since(began).Seconds(), errors.Join(errs...)
}

type mutex struct{ *concurrency.Mutex }

func (m mutex) cycle(ctx context.Context) error {
	if err := m.Lock(ctx); err != nil {
		return err
	}
	return m.Unlock(ctx)
}

// takers are SQL clients under one session, each with a connection and a lease
// of its own.
type takers struct {
	db      *sqlx.DB
	conns   []*pgx.Conn
	cyclers []cycler
	stop    context.CancelFunc
	wait    sync.WaitGroup
}

type taker struct {
	node, lease string
	incarnation int64
	conn        *pgx.Conn // prepares by itself what it says again
}

func (c *cluster) takers(ctx context.Context, clients int) (_ *takers, err error) {
	t := &takers{stop: func() {}}
	if t.db, err = schema.Open(ctx, schema.Options{DSN: c.lab.server.TCP(c.name)}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.close())
		}
	}()
	node, incarnation := fmt.Sprintf("sql-%d", clients), rand.Int64N(1<<62)+1
	var began bool
	err = t.db.GetContext(ctx, &began, `SELECT began FROM coterie.session_begin($1, $2, '{}', NULL, NULL, 0)`, node, incarnation)
	if err != nil || !began {
		return nil, errors.Join(err, errors.New("no session for SQL clients"))
	}
	var live context.Context
	live, t.stop = context.WithCancel(ctx)
	t.wait.Go(func() { t.renew(live, node, incarnation) })
	for i := range clients {
		conn, err := pgx.Connect(ctx, c.lab.server.TCP(c.name))
		if err != nil {
			return nil, err
		}
		t.conns = append(t.conns, conn)
		one := &taker{node: node, incarnation: incarnation, lease: fmt.Sprintf("mutex/%d", i+1), conn: conn}
		t.cyclers = append(t.cyclers, one)
	}
	return t, nil
}

func (t *takers) renew(ctx context.Context, node string, incarnation int64) {
	for rest(ctx, defaults.Heartbeat) == nil {
		var ttl *float64
		err := t.db.Get(&ttl, `SELECT coterie.session_renew($1, $2, 0)`, node, incarnation)
		if err != nil || ttl == nil {
			say("the session of SQL clients is over: %v", err)
			return
		}
	}
}

func (t *taker) cycle(ctx context.Context) error {
	var token *int64
	if err := t.conn.QueryRow(ctx, `SELECT coterie.lease_take($1, $2, $3)`, t.node, t.incarnation, t.lease).Scan(&token); err != nil {
		return err
	}
	if token == nil {
		return fmt.Errorf("%s is not to be had", t.lease)
	}
	var given bool
	if err := t.conn.QueryRow(ctx, `SELECT coterie.lease_give($1, $2, $3, $4)`, t.node, t.incarnation, t.lease, *token).Scan(&given); err != nil {
		return err
	}
	if !given {
		return fmt.Errorf("%s was not mine", t.lease)
	}
	return nil
}

func (t *takers) close() error {
	t.stop()
	t.wait.Wait()
	return errors.Join(t.db.Close(), closeAll(t.conns))
}

func closeAll(conns []*pgx.Conn) error {
	var errs []error
	for _, conn := range conns {
		errs = append(errs, conn.Close(context.Background()))
	}
	return errors.Join(errs...)
}

// writers write what taking and giving back write, a row of a lease and one of
// the ledger for each, by one bare statement, and look at nothing: nobody who
// keeps such a ledger in this server is faster.
type writers struct {
	conns   []*pgx.Conn
	cyclers []cycler
}

type writer struct {
	lease string
	conn  *pgx.Conn
}

func (c *cluster) writers(ctx context.Context, clients int) (_ *writers, err error) {
	w := &writers{}
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll(w.conns))
		}
	}()
	if err := c.exec(ctx, bareSQL); err != nil {
		return nil, err
	}
	for i := range clients {
		conn, err := pgx.Connect(ctx, c.lab.server.TCP(c.name))
		if err != nil {
			return nil, err
		}
		w.conns = append(w.conns, conn)
		w.cyclers = append(w.cyclers, writer{lease: fmt.Sprintf("mutex/%d", i+1), conn: conn})
	}
	return w, nil
}

const bareSQL = `
DROP TABLE IF EXISTS bare_lease, bare_event;
CREATE TABLE bare_lease (LIKE coterie.lease INCLUDING ALL);
CREATE TABLE bare_event (LIKE coterie.event INCLUDING ALL);
INSERT INTO bare_lease SELECT * FROM coterie.lease`

func (w writer) cycle(ctx context.Context) error {
	for _, statement := range []string{
		`WITH l AS (UPDATE bare_lease SET node = 'bare', incarnation = 1, token = nextval('coterie.token_seq'), acquired_at = coterie.clock() WHERE name = $1 RETURNING name, token)
		 INSERT INTO bare_event (node, kind, subject, token) SELECT 'bare', 'lease.claimed', name, token FROM l`,
		`WITH l AS (UPDATE bare_lease SET node = NULL, incarnation = NULL, acquired_at = NULL, freed_at = coterie.clock(), freed_by = 'release' WHERE name = $1 RETURNING name, token)
		 INSERT INTO bare_event (node, kind, subject, token, reason) SELECT 'bare', 'lease.released', name, token, 'release' FROM l`,
	} {
		if done, err := w.conn.Exec(ctx, statement, w.lease); err != nil || done.RowsAffected() != 1 {
			return errors.Join(err, fmt.Errorf("%d rows of %s", done.RowsAffected(), w.lease))
		}
	}
	return nil
}

// beating is the same through the heartbeats of a node: it wants a lease, a
// holder begins, it wants it no more, the holder returns.
func (c *cluster) beating(ctx context.Context, clients int) (float64, error) {
	var all []cycler
	for i := range clients {
		b := &beater{lease: fmt.Sprintf("mutex/%d", i+1), began: make(chan begin, 1)}
		var err error
		if b.node, err = c.start(ctx, plan{name: fmt.Sprintf("beats-%d-%d", clients, i), began: b.began, deaf: true}); err != nil {
			return 0, err
		}
		all = append(all, b)
	}
	return turn(ctx, all, 2*c.lab.round())
}

type beater struct {
	node  *node
	lease string
	began chan begin
}

func (b *beater) cycle(ctx context.Context) error {
	b.node.Change(nil, []string{b.lease})
	_, err := await(ctx, b.began, 2*defaults.TTL)
	b.node.Change(nil, nil)
	return err
}
