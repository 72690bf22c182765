package schema_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/sql/pgserver"
	"github.com/coterie-ha/coterie/sql/schema"
)

// server is the PostgreSQL of this package's tests, which need databases that
// nobody has migrated yet.
var server *pgserver.Server

// databases counts those made so far, for their names.
var databases atomic.Int64

// template makes a database that has the schema, once, for tests that begin with one.
var template = sync.OnceValues(func() (string, error) {
	admin, err := schema.Open(context.Background(), schema.Options{DSN: server.DSN("postgres")})
	if err != nil {
		return "", err
	}
	defer admin.Close()
	if _, err := admin.Exec("CREATE DATABASE template_of_tests"); err != nil {
		return "", err
	}
	db, err := schema.Open(context.Background(), schema.Options{DSN: server.DSN("template_of_tests")})
	if err != nil {
		return "", err
	}
	_, err = schema.Migrate(context.Background(), db)
	return "template_of_tests", errors.Join(err, db.Close())
})

func TestMain(m *testing.M) {
	var err error
	if server, err = pgserver.Start(context.Background(), pgserver.Options{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// emptyDatabase makes a database for the test and returns its name.
func emptyDatabase(t *testing.T) string {
	t.Helper()
	return database(t, "template1")
}

// migrated is a database of the test's own, with the schema.
func migrated(t *testing.T) *sqlx.DB {
	t.Helper()
	from, err := template()
	if err != nil {
		t.Fatal(err)
	}
	return open(t, server.DSN(database(t, from)))
}

func database(t *testing.T, from string) string {
	t.Helper()
	name := strings.ToLower(strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' {
			return r
		}
		return '_'
	}, t.Name()))
	name = fmt.Sprintf("%.50s_%d", name, databases.Add(1))
	admin := open(t, server.DSN("postgres"))
	if _, err := admin.Exec("CREATE DATABASE " + name + " TEMPLATE " + from); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		admin, err := schema.Open(context.Background(), schema.Options{DSN: server.DSN("postgres")})
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := admin.Exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
		if err := admin.Close(); err != nil {
			t.Error(err)
		}
	})
	return name
}

func open(t *testing.T, dsn string) *sqlx.DB {
	t.Helper()
	db, err := schema.Open(t.Context(), schema.Options{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func scalar[T any](t *testing.T, db *sqlx.DB, query string, args ...any) (v T) {
	t.Helper()
	if err := db.Get(&v, query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}
