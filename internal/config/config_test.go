package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write the golden files anew")

// testMachine has its own /etc and is called App-A.example.org.
func testMachine(t *testing.T) machine {
	t.Helper()
	etc := filepath.Join(t.TempDir(), "etc", "coterie")
	if err := os.MkdirAll(etc, 0o755); err != nil {
		t.Fatal(err)
	}
	return machine{etc: etc, run: "/run/coterie", lib: "/var/lib/coterie",
		hostname: func() (string, error) { return "App-A.example.org", nil }}
}

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// install writes the content as the machine's own configuration and loads it.
func (m machine) install(t *testing.T, content string, env ...string) (*Config, error) {
	t.Helper()
	write(t, filepath.Join(m.etc, fileName), content)
	return m.load(Options{Env: append([]string{"PATH=/usr/bin:/bin"}, env...)})
}

func must(t *testing.T, content string, env ...string) *Config {
	t.Helper()
	c, err := testMachine(t).install(t, content, env...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// faults loads and gives the texts of what is wrong, each with its place.
func faults(t *testing.T, content string, env ...string) []string {
	t.Helper()
	m := testMachine(t)
	_, err := m.install(t, content, env...)
	var all *Error
	if err != nil && !errors.As(err, &all) {
		t.Fatal(err)
	}
	var texts []string
	if all != nil {
		for _, f := range all.Faults {
			texts = append(texts, strings.TrimSpace(f.Origin.place()+" "+f.Text))
		}
	}
	return texts
}

const least = "cluster: c\nappdata: {path: /srv/share}\n"

const example = `# /etc/coterie/coterie.yaml (one node)
cluster: deploy-prod
node:
  name: app-a
database:
  dsn: "host=db1,db2 dbname=deploy user=coterie_app_a"
  password_file: /etc/coterie/db-password
appdata:
  path: /media/share/appdata
  layout: ucd
http:
  listen: 127.0.0.1:7480
  socket: /run/coterie/agent.sock
actions:
  - name: audit-purge
    command: ["/opt/ucd/bin/purge", "--days", "90"]
  - name: report
    http: {method: POST, url: "http://127.0.0.1:8080/rest/report", expect: 200}
`

func TestTheExampleOfTheManualLoads(t *testing.T) {
	got := must(t, example)
	want := &Config{
		Cluster: "deploy-prod",
		Node:    Node{Name: "app-a", Candidate: true, Weight: 1, StateDir: "/var/lib/coterie", Room: 2},
		Database: Database{
			DSN:              "host=db1,db2 dbname=deploy user=coterie_app_a",
			PasswordFile:     "/etc/coterie/db-password",
			ConnectTimeout:   3 * time.Second,
			StatementTimeout: 5 * time.Second,
			PoolSize:         4,
		},
		AppData: AppData{Path: "/media/share/appdata", Layout: "ucd", CheckEvery: 5 * time.Second, AnswerWithin: 2 * time.Second},
		Equal:   Equal{Every: 5 * time.Minute, Names: 2000, MiB: 50},
		HTTP:    HTTP{Listen: "127.0.0.1:7480", Socket: "/run/coterie/agent.sock"},
		Actions: []Action{
			{Name: "audit-purge", Command: []string{"/opt/ucd/bin/purge", "--days", "90"}, Dir: "/var/lib/coterie"},
			{Name: "report", HTTP: &Request{Method: "POST", URL: "http://127.0.0.1:8080/rest/report", Expect: 200}},
		},
		Drain: Drain{Deadline: 10 * time.Minute},
		Keystore: Keystore{
			Name: "server", Property: "tomcat.key.alias", Reload: "none",
			DrainFor: 10 * time.Second, Patience: 30 * time.Second, CheckEvery: 3 * time.Second,
			Encryption: "conf/encryption.keystore",
		},
		Renewal: Renewal{Before: 720 * time.Hour, Timeout: 10 * time.Minute, Retry: time.Hour},
		Trust:   Trust{CheckEvery: 5 * time.Second, TestEvery: time.Minute},
		License: License{Source: "none", Every: 10 * time.Second, Window: 15 * time.Minute},
		Log:     Log{Level: "info", Format: "auto"},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Config{})); diff != "" {
		t.Error(diff)
	}
}

func TestTwoKeysAreEnough(t *testing.T) {
	c := must(t, least)
	if c.Node.Name != "app-a" {
		t.Errorf("node.name = %q, want the short host name in lower case", c.Node.Name)
	}
	if c.Node.StateDir != "/var/lib/coterie" || c.HTTP.Socket != "/run/coterie/agent.sock" {
		t.Errorf("state in %q, socket %q", c.Node.StateDir, c.HTTP.Socket)
	}
}

func TestTheStateOfAFileElsewhereLiesBesideIt(t *testing.T) {
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "app-a.yaml"), least)
	c, err := testMachine(t).load(Options{File: file, Env: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "app-a.state"); c.Node.StateDir != want {
		t.Errorf("node.state_dir = %s, want %s", c.Node.StateDir, want)
	}
	if want := filepath.Join(dir, "app-a.state", "agent.sock"); c.HTTP.Socket != want {
		t.Errorf("http.socket = %s, want %s", c.HTTP.Socket, want)
	}
	if c.File() != file {
		t.Errorf("file = %s", c.File())
	}
}

func TestFlagsWinOverEnvironmentOverFileOverDefaults(t *testing.T) {
	m := testMachine(t)
	file := write(t, filepath.Join(m.etc, fileName), least+`
database: {pool_size: 5, connect_timeout: 4s, statement_timeout: 9s}
`)
	flags := pflag.NewFlagSet("agent", pflag.ContinueOnError)
	RegisterFlags(flags)
	if err := flags.Parse([]string{"--database-pool-size", "7"}); err != nil {
		t.Fatal(err)
	}
	c, err := m.load(Options{Flags: flags, Env: []string{
		"COTERIE_DATABASE_POOL_SIZE=6", "COTERIE_DATABASE_CONNECT_TIMEOUT=8s", "COTERIE_NODE_TAGS=big, dc:paris",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if c.Database.PoolSize != 7 || c.Database.ConnectTimeout != 8*time.Second || c.Database.StatementTimeout != 9*time.Second {
		t.Errorf("got %+v", c.Database)
	}
	if diff := cmp.Diff([]string{"big", "dc:paris"}, c.Node.Tags); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"--database-pool-size=7"}, Arguments(flags)); diff != "" {
		t.Error(diff)
	}
	if f := flags.Lookup("database-dsn"); f != nil {
		t.Error("a connection string could be given where everybody reads it")
	}
	for key, want := range map[string]string{
		"database.pool_size":         "flag --database-pool-size",
		"database.connect_timeout":   "environment COTERIE_DATABASE_CONNECT_TIMEOUT",
		"database.statement_timeout": "file " + file + ":4:47",
		"log.level":                  "default",
		"node.name":                  "default the host name",
	} {
		if got := c.Origin(key).String(); got != want {
			t.Errorf("origin of %s = %s, want %s", key, got, want)
		}
	}
}

func TestTheEnvironmentAloneIsAConfiguration(t *testing.T) {
	c, err := testMachine(t).load(Options{Env: []string{"COTERIE_CLUSTER=c", "COTERIE_APPDATA_PATH=/srv/share"}})
	if err != nil {
		t.Fatal(err)
	}
	if c.Cluster != "c" || c.File() != "" || c.Node.StateDir != "/var/lib/coterie" {
		t.Errorf("got %+v", c)
	}
}

func TestTheFirstFileOfTheSearchIsRead(t *testing.T) {
	m := testMachine(t)
	dir := t.TempDir()
	file := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		return write(t, path, least)
	}
	home := file("coterie/coterie.yaml")
	named, flagged := file("named.yaml"), file("flagged.yaml")
	xdg := "XDG_CONFIG_HOME=" + dir

	read := func(opts Options) string {
		t.Helper()
		c, err := m.load(opts)
		if err != nil {
			t.Fatal(err)
		}
		return c.File()
	}
	if got := read(Options{Env: []string{xdg}}); got != home {
		t.Errorf("with a home file: %s", got)
	}
	etc := write(t, filepath.Join(m.etc, fileName), least)
	if got := read(Options{Env: []string{xdg}}); got != etc {
		t.Errorf("with /etc too: %s", got)
	}
	if got := read(Options{Env: []string{xdg, "COTERIE_CONFIG=" + named}}); got != named {
		t.Errorf("with the variable too: %s", got)
	}
	if got := read(Options{File: flagged, Env: []string{xdg, "COTERIE_CONFIG=" + named}}); got != flagged {
		t.Errorf("with the flag too: %s", got)
	}
}

func TestWithoutAFileAllPlacesLookedAtAreNamed(t *testing.T) {
	m := testMachine(t)
	_, err := m.load(Options{Env: []string{"HOME=/home/ana"}})
	if !errors.Is(err, ErrNotFound) {
		t.Fatalf("got %v, want ErrNotFound", err)
	}
	want := "no configuration found; looked at\n  -c: not given\n  $COTERIE_CONFIG: not set\n  " +
		filepath.Join(m.etc, fileName) + ": no such file\n  /home/ana/.config/coterie/coterie.yaml: no such file"
	if err.Error() != want {
		t.Errorf("got\n%s\nwant\n%s", err, want)
	}
}

func TestANamedFileMustBeThere(t *testing.T) {
	m := testMachine(t)
	write(t, filepath.Join(m.etc, fileName), least)
	for _, opts := range []Options{
		{File: "/nowhere/app-a.yaml", Env: []string{}},
		{Env: []string{"COTERIE_CONFIG=/nowhere/app-a.yaml"}},
		{File: m.etc, Env: []string{}},
	} {
		if _, err := m.load(opts); !errors.Is(err, ErrNotFound) {
			t.Errorf("%+v: got %v, want ErrNotFound", opts, err)
		}
	}
}

func TestAFileThatEverybodyMayWriteIsRefused(t *testing.T) {
	m := testMachine(t)
	file := write(t, filepath.Join(m.etc, fileName), least)
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	_, err := m.load(Options{Env: []string{}})
	if err == nil || !strings.Contains(err.Error(), "everybody may write this file (mode 0666)") {
		t.Errorf("got %v", err)
	}
}

func TestSettingsShowEveryValueAndNoSecret(t *testing.T) {
	c := must(t, least+`
actions:
  - name: a
    command: [/bin/true]
    env: ["TOKEN=s3cret"]
  - name: b
    http: {url: "http://localhost/x", headers: ["Authorization: Bearer s3cret"], body: "s3cret"}
`)
	var b strings.Builder
	for _, s := range c.Settings() {
		b.WriteString(s.Key + "=" + s.Value + "\n")
	}
	for _, want := range []string{"cluster=c\n", "drain.deadline=10m\n", "actions[0].env=[TOKEN=...]\n", "actions[1].http.headers=[Authorization:...]\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, &b)
		}
	}
	if strings.Contains(b.String(), "s3cret") {
		t.Errorf("a secret is shown:\n%s", &b)
	}
}

func TestEveryKeyIsExplained(t *testing.T) {
	for _, key := range Keys() {
		if !strings.HasSuffix(key.Meaning, ".") || key.Type == "" {
			t.Errorf("%s: type %q, meaning %q", key.Name, key.Type, key.Meaning)
		}
		if !strings.Contains(key.Name, "[]") && key.field == nil {
			t.Errorf("%s is not a field of Config", key.Name)
		}
	}
	if _, near, ok := Explain("database.pool_sise"); ok || near != "database.pool_size" {
		t.Errorf("near = %q", near)
	}
	if key, _, ok := Explain("http.listen"); !ok || key.Env() != "COTERIE_HTTP_LISTEN" || key.Default != "127.0.0.1:7480" {
		t.Errorf("got %+v", key)
	}
}
