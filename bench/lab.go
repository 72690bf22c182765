package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/pgserver"
	"github.com/coterie-ha/coterie/sql/schema"
)

type options struct {
	long bool
	etcd string

	mixed, small, turns int // of what is moved; negative: as each figure has them
}

// lab is what a run measures in: a server of each kind, and a directory that
// vanishes with them.
type lab struct {
	options
	dir     string
	server  *pgserver.Server
	admin   *sqlx.DB
	etcd    *etcd // nil when it is not here
	version string
	made    int // databases so far
}

func open(ctx context.Context, o options) (_ *lab, err error) {
	l := &lab{options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	if l.dir, err = os.MkdirTemp("", "coterie-bench-"); err != nil {
		return nil, err
	}
	l.server, err = pgserver.Start(ctx, pgserver.Options{
		Durable: true, MaxConns: 300,
		Settings: map[string]string{
			"shared_buffers":           "128MB",
			"shared_preload_libraries": "pg_stat_statements",
			"track_functions":          "none",
		},
	})
	if err != nil {
		return nil, err
	}
	if l.admin, err = schema.Open(ctx, schema.Options{DSN: l.server.TCP("postgres"), Budget: time.Minute}); err != nil {
		return nil, err
	}
	if err := l.admin.GetContext(ctx, &l.version, `SELECT current_setting('server_version')`); err != nil {
		return nil, err
	}
	if l.etcd, err = startEtcd(ctx, o.etcd, l.dir); err != nil {
		say("NO ETCD: its columns stay empty: %v", err)
		l.etcd, err = nil, nil
	}
	return l, nil
}

func (l *lab) close() error {
	var errs []error
	if l.etcd != nil {
		errs = append(errs, l.etcd.stop())
	}
	if l.admin != nil {
		errs = append(errs, l.admin.Close())
	}
	if l.server != nil {
		errs = append(errs, l.server.Stop())
	}
	if l.dir != "" {
		errs = append(errs, os.RemoveAll(l.dir))
	}
	return errors.Join(errs...)
}

func (l *lab) etcdVersion() string {
	if l.etcd == nil {
		return "is missing"
	}
	return l.etcd.version
}

func riverVersion() string {
	built, ok := debug.ReadBuildInfo()
	if !ok {
		return "of unknown version"
	}
	for _, m := range built.Deps {
		if m.Path == "github.com/riverqueue/river" {
			return strings.TrimPrefix(m.Version, "v")
		}
	}
	return "of unknown version"
}

// rounds is how many turns each side of a comparison has.
func (l *lab) rounds() int {
	if l.long {
		return 10
	}
	return 4
}

// round is how long one turn takes.
func (l *lab) round() time.Duration {
	if l.long {
		return 4 * time.Second
	}
	return 1500 * time.Millisecond
}

// few is how often something slow is tried.
func (l *lab) few(short int) int {
	if l.long {
		return 4 * short
	}
	return short
}

// database makes an empty one.
func (l *lab) database(ctx context.Context) (name string, err error) {
	l.made++
	name = fmt.Sprintf("bench_%d", l.made)
	_, err = l.admin.ExecContext(ctx, "CREATE DATABASE "+name)
	return name, err
}

// cluster is a database with our schema, and the nodes that live on it.
type cluster struct {
	lab  *lab
	name string   // of the database
	db   *sqlx.DB // of its superuser
	wait sync.WaitGroup
	stop []func()
	lost atomic.Int64 // nodes that ended by themselves
}

// defaults are the terms of a new cluster; fast ones suit a quick local network.
var (
	defaults = leases.Terms{TTL: 6 * time.Second, Heartbeat: 1500 * time.Millisecond, Margin: 1500 * time.Millisecond}
	fast     = leases.Terms{TTL: 1500 * time.Millisecond, Heartbeat: 300 * time.Millisecond, Margin: 300 * time.Millisecond}
)

const termsSQL = `
UPDATE coterie.setting
SET session_ttl = make_interval(secs => $1), heartbeat = make_interval(secs => $2), margin = make_interval(secs => $3)`

func (l *lab) cluster(ctx context.Context, terms leases.Terms) (*cluster, error) {
	name, err := l.database(ctx)
	if err != nil {
		return nil, err
	}
	c := &cluster{lab: l, name: name}
	if c.db, err = schema.Open(ctx, schema.Options{DSN: l.server.TCP(name), Budget: time.Minute}); err != nil {
		return nil, err
	}
	if _, err := schema.Migrate(ctx, c.db); err != nil {
		return nil, errors.Join(err, c.db.Close())
	}
	err = c.exec(ctx, `SELECT coterie.cluster_init('bench')`)
	err = errors.Join(err, c.exec(ctx, termsSQL, terms.TTL.Seconds(), terms.Heartbeat.Seconds(), terms.Margin.Seconds()))
	if err != nil {
		return nil, errors.Join(err, c.db.Close())
	}
	return c, nil
}

func (c *cluster) exec(ctx context.Context, sql string, args ...any) error {
	_, err := c.db.ExecContext(ctx, sql, args...)
	return err
}

// declare makes leases of a class that nodes take by themselves, or of none.
func (c *cluster) declare(ctx context.Context, prefix string, n int, class any) error {
	return c.exec(ctx, `SELECT coterie.lease_declare(array_agg($1 || n), $3) FROM generate_series(1, $2) AS n`, prefix, n, class)
}

// close ends the nodes and drops the database.
func (c *cluster) close() error {
	for _, stop := range c.stop {
		stop()
	}
	c.wait.Wait()
	err := c.db.Close()
	_, dropped := c.lab.admin.Exec("DROP DATABASE " + c.name + " WITH (FORCE)")
	return errors.Join(err, dropped)
}

// freePort is one that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
