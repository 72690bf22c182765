package schema_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/sql/schema"
	"github.com/coterie-ha/coterie/test/nobody"
)

// secret stands in every connection string of these tests, and must stand in
// no error.
const secret = "hunter2 canary"

func tcp(user, more string) string {
	return fmt.Sprintf("host=127.0.0.1 port=%d dbname=postgres user=%s password='%s' %s", server.Port, user, secret, more)
}

// requirePassword makes a login that must prove itself, with a password that
// is not the secret.
func requirePassword(t *testing.T) {
	t.Helper()
	hba := filepath.Join(server.Dir, "data", "pg_hba.conf")
	text, err := os.ReadFile(hba)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "guarded") {
		text = append([]byte("host all guarded 127.0.0.1/32 scram-sha-256\nhost all unwelcome 127.0.0.1/32 reject\n"), text...)
		if err := os.WriteFile(hba, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db := open(t, server.DSN("postgres"))
	if _, err := db.Exec(`DROP ROLE IF EXISTS guarded; CREATE ROLE guarded LOGIN PASSWORD 'right'; SELECT pg_reload_conf()`); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); scalar[bool](t, db, "SELECT count(*) = 0 FROM pg_hba_file_rules WHERE 'guarded' = ANY (user_name)"); {
		if time.Now().After(deadline) {
			t.Fatal("pg_hba.conf was not read again")
		}
	}
	time.Sleep(50 * time.Millisecond) // the postmaster reads the file a little later than the view
}

// silent accepts connections and never says a word.
func silent(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().(*net.TCPAddr).Port
}

func TestFailuresToConnectAreToldApart(t *testing.T) {
	requirePassword(t)
	admin := open(t, server.DSN("postgres"))
	if _, err := admin.Exec("DROP ROLE IF EXISTS still; CREATE ROLE still LOGIN; ALTER ROLE still SET default_transaction_read_only = on"); err != nil {
		t.Fatal(err)
	}
	off := "sslmode=disable"
	for name, c := range map[string]struct {
		dsn  string
		want error
	}{
		"nobody listens":        {fmt.Sprintf("host=127.0.0.1 port=%d dbname=d user=u password='%s' sslmode=disable", nobody.Address(t).Port, secret), schema.ErrUnreachable},
		"no such socket":        {fmt.Sprintf("host=/nonexistent dbname=d user=u password='%s'", secret), schema.ErrUnreachable},
		"silence":               {fmt.Sprintf("host=127.0.0.1 port=%d dbname=d user=u password='%s' sslmode=disable", silent(t), secret), schema.ErrSlow},
		"wrong password":        {tcp("guarded", off), schema.ErrLogin},
		"no such role":          {tcp("nobody_of_this_name", off), schema.ErrLogin},
		"refused by pg_hba":     {tcp("unwelcome", off), schema.ErrLogin},
		"no such database":      {strings.Replace(tcp("postgres", off), "dbname=postgres", "dbname=nowhere", 1), schema.ErrNoDatabase},
		"no TLS at the server":  {tcp("postgres", ""), schema.ErrTLS},
		"certificate not there": {tcp("postgres", "sslrootcert=/nonexistent/root.crt"), schema.ErrTLS},
		"read-only":             {tcp("still", off), schema.ErrReadOnly},
		"second host read-only": {fmt.Sprintf("host=127.0.0.1,127.0.0.1 port=%d,%d dbname=postgres user=still password='%s' sslmode=disable", nobody.Address(t).Port, server.Port, secret), schema.ErrReadOnly},
	} {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			_, err := schema.Open(t.Context(), schema.Options{DSN: c.dsn, Connect: 300 * time.Millisecond})
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			var ce *schema.ConnectError
			if !errors.As(err, &ce) || ce.Server == "" || ce.User == "" {
				t.Errorf("got %#v, want a ConnectError with all facts", err)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the password is in: %v", err)
			}
			if took := time.Since(begun); took > 2*time.Second {
				t.Errorf("it took %v to say so", took)
			}
		})
	}
}

func TestTooManyConnectionsAreToldApart(t *testing.T) {
	admin := open(t, server.DSN("postgres"))
	if _, err := admin.Exec("DROP ROLE IF EXISTS lonely; CREATE ROLE lonely LOGIN CONNECTION LIMIT 1"); err != nil {
		t.Fatal(err)
	}
	first := open(t, strings.Replace(server.DSN("postgres"), "user=postgres", "user=lonely", 1))
	scalar[int](t, first, "SELECT 1")
	if _, err := schema.Open(t.Context(), schema.Options{DSN: strings.Replace(server.DSN("postgres"), "user=postgres", "user=lonely", 1)}); !errors.Is(err, schema.ErrFull) {
		t.Errorf("got %v, want ErrFull", err)
	}
}

func TestNoErrorOfABadConnectionStringQuotesThePassword(t *testing.T) {
	for _, dsn := range []string{
		"host=db user=u password=hunter2 canary",
		"host=db user=u password='hunter2",
		"postgres://u:hunter2@db:port/d",
		"postgres://u:hunter2%zz@db/d",
		"postgres://u:hun/ter2@db/d?sslmode=hunter2",
		"host=db password=hunter2 sslmode=sometimes",
		"host=db password=hunter2 connect_timeout=soon",
	} {
		_, err := schema.Pool(schema.Options{DSN: dsn})
		if err == nil || strings.Contains(err.Error(), "hunter") || strings.Contains(err.Error(), "ter2") || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", dsn, err)
		}
	}
	if _, err := schema.Pool(schema.Options{DSN: "host=db sslmode=sometimes"}); err == nil || !strings.Contains(err.Error(), "sometimes") {
		t.Errorf("without a password the reason is withheld: %v", err)
	}
}

func TestAnUnverifiedServerIsRefusedExceptNearby(t *testing.T) {
	for dsn, want := range map[string]error{
		"host=db user=u":                                          nil,
		"host=db user=u sslmode=verify-full":                      nil,
		"host=db user=u sslmode=verify-ca":                        schema.ErrInsecure,
		"host=db user=u sslmode=require":                          schema.ErrInsecure,
		"host=db user=u sslmode=prefer":                           schema.ErrInsecure,
		"host=db user=u sslmode=disable":                          schema.ErrInsecure,
		"host=localhost,db user=u sslmode=disable":                schema.ErrInsecure,
		"hostaddr=10.0.0.1 host=localhost user=u sslmode=disable": schema.ErrInsecure,
		"host=localhost user=u sslmode=disable":                   nil,
		"host=::1 user=u sslmode=disable":                         nil,
		"host=/tmp user=u":                                        nil,
	} {
		if _, err := schema.Pool(schema.Options{DSN: dsn}); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", dsn, err, want)
		}
		if _, err := schema.Pool(schema.Options{DSN: dsn, Insecure: true}); err != nil {
			t.Errorf("%s, insecure permitted: %v", dsn, err)
		}
	}
	t.Setenv("PGSSLMODE", "disable")
	if _, err := schema.Pool(schema.Options{DSN: "host=db user=u"}); !errors.Is(err, schema.ErrInsecure) {
		t.Errorf("PGSSLMODE=disable: got %v, want ErrInsecure", err)
	}
	if _, err := schema.Pool(schema.Options{DSN: "host=/tmp,db user=u"}); err == nil {
		t.Error("a socket and a network host in one connection string: want an error")
	}
}

func TestThePasswordFileIsReadAtEachConnection(t *testing.T) {
	requirePassword(t)
	file := filepath.Join(t.TempDir(), "password")
	write := func(text string, mode os.FileMode) {
		t.Helper()
		if err := errors.Join(os.WriteFile(file, []byte(text), 0o600), os.Chmod(file, mode)); err != nil {
			t.Fatal(err)
		}
	}
	dsn := fmt.Sprintf("host=127.0.0.1 port=%d dbname=postgres user=guarded sslmode=disable", server.Port)
	db, err := schema.Pool(schema.Options{DSN: dsn, PasswordFile: file})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, c := range []struct {
		text string
		mode os.FileMode
		want error
	}{{secret, 0o600, schema.ErrLogin}, {"right\n", 0o640, nil}, {"right", 0o644, schema.ErrLogin}, {"right\r\n", 0o400, nil}} {
		write(c.text, c.mode)
		db.SetMaxIdleConns(0)
		err := db.PingContext(t.Context())
		if !errors.Is(err, c.want) {
			t.Errorf("%q, mode %v: got %v, want %v", c.text, c.mode, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), "right") || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("the password is in: %v", err)
		}
	}
}

func TestASessionIsSetUpOurWay(t *testing.T) {
	db, err := schema.Open(t.Context(), schema.Options{DSN: server.DSN("postgres"), Application: "coterie/app-a"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	if got, want := scalar[string](t, db, "SELECT current_setting('application_name') || ' ' || current_setting('timezone')"), "coterie/app-a UTC"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// One round trip and no named statement: binary_parameters.
	if n := scalar[int](t, db, "SELECT count(*) FROM pg_prepared_statements WHERE $1 = 1", 1); n != 0 {
		t.Errorf("%d prepared statements, want none", n)
	}
}

// What was opened in a burst is there for the next one.
// Also when the server has ended some that nobody used meanwhile.
func TestAPoolIsClosedWithoutAnError(t *testing.T) {
	for _, dsn := range []string{server.DSN("postgres"), server.TCP("postgres")} {
		db, err := schema.Open(t.Context(), schema.Options{DSN: dsn, Application: "idler", MaxConns: 2})
		if err != nil {
			t.Fatal(err)
		}
		other, err := schema.Open(t.Context(), schema.Options{DSN: server.DSN("postgres")})
		if err != nil {
			t.Fatal(err)
		}
		const idle = `FROM pg_stat_activity WHERE application_name = 'idler'`
		if n := scalar[int](t, other, "SELECT count(pg_terminate_backend(pid)) "+idle); n != 1 {
			t.Errorf("%d backends were ended", n)
		}
		for scalar[int](t, other, "SELECT count(*) "+idle) > 0 {
			time.Sleep(5 * time.Millisecond)
		}
		if err := errors.Join(db.Close(), other.Close()); err != nil {
			t.Errorf("%.20s: %v", dsn, err)
		}
	}
}

func TestAPoolKeepsItsConnections(t *testing.T) {
	db, err := schema.Open(t.Context(), schema.Options{DSN: server.DSN("postgres"), MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	schema.Resize(db, 4)
	burst := func() (pids [4]int) {
		var conns [4]*sqlx.Conn
		for i := range conns {
			if conns[i], err = db.Connx(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := conns[i].GetContext(t.Context(), &pids[i], "SELECT pg_backend_pid()"); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range conns {
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(pids[:])
		return pids
	}
	if first, then := burst(), burst(); first != then {
		t.Errorf("backends %v, then %v", first, then)
	}
}

func TestNoticesAreHeard(t *testing.T) {
	var heard []string
	db, err := schema.Open(t.Context(), schema.Options{DSN: server.DSN("postgres"), Notice: func(n *pq.Error) { heard = append(heard, n.Message) }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(context.Background(), "DO $$ BEGIN RAISE NOTICE 'only here'; END $$"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if len(heard) != 1 || heard[0] != "only here" {
		t.Errorf("heard %q", heard)
	}
}
