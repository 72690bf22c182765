package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/coterie-ha/coterie/coordinator/console"
	"github.com/coterie-ha/coterie/sql/pgserver"
	"github.com/coterie-ha/coterie/sql/schema"
)

// server is the PostgreSQL of all scripts; each has a database of its own.
type server struct {
	*pgserver.Server
	admin     *sqlx.DB
	databases atomic.Int64
}

func startServer(t *testing.T) *server {
	t.Helper()
	pg, err := pgserver.Start(t.Context(), pgserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	// Cleaned up after the scripts, which run in parallel to one another.
	t.Cleanup(func() {
		if err := pg.Stop(); err != nil {
			t.Error(err)
		}
	})
	s := &server{Server: pg}
	if s.admin, err = schema.Open(t.Context(), schema.Options{DSN: pg.DSN("postgres")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.admin.Close(); err != nil {
			t.Error(err)
		}
	})
	s.requirePassword(t)
	return s
}

// requirePassword makes a role, guarded, that must prove itself over TCP.
func (s *server) requirePassword(t *testing.T) {
	t.Helper()
	hba := filepath.Join(s.Dir, "data", "pg_hba.conf")
	text, err := os.ReadFile(hba)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(hba, append([]byte("host all guarded 127.0.0.1/32 scram-sha-256\n"), text...), 0o600); err != nil {
		t.Fatal(err)
	}
	s.admin.MustExec(`CREATE ROLE guarded LOGIN PASSWORD 'right'; SELECT pg_reload_conf()`)
}

// setup gives a script a database of its own and a configuration that names it
// by the environment.
func (s *server) setup(env *testscript.Env) error {
	name := fmt.Sprintf("script_%d", s.databases.Add(1))
	if _, err := s.admin.Exec("CREATE DATABASE " + name); err != nil {
		return err
	}
	db, err := schema.Open(context.Background(), schema.Options{DSN: s.DSN(name)})
	if err != nil {
		return err
	}
	env.Defer(func() {
		if err := db.Close(); err != nil {
			env.T().Log(err)
		}
	})
	env.Values["db"] = db
	env.Setenv("DB", name)
	env.Setenv("PGPORT", strconv.Itoa(s.Port))
	env.Setenv("DSN", s.DSN(name))
	env.Setenv("COTERIE_DATABASE_DSN", s.DSN(name))
	// What a script cannot write down.
	env.Setenv("LONG", strings.Repeat("x", 64<<10))
	env.Setenv("ESCAPE", "a\x1b[2Jb")
	env.Setenv("BROKEN", "a\xffb")
	if err := signFiles(env); err != nil {
		return err
	}
	if err := keystoreFiles(env); err != nil {
		return err
	}
	share := filepath.Join(env.WorkDir, "share")
	if err := os.Mkdir(share, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(env.WorkDir, "app-a.yaml"), []byte(`cluster: deploy-prod
node:
  name: app-a
appdata:
  path: `+share+`
http:
  listen: 127.0.0.1:1
`), 0o644)
}

// words are what scripts can say beyond testscript's own vocabulary.
func (s *server) words() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"many":    many,
		"exits":   exits,
		"calm":    calm,
		"sql":     sqlWord,
		"play":    play,
		"ready":   ready,
		"until":   until,
		"tls":     tlsWord,
		"tlslive": tlsLive,
		"node":    nodeWord,
		"silent":  silent,
		"agent":   agentWord,
		"within":  within,
		"says":    says,
		"ends":    ends,
	}
}

// exits CODE ARGS... runs coterie and wants that exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec("coterie", args[1:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("coterie %s: exit code %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// within SECONDS CODE ARGS... is exits, and is not patient.
func within(ts *testscript.TestScript, neg bool, args []string) {
	limit, err := strconv.ParseFloat(args[0], 64)
	ts.Check(err)
	begun := time.Now()
	exits(ts, neg, args[1:])
	if took := time.Since(begun); took.Seconds() > limit {
		ts.Fatalf("took %v, limit %vs", took, limit)
	}
}

// changing is what differs from run to run, and what stands for it.
var changing = []struct {
	what *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`\d\d-\d\d \d\d:\d\d:\d\d`), "MM-DD HH:MM:SS"},
	{regexp.MustCompile(`(?m)^  \d\d:\d\d:\d\d `), "  HH:MM:SS "},
	{regexp.MustCompile(`\bin [\d.]+[smhd]( \d+[smhd])?`), "in N"},
	{regexp.MustCompile(`changed  (now|[\d.]+s ago)`), "changed  now"},
	{regexp.MustCompile(`\d+\.\d ms`), "N.N ms"},
	{regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), "UUID"},
	{regexp.MustCompile(`(  apply migration \S+\n)+`), "  apply migration FILE ...\n"},
	{regexp.MustCompile(`\bschema \d+\b`), "schema N"},
	{regexp.MustCompile(`"expires_in": \d+(\.\d+)?`), `"expires_in": N`},
	{regexp.MustCompile(`"schema_version": ?\d+`), `"schema_version": N`},
	{regexp.MustCompile(`\bscript_\d+\b`), "DB"},
	{regexp.MustCompile(`(/tmp|/dev/shm|\.)/coterie-pg-\d+(/\.s\.PGSQL\.\d+)?`), "SOCKET"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:PORT"},
}

// calm STREAM... writes the streams to the file calm, with what changes from
// run to run replaced.
func calm(ts *testscript.TestScript, _ bool, args []string) {
	text := ""
	for _, stream := range args {
		text += ts.ReadFile(stream)
	}
	text = strings.ReplaceAll(text, ts.Getenv("WORK"), "$WORK")
	for _, c := range changing {
		text = c.what.ReplaceAllString(text, c.by)
	}
	ts.Check(os.WriteFile(ts.MkAbs("calm"), []byte(text), 0o644))
}

func database(ts *testscript.TestScript) *sqlx.DB { return ts.Value("db").(*sqlx.DB) }

// sql STATEMENT runs SQL as a superuser.
func sqlWord(ts *testscript.TestScript, _ bool, args []string) {
	_, err := database(ts).Exec(strings.Join(args, " "))
	ts.Check(err)
}

// play FILE runs SQL from a file as a superuser.
func play(ts *testscript.TestScript, _ bool, args []string) {
	_, err := database(ts).Exec(ts.ReadFile(args[0]))
	ts.Check(err)
}

// ready NODE waits until an agent is at work.
func ready(ts *testscript.TestScript, _ bool, args []string) {
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var state string
		err := database(ts).Get(&state, `SELECT coalesce(min(state), '') FROM coterie.nodes WHERE name = $1`, args[0])
		ts.Check(err)
		if state == "ready" {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s is %q", args[0], state)
		}
	}
}

// until SQL waits until a statement answers true.
func until(ts *testscript.TestScript, _ bool, args []string) {
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var done sql.NullBool // a comparison with nothing is not true, nor is no row
		if err := database(ts).Get(&done, args[0]); !errors.Is(err, sql.ErrNoRows) {
			ts.Check(err)
		}
		if done.Bool {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("not so within 30 s: %s", args[0])
		}
	}
}

// nodeSQL leaves a node as an agent would: seen a while ago, up for three
// hours, and with a session that lasts as long as the script.
const nodeSQL = `
WITH n AS (
    INSERT INTO coterie.node (name, id, address, host, version, app_version, state, goal, joined_at)
    VALUES ($1, 'id-' || $1, '10.0.0.' || ascii(right($1, 1)), 'host-' || $1, '1.4.0', '9.0.98', $2::coterie.node_state, $3::coterie.node_goal,
            coterie.clock() - interval '50h 30m')
    RETURNING name)
INSERT INTO coterie.session (node, incarnation, ttl, started_at, renewed_at, expires_at, rtt_ms)
SELECT name, ascii(right(name, 1)), '6s', coterie.clock() - interval '3h 30s', coterie.clock() - interval '19m 30s', coterie.clock() + interval '1h 30s', 1.5
FROM n`

// node NAME STATE GOAL makes a node with a session.
func nodeWord(ts *testscript.TestScript, _ bool, args []string) {
	_, err := database(ts).Exec(nodeSQL, args[0], args[1], args[2])
	ts.Check(err)
}

// silent makes a server that takes connections and never says a word; its port
// is $SILENT.
func silent(ts *testscript.TestScript, _ bool, _ []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv("SILENT", strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
}

// agent SOCKET answers at a socket as an agent that lost its database a while ago.
func agentWord(ts *testscript.TestScript, _ bool, args []string) {
	now := time.Now()
	snapshot := console.Snapshot{
		Cluster: "deploy-prod", Node: "app-a", Goal: "ready", State: "ready", Joined: true, Schema: 3,
		Started: now.Add(-time.Hour), Turned: now, TTL: 6 * time.Second, Heartbeat: 1500 * time.Millisecond, Margin: 1500 * time.Millisecond,
		Beaten: now.Add(-12*time.Minute - 30*time.Second), Err: "connection refused", Now: now,
		Docs: map[string]console.Document{
			"status": {AsOf: now.Add(-12*time.Minute - 30*time.Second), Rows: []byte(`{"name":"deploy-prod","status":"Up","nodes_ready":2,"nodes_total":2,"sentence":"All 2 nodes are ready."}`)},
			"nodes": {AsOf: now.Add(-12*time.Minute - 30*time.Second), Rows: fmt.Appendf(nil, `[{"name":"app-a","goal":"ready","state":"ready","last_seen_at":%q,"leases_held":2},{"name":"app-b","goal":"ready","state":"ready","last_seen_at":%[1]q,"leases_held":0}]`,
				now.Add(-33*time.Minute).UTC().Format(time.RFC3339Nano))},
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	listening, ended := make(chan struct{}), make(chan error, 1)
	c := console.Console{
		Socket:    ts.MkAbs(args[0]),
		Snapshot:  func() console.Snapshot { return snapshot },
		Listening: func(net.Addr) { close(listening) },
	}
	go func() { ended <- c.Run(ctx) }()
	select {
	case <-listening:
	case err := <-ended:
		ts.Fatalf("agent: %v", err)
	}
	ts.Defer(func() {
		cancel()
		<-ended
	})
}

// says FILE REGEXP waits until the file has a line that matches.
func says(ts *testscript.TestScript, _ bool, args []string) {
	want, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		ts.Check(err)
		if want.Match(text) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s does not say %s within 30 s:\n%s", args[0], args[1], text)
		}
	}
}

// ends FILE waits until something has been written to the file.
func ends(ts *testscript.TestScript, _ bool, args []string) {
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		ts.Check(err)
		if len(text) > 0 {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("nothing was written to %s", args[0])
		}
	}
}

// many DIR N makes a folder with N files.
func many(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.Mkdir(ts.MkAbs(args[0]), 0o755))
	for i := range n {
		ts.Check(os.WriteFile(filepath.Join(ts.MkAbs(args[0]), fmt.Sprintf("f%d", i)), nil, 0o644))
	}
}
