package schema_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// holding is a database in which app-a holds the lease x with token 1, and app-b
// lives and would take it.
func holding(t *testing.T) *sqlx.DB {
	t.Helper()
	db := migrated(t)
	db.MustExec(`SELECT coterie.cluster_init('deploy')`)
	db.MustExec(`SELECT coterie.lease_declare(ARRAY['x', 'y'], 'work')`)
	db.MustExec(`SELECT coterie.session_begin('app-a', 1, '{work}', NULL, NULL, 0)`)
	db.MustExec(`SELECT coterie.session_begin('app-b', 2, '{work}', NULL, NULL, 0)`)
	if got := claim(t, db, "app-a", 1, "x", 0); got != 1 {
		t.Fatalf("app-a got token %d", got)
	}
	return db
}

const claimSQL = `
SELECT coterie.tick($1, $2, '{work}', 0, -1, 6000, 0, false, false, '{}', '{}', '{}', '{}', '{}', '{}', ARRAY[$3], ARRAY[$4::bigint])`

// claim has a node take a lease that it was shown with a token, and returns the
// token that the lease has then.
func claim(t *testing.T, db sqlx.QueryerContext, node string, incarnation int64, lease string, shown int64) (token int64) {
	t.Helper()
	var said string
	if err := db.QueryRowxContext(t.Context(), claimSQL, node, incarnation, lease, shown).Scan(&said); err != nil {
		t.Fatal(err)
	}
	if err := db.QueryRowxContext(t.Context(), `SELECT token FROM coterie.lease WHERE name = $1`, lease).Scan(&token); err != nil {
		t.Fatal(err)
	}
	return token
}

// refused wants an assertion to fail in one of these ways.
func refused(t *testing.T, err error, what string, codes ...string) {
	t.Helper()
	said := new(pq.Error)
	if errors.As(err, &said) {
		if slices.Contains(codes, string(said.Code)) {
			return
		}
	}
	t.Errorf("%s: got %v, want one of %v", what, err, codes)
}

const assertSQL = `SELECT coterie.assert_lease($1, $2)`

func TestOnlyTheLiveHoldersTokenIsConfirmed(t *testing.T) {
	t.Parallel()
	db := holding(t)
	claim(t, db, "app-b", 2, "y", 0) // token 2
	if _, err := db.Exec(assertSQL, "x", 1); err != nil {
		t.Errorf("the holder's own token: %v", err)
	}
	for what, args := range map[string][]any{
		"another lease's token":        {"x", 2},
		"a token of the future":        {"x", 3},
		"one of another era":           {"x", int64(1)<<40 + 1},
		"the highest number":           {"x", int64(math.MaxInt64)},
		"none":                         {"x", 0},
		"a negative one":               {"x", -1},
		"the lowest number":            {"x", int64(math.MinInt64)},
		"null":                         {"x", nil},
		"no lease":                     {nil, 1},
		"a lease that is not there":    {"z", 1},
		"an empty name":                {"", 1},
		"a space behind the name":      {"x ", 1},
		"the name in capitals":         {"X", 1},
		"a name that looks alike":      {"\u0445", 1}, // CYRILLIC SMALL LETTER HA
		"a pattern":                    {"%", 1},
		"a name with a quotation mark": {"x' OR true --", 1},
		"a very long name":             {fmt.Sprintf("%065536d", 0), 1},
	} {
		_, err := db.Exec(assertSQL, args...)
		refused(t, err, what, "CT001")
	}
	db.MustExec(`SELECT coterie.session_end('app-b', 2, 'release', 'left')`)
	_, err := db.Exec(assertSQL, "y", 2)
	refused(t, err, "the last token of a free lease", "CT001")
	db.MustExec(`UPDATE coterie.session SET expires_at = coterie.clock()`)
	_, err = db.Exec(assertSQL, "x", 1)
	refused(t, err, "a session past its end that nobody has ended", "CT001")
}

// levels are those that a transaction can ask for.
var levels = []sql.IsolationLevel{sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSerializable}

// eachLevel begins a transaction whose view of the database is from now.
func eachLevel(t *testing.T, play func(t *testing.T, db *sqlx.DB, app *sqlx.Tx)) {
	for _, level := range levels {
		t.Run(level.String(), func(t *testing.T) {
			db := holding(t)
			app, err := db.BeginTxx(t.Context(), &sql.TxOptions{Isolation: level})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := app.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
					t.Error(err)
				}
			}()
			if _, err := app.Exec(`SELECT count(*) FROM coterie.lease`); err != nil {
				t.Fatal(err)
			}
			play(t, db, app)
		})
	}
}

func TestATakeOverThatIsCommittedMakesAnAssertionFail(t *testing.T) {
	t.Parallel()
	eachLevel(t, func(t *testing.T, db *sqlx.DB, app *sqlx.Tx) {
		db.MustExec(`SELECT coterie.session_end('app-a', 1, 'crash', 'test')`)
		if got := claim(t, db, "app-b", 2, "x", 1); got != 2 {
			t.Fatalf("app-b got token %d", got)
		}
		_, err := app.Exec(assertSQL, "x", 1)
		refused(t, err, "the former holder's token", "CT001", "40001")
	})
}

func TestAnAssertionWaitsForATakeOverUnderWayAndFails(t *testing.T) {
	t.Parallel()
	eachLevel(t, func(t *testing.T, db *sqlx.DB, app *sqlx.Tx) {
		taking, err := db.BeginTxx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := taking.Exec(`SELECT coterie.session_end('app-a', 1, 'crash', 'test')`); err != nil {
			t.Fatal(err)
		}
		if got := claim(t, taking, "app-b", 2, "x", 1); got != 2 {
			t.Fatalf("app-b got token %d", got)
		}
		said := make(chan error)
		go func() {
			_, err := app.ExecContext(context.Background(), assertSQL, "x", 1)
			said <- err
		}()
		select {
		case err := <-said:
			t.Fatalf("it did not wait: %v", err)
		case <-time.After(100 * time.Millisecond):
		}
		if err := taking.Commit(); err != nil {
			t.Fatal(err)
		}
		refused(t, <-said, "the former holder's token", "CT001", "40001")
	})
}

func TestAnAssertionThatHeldKeepsTheLeaseUntilTheEndOfItsTransaction(t *testing.T) {
	t.Parallel()
	eachLevel(t, func(t *testing.T, db *sqlx.DB, app *sqlx.Tx) {
		if _, err := app.Exec(assertSQL, "x", 1); err != nil {
			t.Fatal(err)
		}
		db.MustExec(`SELECT coterie.session_end('app-a', 1, 'crash', 'test')`)
		if got := claim(t, db, "app-b", 2, "x", 1); got != 1 {
			t.Fatalf("the lease was taken with token %d while an application relied on it", got)
		}
		if err := app.Commit(); err != nil {
			t.Fatal(err)
		}
		if got := claim(t, db, "app-b", 2, "x", 1); got != 2 {
			t.Errorf("the lease was not taken afterwards: token %d", got)
		}
	})
}

// An old view of the database shows the session as it was. That is no reason to
// let anybody in beside: what it confirms, it holds.
func TestAnOldViewConfirmsOnlyWhatNobodyElseCanTake(t *testing.T) {
	t.Parallel()
	eachLevel(t, func(t *testing.T, db *sqlx.DB, app *sqlx.Tx) {
		other, err := db.BeginTxx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Exec(assertSQL, "x", 1); err != nil {
			t.Fatal(err)
		}
		// The session ends; its lease, which an application holds, is passed over.
		db.MustExec(`SELECT coterie.session_end('app-a', 1, 'crash', 'test')`)
		if err := other.Commit(); err != nil {
			t.Fatal(err)
		}
		_, err = app.Exec(assertSQL, "x", 1)
		if err != nil {
			refused(t, err, "the token of a session that has ended", "CT001")
		}
		if got := claim(t, db, "app-b", 2, "x", 1); err == nil && got != 1 {
			t.Errorf("confirmed, and taken by another with token %d", got)
		}
	})
}

// A view that is older than a session lasts shows an end that has passed.
func TestAnAssertionLateInALongTransactionIsRefusedRatherThanBelieved(t *testing.T) {
	t.Parallel()
	for _, level := range levels[1:] {
		t.Run(level.String(), func(t *testing.T) {
			db := holding(t)
			db.MustExec(`UPDATE coterie.session SET expires_at = coterie.clock() + interval '50ms' WHERE node = 'app-a'`)
			app, err := db.BeginTxx(t.Context(), &sql.TxOptions{Isolation: level})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := app.Exec(`SELECT count(*) FROM coterie.session`); err != nil {
				t.Fatal(err)
			}
			time.Sleep(60 * time.Millisecond)
			claim(t, db, "app-a", 1, "x", 99) // of no effect but that of a heartbeat
			_, err = app.Exec(assertSQL, "x", 1)
			refused(t, err, "an old view", "CT001")
			if err := app.Rollback(); err != nil {
				t.Error(err)
			}
			if _, err := db.Exec(assertSQL, "x", 1); err != nil {
				t.Errorf("a new view: %v", err)
			}
		})
	}
}

func TestAnAssertionNeedsATransactionThatCanHoldTheLease(t *testing.T) {
	t.Parallel()
	db := holding(t)
	app, err := db.BeginTxx(t.Context(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = app.Exec(assertSQL, "x", 1)
	refused(t, err, "in a read-only transaction", "25006")
	if err := app.Rollback(); err != nil {
		t.Error(err)
	}

	// What is rolled back to before it is as if it had not been said.
	if app, err = db.BeginTxx(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := app.Exec(`SAVEPOINT before; SELECT coterie.assert_lease('x', 1); ROLLBACK TO before`); err != nil {
		t.Fatal(err)
	}
	db.MustExec(`SELECT coterie.session_end('app-a', 1, 'crash', 'test')`)
	if got := claim(t, db, "app-b", 2, "x", 1); got != 2 {
		t.Errorf("a savepoint that was rolled back still holds the lease: token %d", got)
	}
	if err := app.Rollback(); err != nil {
		t.Error(err)
	}
}

// assert_lease goes without a search_path of its own: whatever the caller puts
// before pg_catalog must not be what it compares and computes with.
func TestNothingOfTheCallersDecidesAnAssertion(t *testing.T) {
	t.Parallel()
	db := holding(t)
	tx := db.MustBegin()
	defer func() { _ = tx.Rollback() }()
	tx.MustExec(`CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC`)
	for _, pair := range [][2]string{{"text", "text"}, {"bigint", "bigint"}, {"timestamptz", "timestamptz"}} {
		for _, op := range []string{"=", ">", "<>"} {
			name := map[string]string{"=": "equal", ">": "above", "<>": "other"}[op] + "_" + pair[0]
			tx.MustExec(fmt.Sprintf(`CREATE FUNCTION evil.%s(%s, %s) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true'`, name, pair[0], pair[1]))
			tx.MustExec(fmt.Sprintf(`CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = evil.%s)`, op, pair[0], pair[1], name))
		}
	}
	for _, fn := range []string{"pg_control_system()", "clock()", "clock_timestamp()", "quote_literal(text)", "to_regnamespace(text)"} {
		tx.MustExec(fmt.Sprintf(`CREATE FUNCTION evil.%s RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''evil''; END'`, fn))
	}
	tx.MustExec(`CREATE TABLE evil.lease AS SELECT * FROM coterie.lease`)
	tx.MustExec(`SET LOCAL search_path = evil, pg_catalog, coterie`)
	var always bool
	if err := tx.Get(&always, `SELECT 'a'::text = 'b'::text`); err != nil || !always {
		t.Fatalf("the trap is not set: %t, %v", always, err)
	}
	tx.MustExec(`SELECT coterie.assert_lease('x', 1)`)
	for what, query := range map[string]string{
		"another token": `SELECT coterie.assert_lease('x', 2)`, "another lease": `SELECT coterie.assert_lease('y', 1)`, "no lease": `SELECT coterie.assert_lease('z', 1)`,
	} {
		tx.MustExec(`SAVEPOINT one`)
		_, err := tx.Exec(query)
		refused(t, err, what, "CT001")
		tx.MustExec(`ROLLBACK TO one`)
	}
}

// An application saves a round trip when it asserts in the statement that makes the
// effect: no row is changed without the lease, whichever way the server goes about it.
func TestAStatementThatAssertsChangesNoRowWithoutTheLease(t *testing.T) {
	t.Parallel()
	for _, statement := range []string{
		`UPDATE audit SET seen = true FROM coterie.assert_lease($1, $2) WHERE n <= 10`,
		`DELETE FROM audit USING coterie.assert_lease($1, $2) WHERE n <= 10`,
		`INSERT INTO audit SELECT n + 1000 FROM coterie.assert_lease($1, $2), generate_series(1, 10) AS n`,
	} {
		for _, planned := range []string{"", "SET LOCAL enable_nestloop = off", "SET LOCAL join_collapse_limit = 1"} {
			db := holding(t)
			db.MustExec(`CREATE TABLE audit (n int, seen boolean)`)
			db.MustExec(`INSERT INTO audit SELECT generate_series(1, 100)`)
			app := db.MustBegin()
			app.MustExec(`SAVEPOINT before`)
			app.MustExec(planned)
			_, err := app.Exec(statement, "x", 7)
			refused(t, err, statement, "CT001")
			app.MustExec(`ROLLBACK TO before`)
			app.MustExec(planned)
			if n, err := app.MustExec(statement, "x", 1).RowsAffected(); err != nil || n != 10 {
				t.Errorf("%s: %d rows, %v", statement, n, err)
			}
			db.MustExec(`SELECT coterie.session_end('app-a', 1, 'crash', 'test')`)
			if got := claim(t, db, "app-b", 2, "x", 1); got != 1 {
				t.Errorf("%s: the lease was taken with token %d before the commit", statement, got)
			}
			if err := app.Commit(); err != nil {
				t.Error(err)
			}
			if got := claim(t, db, "app-b", 2, "x", 1); got != 2 {
				t.Errorf("%s: after the commit app-b got token %d", statement, got)
			}
		}
	}
}
