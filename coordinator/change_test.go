package coordinator_test

import (
	"errors"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/sql/sqltest"
)

// as has the superuser's connection be another login, which has some of our roles.
func as(t *testing.T, db *sqltest.DB, login, role string) *sqlx.Conn {
	t.Helper()
	conn, err := db.Connx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"CREATE ROLE " + login + " LOGIN IN ROLE " + role, "SET SESSION AUTHORIZATION " + login} {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

func refused(err error, code string) bool {
	said, ok := errors.AsType[*pq.Error](err)
	return ok && string(said.Code) == code
}

// The login of a node proposes a change, and only an operator makes it.
func TestWhoMayNotChangeASettingProposesIt(t *testing.T) {
	db := cluster(t)
	node, operator := as(t, db, "proposes", "coterie_agent"), as(t, db, "decides", "coterie_operator")
	var number int64
	propose := func(key, value string) error {
		return node.GetContext(t.Context(), &number, `SELECT coalesce(coterie.change_propose($1, $2, 'ana', 'faster'), 0)`, key, value)
	}
	decide := func(by *sqlx.Conn, state string) (done bool, err error) {
		err = by.GetContext(t.Context(), &done, `SELECT coterie.change_decide($1, $2::coterie.change_state, 'ben', 'well')`, number, state)
		return done, err
	}
	if err := propose("heartbeat", "1s"); err != nil || number == 0 {
		t.Fatalf("%d, %v", number, err)
	}
	first := number
	if err := propose("heartbeat", "1000ms"); err != nil || number != first {
		t.Errorf("the same again is %d after %d, %v", number, first, err)
	}
	var is string
	now := func() string {
		t.Helper()
		if err := db.Get(&is, `SELECT value FROM coterie.settings WHERE key = 'heartbeat'`); err != nil {
			t.Fatal(err)
		}
		return is
	}
	if got := now(); got != "00:00:01.5" {
		t.Errorf("a proposal changed it to %s", got)
	}
	if _, err := decide(node, "applied"); !refused(err, "42501") {
		t.Errorf("the node decides: %v", err)
	}
	var changed bool
	if err := node.GetContext(t.Context(), &changed, `SELECT coterie.setting_change('heartbeat', '1s', 'ana', '')`); !refused(err, "42501") {
		t.Errorf("the node changes it: %v", err)
	}
	if done, err := decide(operator, "applied"); err != nil || !done || now() != "00:00:01" {
		t.Errorf("%v, %v, %s", done, err, now())
	}
	if done, err := decide(operator, "applied"); err != nil || done {
		t.Errorf("again: %v, %v", done, err)
	}
	if _, err := decide(operator, "rejected"); !refused(err, "CT062") {
		t.Errorf("rejected after it was applied: %v", err)
	}
	if err := propose("heartbeat", "1s"); err != nil || number != 0 {
		t.Errorf("what it is already: %d, %v", number, err)
	}
	for key, code := range map[string]string{"heartbeat": "23514", "hartbeat": "CT012"} {
		if err := propose(key, "1h"); !refused(err, code) {
			t.Errorf("%s: %v, want %s", key, err, code)
		}
	}
	var login, by, events string
	if err := db.QueryRow(`SELECT login, decided_by, (SELECT string_agg(kind, ' ' ORDER BY id) FROM coterie.events WHERE kind LIKE 'change.%') FROM coterie.changes`).Scan(&login, &by, &events); err != nil {
		t.Fatal(err)
	}
	if login != "proposes" || by != "ben" || events != "change.proposed change.applied" {
		t.Errorf("%s, %s, %s", login, by, events)
	}
}

// A node's rows are its own: who speaks for it with another login, or in a life that is
// over, changes none of them.
func TestARowBelongsToTheNodeThatWroteIt(t *testing.T) {
	db := cluster(t)
	db.MustExec(`SELECT coterie.node_join('deploy', 'app-a', repeat('a', 32), '', 'host', '', '', '{}', true, 1, '{}')`)
	db.MustExec(`SELECT coterie.session_begin('app-a', 7, '{}', NULL, NULL, 0)`)
	other := as(t, db, "speaks", "coterie_agent")
	says := func(q interface {
		Get(dest any, query string, args ...any) error
	}, life int64) (taken int) {
		t.Helper()
		for _, statement := range []string{
			`SELECT coterie.keystore_report('app-a', $1, 'server', NULL, 'placed', NULL, NULL, NULL, NULL, '')`,
			`SELECT coterie.trust_report('app-a', $1, 0, '', 'none', '', '')`,
		} {
			var done bool
			if err := q.Get(&done, statement, life); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
			if done {
				taken++
			}
		}
		return taken
	}
	if n := says(onConn{other, t}, 7); n != 0 {
		t.Errorf("another login wrote %d rows of app-a", n)
	}
	if n := says(db, 6); n != 0 {
		t.Errorf("a life that is over wrote %d rows of app-a", n)
	}
	if n := says(db, 7); n == 0 {
		t.Error("app-a itself cannot write")
	}
}

// onConn asks on one connection.
type onConn struct {
	*sqlx.Conn
	t *testing.T
}

func (c onConn) Get(dest any, query string, args ...any) error {
	return c.GetContext(c.t.Context(), dest, query, args...)
}
