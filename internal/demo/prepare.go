package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/coordinator"
	"github.com/coterie-ha/coterie/jobs"
	"github.com/coterie-ha/coterie/sql/pgserver"
	"github.com/coterie-ha/coterie/sql/schema"
)

// prepare starts the server and makes all that the nodes need.
func (d *demo) prepare(ctx context.Context) error {
	begun := time.Now()
	first, together := errgroup.WithContext(ctx)
	first.Go(func() (err error) {
		d.server, err = pgserver.Start(together, pgserver.Options{
			Dir: d.place.path("pg"), MaxConns: 20 + 12*d.Nodes,
			// Everybody who reaches it is trusted, so only this user may: by the folder.
			Env:      []string{markEnv + "=" + d.place.path(serverMark)},
			Settings: map[string]string{"listen_addresses": "", "autovacuum_naptime": "10s"},
		})
		return err
	})
	first.Go(func() error { return layOut(d.place.path("share")) })
	if err := first.Wait(); err != nil {
		return err
	}
	version, err := d.open(ctx)
	if err != nil {
		return err
	}
	d.step(begun, "PostgreSQL %s, a private one, by a Unix socket only", version)
	begun = time.Now()
	at, err := d.found(ctx)
	if err != nil {
		return err
	}
	d.step(begun, "schema %d, cluster %s, shared folder %s", at, clusterName, d.place.path("share"))
	server := fmt.Sprintf("%s/.s.PGSQL.%d", d.server.Socket, d.server.Port)
	for i := range d.Nodes {
		n, err := openNode(ctx, d.place, d.Program, nodeName(i), server)
		if err != nil {
			return err
		}
		d.nodes = append(d.nodes, n)
	}
	return os.WriteFile(d.place.path("env"), []byte(d.environment()), 0o600)
}

func nodeName(i int) string { return "app-" + string(rune('a'+i)) }

// step tells what was done, and how long it took.
func (d *demo) step(begun time.Time, format string, args ...any) {
	d.show.tell(fmt.Sprintf("%4.1fs  ", time.Since(begun).Seconds()) + fmt.Sprintf(format, args...))
}

// open makes the database and connects to it.
func (d *demo) open(ctx context.Context) (version string, err error) {
	admin, err := schema.Open(ctx, schema.Options{DSN: d.server.DSN("postgres"), MaxConns: 1})
	if err != nil {
		return "", err
	}
	_, err = admin.ExecContext(ctx, "CREATE DATABASE "+databaseName)
	if err == nil {
		err = admin.GetContext(ctx, &version, "SHOW server_version")
	}
	if err := errors.Join(err, admin.Close()); err != nil {
		return "", fmt.Errorf("make the database: %w", err)
	}
	version, _, _ = strings.Cut(version, " ")
	d.db, err = schema.Open(ctx, schema.Options{DSN: d.server.DSN(databaseName), Application: "coterie demo", MaxConns: 4})
	return version, err
}

// found makes the cluster, with short terms, and marks the share as its own.
func (d *demo) found(ctx context.Context) (version int, err error) {
	done, err := schema.Migrate(ctx, d.db)
	if err != nil {
		return 0, err
	}
	id, err := coordinator.Init(ctx, d.db, clusterName)
	if err != nil {
		return 0, err
	}
	for _, term := range []struct {
		key   string
		value time.Duration
	}{{"heartbeat", heartbeat}, {"margin", margin}, {"session_ttl", sessionTTL}} { // in this order they always fit together
		if err := d.call(ctx, `SELECT coterie.setting_change($1, $2, 'coterie demo', 'so that nobody has to wait')`, term.key, term.value.String()); err != nil {
			return 0, err
		}
	}
	for i := range d.Nodes {
		if err := d.call(ctx, fmt.Sprintf(`CREATE ROLE %q LOGIN IN ROLE coterie_agent`, roleOf(nodeName(i)))); err != nil {
			return 0, err
		}
	}
	return int(done.To), appdata.CreateMarker(d.place.path("share"), appdata.Marker{Cluster: clusterName, ID: id, Generation: 1, Created: time.Now()})
}

// call changes something, once.
func (d *demo) call(ctx context.Context, statement string, args ...any) error {
	conn, err := d.db.Connx(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, statement, args...); err != nil {
		return fmt.Errorf("%s: %w", strings.Fields(statement)[1], err)
	}
	return nil
}

// definitions are the demo's jobs.
func definitions() []jobs.Definition {
	return []jobs.Definition{
		{Name: expireLogs, Schedule: "@every 2s", Action: expireLogs, Timeout: 10 * time.Second},
		{Name: verifyRepository, Schedule: "@every 3s", Action: verifyRepository, Timeout: 10 * time.Second},
		{Name: auditDigest, Schedule: "@every 2s", Action: auditDigest, Timeout: 10 * time.Second, Misfire: jobs.MisfireAll},
		{Name: rotateReport, Schedule: "@every 5s", Action: rotateReport, Timeout: 10 * time.Second, Misfire: jobs.MisfireSkip},
	}
}

// schedule applies jobs, and notes what they owe from now on.
func (d *demo) schedule(ctx context.Context, defs []jobs.Definition) error {
	var changes jobs.Changes
	for _, def := range defs {
		changes = append(changes, jobs.Change{New: &def})
	}
	if _, err := jobs.Apply(ctx, d.db, changes, "coterie demo"); err != nil {
		return err
	}
	return d.noteOwed(ctx, defs)
}

const sinceSQL = `SELECT since FROM coterie.jobs WHERE name = $1`

func (d *demo) noteOwed(ctx context.Context, defs []jobs.Definition) error {
	for _, def := range defs {
		every, err := time.ParseDuration(strings.TrimPrefix(def.Schedule, "@every "))
		if err != nil {
			return fmt.Errorf("schedule of %s: %w", def.Name, err)
		}
		o := owed{job: def.Name, every: every}
		if err := d.db.GetContext(ctx, &o.since, sinceSQL, def.Name); err != nil {
			return fmt.Errorf("look at %s: %w", def.Name, err)
		}
		d.mu.Lock()
		d.owed = append(d.owed, o)
		d.mu.Unlock()
	}
	return nil
}

// environment is what a shell reads to look into the demo.
func (d *demo) environment() string {
	return fmt.Sprintf(`export PATH=%s:"$PATH"
export PGHOST=%s PGPORT=%d PGDATABASE=%s PGUSER=%s
export COTERIE_CONFIG=%s COTERIE_DATABASE_DSN="%s"
`, quote(filepath.Dir(d.nodes[0].program)), quote(d.server.Socket), d.server.Port, databaseName, pgserver.Superuser, quote(d.nodes[0].config()), d.server.DSN(databaseName))
}

// quote makes a word of a shell.
func quote(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("/._-", r)
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// down ends the server.
func (d *demo) down() error {
	var errs []error
	if d.db != nil {
		errs = append(errs, d.db.Close())
	}
	if d.server != nil {
		errs = append(errs, d.server.Stop())
	}
	return errors.Join(errs...)
}
