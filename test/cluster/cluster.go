//go:build linux

package cluster

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/sql/pgserver"
	"github.com/coterie-ha/coterie/sql/schema"
)

// Terms are the times of a session, as in coterie.setting.
type Terms struct {
	TTL, Heartbeat, Margin time.Duration
}

// Default are the terms that a cluster has unless somebody changes them; Fast
// the shortest that a well-kept network can bear.
var (
	Default = Terms{6 * time.Second, 1500 * time.Millisecond, 1500 * time.Millisecond}
	Fast    = Terms{1500 * time.Millisecond, 300 * time.Millisecond, 300 * time.Millisecond}
)

// Options describe a cluster. The zero value has default terms and no nodes.
type Options struct {
	Program  string            // the coterie to run; "" builds the one of this module
	Terms    Terms             // Default if zero
	Settings map[string]string // of the PostgreSQL server
	Durable  bool              // the server forces its writes to disk
	Empty    bool              // leave the database empty: an agent is to prepare it
	LogLevel string            // of the agents, info if empty
}

// Cluster is a database, a shared folder and the nodes added so far.
type Cluster struct {
	Server *pgserver.Server
	DB     *sqlx.DB // as the superuser, by the Unix socket
	Dir    string
	Terms  Terms
	Nodes  []*Node

	t       testing.TB
	options Options
	program string
	front   *Link // by which everybody but the nodes reaches the primary
	standby *follower
	retired []*pgserver.Server
}

const (
	name     = "trial"
	database = "app"
	patience = 30 * time.Second
	maxConns = 200
)

// Start makes a cluster without nodes, and ends it with the test.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	if o.Terms == (Terms{}) {
		o.Terms = Default
	}
	// A short name: a Unix socket lies below it.
	dir, err := os.MkdirTemp("", "coterie-trial-")
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{Dir: dir, Terms: o.Terms, t: t, options: o, program: o.Program}
	t.Cleanup(c.end)
	if c.program == "" {
		if c.program, err = Program(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(c.share(), 0o755); err != nil {
		t.Fatal(err)
	}
	if c.Server, err = pgserver.Start(t.Context(), pgserver.Options{MaxConns: maxConns, Settings: c.settings(), Durable: o.Durable}); err != nil {
		t.Fatal(err)
	}
	if c.front, err = newLink(c.Server.Port); err != nil {
		t.Fatal(err)
	}
	if err := c.makeDatabase(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !o.Empty {
		c.prepare()
	}
	return c
}

// settings are those of each PostgreSQL server.
func (c *Cluster) settings() map[string]string {
	settings := map[string]string{"autovacuum": "off", "track_commit_timestamp": "on"}
	maps.Copy(settings, c.options.Settings)
	return settings
}

// DSN is how everybody but the nodes reaches the primary, whichever it is.
func (c *Cluster) DSN(user string) string {
	return fmt.Sprintf("host=127.0.0.1 port=%d dbname=%s user=%s sslmode=disable", c.front.Port, database, user)
}

func (c *Cluster) share() string { return filepath.Join(c.Dir, "share") }

func (c *Cluster) makeDatabase(ctx context.Context) error {
	admin, err := schema.Open(ctx, schema.Options{DSN: c.Server.DSN("postgres"), MaxConns: 1})
	if err != nil {
		return err
	}
	_, err = admin.ExecContext(ctx, "CREATE DATABASE "+database)
	if err = errors.Join(err, admin.Close()); err != nil {
		return err
	}
	c.DB, err = schema.Open(ctx, schema.Options{DSN: c.DSN(pgserver.Superuser), Application: "trial", MaxConns: 8, Budget: patience})
	return err
}

// prepare does what an administrator does once: init, and the share's marker.
func (c *Cluster) prepare() {
	c.t.Helper()
	file := filepath.Join(c.Dir, "admin.yaml")
	text := fmt.Sprintf("cluster: %s\nnode: {name: admin}\ndatabase:\n  dsn: %q\nappdata: {path: %q}\n", name, c.DSN(pgserver.Superuser), c.share())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	if out, code := c.Run("-c", file, "init", "-y"); code != 0 {
		c.t.Fatalf("init: exit code %d: %s", code, out)
	}
	// A trial has its own jobs, and counts them.
	c.Exec(`SELECT coterie.job_apply(jsonb_build_object('remove', jsonb_agg(jsonb_build_object('name', name, 'generation', generation)))) FROM coterie.job`)
	c.Exec(`UPDATE coterie.setting SET session_ttl = $1::interval, heartbeat = $2::interval, margin = $3::interval`,
		c.Terms.TTL.String(), c.Terms.Heartbeat.String(), c.Terms.Margin.String())
}

// Mark puts the cluster's marker on the share.
func (c *Cluster) Mark() {
	c.t.Helper()
	id := Get[string](c, `SELECT id::text FROM coterie.cluster`)
	if err := appdata.CreateMarker(c.share(), appdata.Marker{Cluster: name, ID: id, Generation: 1, Created: time.Now()}); err != nil {
		c.t.Fatal(err)
	}
}

// Program is the coterie that the nodes run.
func (c *Cluster) Program() string { return c.program }

// Run runs the program once and returns what it printed, and its exit code.
func (c *Cluster) Run(args ...string) (out string, code int) {
	c.t.Helper()
	text, err := exec.CommandContext(c.t.Context(), c.program, args...).CombinedOutput()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return string(text), exit.ExitCode()
	}
	if err != nil {
		c.t.Fatalf("coterie %s: %v", strings.Join(args, " "), err)
	}
	return string(text), 0
}

// Exec runs a statement as the superuser.
func (c *Cluster) Exec(query string, args ...any) {
	c.t.Helper()
	if _, err := c.DB.ExecContext(c.t.Context(), query, args...); err != nil {
		c.t.Fatalf("%s: %v", query, err)
	}
}

// Get asks the database for one value.
func Get[T any](c *Cluster, query string, args ...any) T {
	c.t.Helper()
	var value T
	if err := c.DB.GetContext(c.t.Context(), &value, query, args...); err != nil {
		c.t.Fatalf("%s: %v", query, err)
	}
	return value
}

// All asks the database for a value per row.
func All[T any](c *Cluster, query string, args ...any) (values []T) {
	c.t.Helper()
	if err := c.DB.SelectContext(c.t.Context(), &values, query, args...); err != nil {
		c.t.Fatalf("%s: %v", query, err)
	}
	return values
}

// Await asks until the database says true. No row, and NULL, are not true yet:
// what is awaited of a node is often awaited before the node has reported.
func (c *Cluster) Await(query string, args ...any) {
	c.t.Helper()
	for begun := time.Now(); ; time.Sleep(2 * time.Millisecond) {
		var yes sql.NullBool
		if err := c.DB.GetContext(c.t.Context(), &yes, query, args...); err != nil && !errors.Is(err, sql.ErrNoRows) {
			c.t.Fatalf("%s: %v", query, err)
		}
		if yes.Bool {
			return
		}
		if time.Since(begun) > patience {
			c.t.Fatalf("never true: %s\n%s", query, c.Picture())
		}
	}
}

// AwaitTable waits until a table is there.
func (c *Cluster) AwaitTable(name string) {
	c.t.Helper()
	c.Await(`SELECT to_regclass($1) IS NOT NULL`, name)
}

// AwaitReady waits until all nodes have reported that they are ready.
func (c *Cluster) AwaitReady() {
	c.t.Helper()
	c.Await(`SELECT count(*) = $1 FROM coterie.nodes WHERE state = 'ready' AND expires_in > '0'`, len(c.Nodes))
}

// AwaitHeld waits until every lease has a holder.
func (c *Cluster) AwaitHeld() {
	c.t.Helper()
	c.Await(`SELECT bool_and(valid) FROM coterie.leases`)
}

// Picture is what the database knows, for a test that failed.
func (c *Cluster) Picture() string {
	var b strings.Builder
	for _, query := range []string{
		`SELECT string_agg(concat_ws(' ', name, state, expires_in, leases_held, message), E'\n' ORDER BY name) FROM coterie.nodes`,
		`SELECT string_agg(concat_ws(' ', name, holder, token, valid, wanted_by), E'\n' ORDER BY name) FROM coterie.leases`,
		`SELECT string_agg(concat_ws(' ', name, last_due_at, last_outcome, running_since, message), E'\n' ORDER BY name) FROM coterie.jobs`,
	} {
		var text sql.NullString
		if err := c.DB.Get(&text, query); err != nil {
			text.String = err.Error()
		}
		fmt.Fprintf(&b, "%s\n\n", text.String)
	}
	return b.String()
}

// end stops everything, the processes first.
func (c *Cluster) end() {
	for _, n := range c.Nodes {
		n.end()
	}
	errs := []error{c.keepLogs()}
	if c.DB != nil {
		errs = append(errs, c.DB.Close())
	}
	if c.standby != nil {
		c.standby.link.close()
		c.retired = append(c.retired, c.standby.server)
	}
	if c.front != nil {
		c.front.close()
	}
	if c.Server != nil {
		c.retired = append(c.retired, c.Server)
	}
	for _, server := range c.retired {
		errs = append(errs, server.Stop())
	}
	if err := errors.Join(append(errs, os.RemoveAll(c.Dir))...); err != nil {
		c.t.Error(err)
	}
}

// Elapse waits for a while.
func (c *Cluster) Elapse(d time.Duration) {
	c.t.Helper()
	select {
	case <-time.After(d):
	case <-c.t.Context().Done():
		c.t.Fatal(context.Cause(c.t.Context()))
	}
}

// keepLogs saves what the agents and the server said when the test failed.
func (c *Cluster) keepLogs() error {
	if !c.t.Failed() {
		return nil
	}
	kept, err := os.MkdirTemp("", "coterie-trial-failed-")
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(c.Dir, "*.log"))
	if c.Server != nil {
		files = append(files, c.Server.LogFile())
	}
	for _, file := range files {
		text, readErr := os.ReadFile(file)
		err = errors.Join(err, readErr, os.WriteFile(filepath.Join(kept, filepath.Base(file)), text, 0o600))
	}
	c.t.Logf("what agents and server said is in %s", kept)
	return err
}
