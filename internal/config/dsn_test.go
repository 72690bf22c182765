package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lib/pq"
)

// The driver is the judge of what a connection string means.
func TestConnectionStringsAreReadAsTheDriverReadsThem(t *testing.T) {
	for _, dsn := range []string{
		"host=db1 dbname=deploy user=app",
		"host=db1,db2 port=5432,5433 dbname=deploy",
		"  host = db1   user='o\\'brien' dbname='a b'  ",
		`user=back\ slash password=p\\w host=h`,
		"host=/run/postgresql user=''  dbname=x",
		"postgres://app:pw@db1:5433/deploy?sslmode=disable",
		"postgresql://db1/deploy",
		"postgres://app:p%40w@[::1]:5432/a%20b",
		"postgres:///deploy?host=/run/postgresql",
	} {
		want, err := pq.NewConfig(dsn)
		if err != nil {
			t.Fatalf("%s: %v", dsn, err)
		}
		params, err := parseDSN(dsn)
		if err != nil {
			t.Errorf("%s: %v", dsn, err)
			continue
		}
		got, err := pq.NewConfig(formatDSN(params))
		if err != nil {
			t.Errorf("%s became %s: %v", dsn, formatDSN(params), err)
			continue
		}
		facts := func(c pq.Config) string {
			return fmt.Sprint(c.Host, c.Port, c.Database, c.User, c.Password, c.SSLMode, c.Multi)
		}
		if facts(got) != facts(want) {
			t.Errorf("%s became %s:\ngot  %s\nwant %s", dsn, formatDSN(params), facts(got), facts(want))
		}
	}
}

// The driver takes "db1:5432" for a host name here; libpq does not, nor do we.
func TestAURLMayNameSeveralHosts(t *testing.T) {
	params, err := parseDSN("postgres://app@db1:5432,db2:5433/deploy")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := formatDSN(params), "dbname='deploy' host='db1,db2' port='5432,5433' user='app'"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAConnectionThatLeavesTheMachineVerifiesTheServer(t *testing.T) {
	for dsn, want := range map[string]string{
		"host=db1":                         "verify-full",
		"host=127.0.0.1,db2":               "verify-full",
		"postgres://db1/deploy":            "verify-full",
		"host=localhost hostaddr=10.0.0.5": "verify-full",
		"host=localhost":                   "prefer",
		"host=::1":                         "prefer",
		"host=/run/postgresql":             "prefer",
		"host=127.0.0.1 sslmode=disable":   "disable",
		"dbname=deploy":                    "prefer",
	} {
		got := connString(t, dsn)
		if !strings.Contains(got, "sslmode='"+want+"'") {
			t.Errorf("%s became %s, want sslmode %s", dsn, got, want)
		}
	}
	if got := connString(t, "dbname=deploy", "PGHOST=db1"); !strings.Contains(got, "sslmode='verify-full'") {
		t.Errorf("with PGHOST: %s", got)
	}
}

func connString(t *testing.T, dsn string, env ...string) string {
	t.Helper()
	got, err := must(t, least+"database: {dsn: \""+dsn+"\"}\n", env...).ConnString()
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestTheConnectionStringHasWhatTheConfigurationSays(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(secret, []byte("it's\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := must(t, least+"database: {dsn: 'host=db1 application_name=mine', password_file: "+secret+", connect_timeout: 1500ms}\n")
	got, err := c.ConnString()
	if err != nil {
		t.Fatal(err)
	}
	want := `application_name='mine' connect_timeout='2' host='db1' password='it\'s' sslmode='verify-full' statement_timeout='5000'`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAPasswordFileWithoutAPasswordIsTold(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "password")
	c := must(t, least+"database: {password_file: "+secret+"}\n")
	for content, want := range map[string]string{
		"":     "no such file",
		"\n":   "is empty",
		"a\nb": "has more than one line",
	} {
		if content != "" {
			if err := os.WriteFile(secret, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.ConnString(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", content, err, want)
		}
		if err := os.RemoveAll(secret); err != nil {
			t.Fatal(err)
		}
	}
}
