package slots

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/jobs"
	"github.com/coterie-ha/coterie/sql/pgserver"
	"github.com/coterie-ha/coterie/sql/schema"
)

const (
	database = "slots"
	action   = "witness"
)

// nodeNames are also the logins of nodes.
var nodeNames = []string{"a", "b", "c"}

// lab is a server with a directory that may have seen earlier rounds.
type lab struct {
	dir     string
	server  *pgserver.Server
	admin   *sqlx.DB
	witness witness
	nodes   []*node
	first   int // number of the first job of this round
	jobs    int
	driven  bool // by drivers, and not by runners
	owed    map[string]owed
}

func open(ctx context.Context, dir string, count int, driven bool) (_ *lab, err error) {
	l := &lab{dir: dir, jobs: count, driven: driven}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	if l.witness, err = openWitness(filepath.Join(dir, "witness")); err != nil {
		return nil, err
	}
	l.server, err = pgserver.Start(ctx, pgserver.Options{Dir: filepath.Join(dir, "server"), MaxConns: 100, Settings: map[string]string{
		"shared_buffers": "256MB", "max_wal_size": "4GB", "synchronous_commit": "on",
	}})
	if err != nil {
		return nil, err
	}
	if err := l.prepare(ctx); err != nil {
		return nil, err
	}
	return l, l.define(ctx)
}

func (l *lab) dsn(user string) string {
	return strings.Replace(l.server.DSN(database), "user="+pgserver.Superuser, "user="+user, 1)
}

// prepare makes the database, unless an earlier round has.
func (l *lab) prepare(ctx context.Context) error {
	root, err := schema.Open(ctx, schema.Options{DSN: l.server.DSN("postgres")})
	if err != nil {
		return err
	}
	defer root.Close()
	var there bool
	if err := root.GetContext(ctx, &there, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, database); err != nil {
		return err
	}
	if !there {
		if _, err := root.ExecContext(ctx, `CREATE DATABASE `+database); err != nil {
			return err
		}
	}
	if l.admin, err = schema.Open(ctx, schema.Options{DSN: l.server.DSN(database), Budget: 10 * time.Minute}); err != nil {
		return err
	}
	if there {
		return nil
	}
	if _, err := schema.Migrate(ctx, l.admin); err != nil {
		return err
	}
	said := []string{
		`SELECT coterie.cluster_init('slots')`,
		`UPDATE coterie.setting SET session_ttl = '1500ms', heartbeat = '300ms', margin = '300ms'`,
	}
	for _, name := range nodeNames {
		said = append(said, `CREATE ROLE `+name+` LOGIN IN ROLE coterie_agent`)
	}
	for _, s := range said {
		if _, err := l.admin.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// define replaces the jobs of the round before by those of this one. What those owed
// when they ended is owed no more: it would get rows now.
func (l *lab) define(ctx context.Context) error {
	if _, err := l.admin.ExecContext(ctx, `UPDATE coterie.job SET since = coterie.clock() + interval '1 hour', first_due_at = coterie.clock() + interval '1 hour'`); err != nil {
		return err
	}
	if err := l.admin.GetContext(ctx, &l.first, `SELECT coalesce(max(substr(name, 2)::int) + 1, 0) FROM coterie.job`); err != nil {
		return err
	}
	current, err := jobs.Current(ctx, l.admin)
	if err != nil {
		return err
	}
	var wanted []jobs.Definition
	what := action
	if l.driven {
		what = driveAction
	}
	for i := range l.jobs {
		wanted = append(wanted, jobs.Definition{Name: jobName(l.first + i), Schedule: "@every " + grid.String(), Action: what})
	}
	for chunk := range slices.Chunk(jobs.Diff(current, wanted), 500) {
		if _, err := jobs.Apply(ctx, l.admin, chunk, "round"); err != nil {
			return err
		}
	}
	if l.driven { // all slots of a day are owed
		_, err := l.admin.ExecContext(ctx, `UPDATE coterie.job SET since = since - interval '1 day', first_due_at = first_due_at - interval '1 day'`)
		if err != nil {
			return err
		}
	}
	var all []owed
	if err := l.admin.SelectContext(ctx, &all, `SELECT name, generation, first_due_at FROM coterie.job`); err != nil {
		return err
	}
	l.owed = map[string]owed{}
	for _, o := range all {
		l.owed[o.Name] = o
	}
	_, err = l.admin.ExecContext(ctx, `ANALYZE`)
	return err
}

// slots are the rows of the jobs from one on, sorted by slot. They are read from the
// table, not from an index whose order they could be taken for.
func (l *lab) slots(ctx context.Context, from int) (rows []slot, err error) {
	conn, err := l.admin.Connx(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	for _, off := range []string{"enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan"} {
		if _, err := conn.ExecContext(ctx, `SET `+off+` = off`); err != nil {
			return nil, err
		}
	}
	found, err := conn.QueryContext(ctx, `
		SELECT job, due_at, outcome = 'succeeded', started_at IS NOT NULL FROM coterie.run WHERE job >= $1`, jobName(from))
	if err != nil {
		return nil, err
	}
	defer found.Close()
	for found.Next() {
		var job string
		var due time.Time
		var s slot
		if err := found.Scan(&job, &due, &s.well, &s.ran); err != nil {
			return nil, err
		}
		if s.key, err = keyOf(job, due); err != nil {
			return nil, err
		}
		rows = append(rows, s)
	}
	slices.SortFunc(rows, func(a, b slot) int { return cmp.Compare(a.key, b.key) })
	return rows, found.Err()
}

func (l *lab) close() error {
	var errs []error
	for _, n := range l.nodes {
		errs = append(errs, n.end())
	}
	if l.admin != nil {
		errs = append(errs, l.admin.Close())
	}
	if l.server != nil {
		errs = append(errs, l.server.Stop())
	}
	if l.witness.File != nil {
		errs = append(errs, l.witness.Sync(), l.witness.Close())
	}
	return errors.Join(errs...)
}

// size is how many bytes the witness has, before and after a round.
func (l *lab) size() (int64, error) {
	st, err := os.Stat(l.witness.Name())
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}
