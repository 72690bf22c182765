package sqltest

import (
	"context"
	"database/sql"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/sql/pgserver"
	"github.com/coterie-ha/coterie/sql/schema"
)

// DB is one test's database, and a pool of its superuser.
type DB struct {
	*Pool
	Name   string // of the database
	DSN    string // for the superuser, by the Unix socket
	Server *pgserver.Server

	t       testing.TB
	bubbled bool
	step    *atomic.Int64 // how far the database's clock is ahead of the bubble's, in ns
}

// New makes a database for the test and drops it at the test's end. Inside a
// synctest bubble use Bubble of a DB that was made outside.
func New(t testing.TB) *DB {
	t.Helper()
	if inBubble() {
		t.Fatal("sqltest.New inside a synctest bubble: call it outside, and its DB's Bubble inside")
	}
	i, err := shared.get()
	if err != nil {
		t.Fatalf("start the test's PostgreSQL: %v", err)
	}
	name, err := i.create(context.Background(), strings.ToLower(t.Name()))
	if err != nil {
		t.Fatalf("make the test's database: %v", err)
	}
	t.Cleanup(func() {
		if err := i.drop(context.Background(), name); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	db := &DB{Name: name, Server: i.server, t: t, step: new(atomic.Int64)}
	db.DSN = db.DSNFor(pgserver.Superuser)
	db.Pool = db.open(pgserver.Superuser)
	return db
}

// Bubble returns the same database with pools that belong to the bubble of t,
// whose time it keeps.
func (db *DB) Bubble(t testing.TB) *DB {
	t.Helper()
	if !inBubble() {
		t.Fatal("DB.Bubble outside of a synctest bubble")
	}
	inside := *db
	inside.t, inside.bubbled = t, true
	inside.Pool = inside.open(pgserver.Superuser)
	return &inside
}

// inBubble tells by the year: time in a bubble begins at the year 2000, and a
// test of ours does not run a quarter of a century.
func inBubble() bool { return time.Now().Year() < 2020 }

// Step sets how far the database's clock is ahead of the bubble's time.
func (db *DB) Step(ahead time.Duration) {
	if !db.bubbled {
		db.t.Fatal("DB.Step outside of a synctest bubble")
	}
	db.step.Store(int64(ahead))
}

// Agent is a pool that is logged in with nothing but coterie_agent.
func (db *DB) Agent() *Pool { return db.open("agent") }

// Operator is a pool that is logged in with nothing but coterie_operator.
func (db *DB) Operator() *Pool { return db.open("operator") }

// Reader is a pool that is logged in with nothing but coterie_reader.
func (db *DB) Reader() *Pool { return db.open("reader") }

// Login is a pool of a login with that name, made if need be, and that role:
// nodes that must not act for each other have a login each.
func (db *DB) Login(name, role string) *Pool {
	db.t.Helper()
	if err := makeLogin(context.Background(), db.DB, name, role); err != nil {
		db.t.Fatal(err)
	}
	return db.open(name)
}

// DSNFor is a connection string for one of the logins, for whatever opens its
// own pool of this database.
func (db *DB) DSNFor(login string) string {
	return strings.Replace(db.Server.DSN(db.Name), "user="+pgserver.Superuser, "user="+login, 1)
}

// open makes a pool and closes it at the test's end.
func (db *DB) open(user string) *Pool {
	db.t.Helper()
	p := &Pool{line: newLine()}
	if db.bubbled {
		p.now = func() time.Time { return time.Now().Add(time.Duration(db.step.Load())) }
	}
	p.options = schema.Options{DSN: db.DSNFor(user), Dial: p.line.dial}
	inner, err := schema.Connector(p.options)
	if err != nil {
		db.t.Fatal(err)
	}
	p.DB = sqlx.NewDb(sql.OpenDB(&connector{Connector: inner, pool: p}), "postgres")
	db.t.Cleanup(func() {
		p.line.set(whole)
		if err := p.Close(); err != nil {
			db.t.Errorf("close the pool of %s: %v", user, err)
		}
	})
	return p
}
