package sqltest_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/sql/schema"
	"github.com/coterie-ha/coterie/sql/sqltest"
)

func get[T any](t *testing.T, p *sqltest.Pool, query string, args ...any) (v T) {
	t.Helper()
	if err := p.Get(&v, query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func exec(t *testing.T, p *sqltest.Pool, query string, args ...any) {
	t.Helper()
	if _, err := p.Exec(query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func TestEachTestHasItsOwnMigratedDatabase(t *testing.T) {
	sqltest.New(t) // the first one starts the server
	begun := time.Now()
	a := sqltest.New(t)
	t.Logf("a database in %v", time.Since(begun))
	b := sqltest.New(t)
	if _, err := schema.Check(t.Context(), a.DB); err != nil {
		t.Error(err)
	}
	exec(t, a.Pool, "CREATE TABLE mine (n int)")
	if get[bool](t, b.Pool, "SELECT to_regclass('mine') IS NOT NULL") {
		t.Error("a table of one database shows up in the other")
	}
}

func TestPoolsAreLoggedInWithOneRoleEach(t *testing.T) {
	db := sqltest.New(t)
	for role, p := range map[string]*sqltest.Pool{
		schema.Agent: db.Agent(), schema.Operator: db.Operator(), schema.Reader: db.Reader(), schema.Agent + "2": db.Login("other", schema.Agent),
	} {
		if get[bool](t, p, "SELECT rolsuper FROM pg_roles WHERE rolname = session_user") {
			t.Errorf("%s is a superuser", role)
		}
		var denied *pq.Error
		if _, err := p.Exec("DELETE FROM coterie.lease"); !errors.As(err, &denied) || denied.Code != "42501" {
			t.Errorf("%s deletes leases: got %v, want 42501", role, err)
		}
		if n := get[int](t, p, "SELECT count(*) FROM coterie.schema_versions"); n == 0 {
			t.Errorf("%s sees no schema_versions", role)
		}
	}
}

func TestTheDatabaseKeepsTheBubblesTime(t *testing.T) {
	db := sqltest.New(t)
	begun := time.Now()
	synctest.Test(t, func(t *testing.T) {
		db := db.Bubble(t)
		agent := db.Agent()
		before := get[time.Time](t, agent, "SELECT coterie.clock()")
		if !before.Equal(time.Now()) {
			t.Errorf("the database's time is %v, the bubble's %v", before, time.Now())
		}
		time.Sleep(time.Hour)
		if got := get[time.Time](t, db.Pool, "SELECT coterie.clock()").Sub(before); got != time.Hour {
			t.Errorf("after an hour the database's clock moved %v", got)
		}
		db.Step(-time.Minute)
		if got := get[time.Time](t, agent, "SELECT coterie.clock()").Sub(before); got != 59*time.Minute {
			t.Errorf("after an hour and a step of -1m the database's clock moved %v", got)
		}
	})
	if took := time.Since(begun); took > time.Second {
		t.Errorf("an hour in the bubble took %v", took)
	} else {
		t.Logf("an hour in the bubble took %v", took)
	}
}

func TestTimeMovesWithinTransactionsAndPreparedStatements(t *testing.T) {
	db := sqltest.New(t)
	synctest.Test(t, func(t *testing.T) {
		db := db.Bubble(t)
		ask, err := db.Prepare("SELECT coterie.clock()")
		if err != nil {
			t.Fatal(err)
		}
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		inTx := tx.Stmt(ask)
		for range 3 {
			time.Sleep(time.Minute)
			var a, b time.Time
			if err := errors.Join(ask.QueryRow().Scan(&a), inTx.QueryRow().Scan(&b)); err != nil {
				t.Fatal(err)
			}
			if !a.Equal(time.Now()) || !b.Equal(time.Now()) {
				t.Errorf("at %v a statement says %v, one in a transaction %v", time.Now(), a, b)
			}
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		if got := get[time.Time](t, db.Pool, "SELECT coterie.clock()"); !got.Equal(time.Now()) {
			t.Errorf("after a rollback: %v at %v", got, time.Now())
		}
		if err := errors.Join(inTx.Close(), ask.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestAFailedTransactionSaysWhatFailed(t *testing.T) {
	db := sqltest.New(t)
	synctest.Test(t, func(t *testing.T) {
		tx, err := db.Bubble(t).Begin()
		if err != nil {
			t.Fatal(err)
		}
		_, first := tx.Exec("SELECT 1/0")
		_, second := tx.Exec("SELECT 1")
		for i, c := range []struct {
			err  error
			code string
		}{{first, "22012"}, {second, "25P02"}} {
			var said *pq.Error
			if !errors.As(c.err, &said) || string(said.Code) != c.code {
				t.Errorf("statement %d: got %v, want %s", i+1, c.err, c.code)
			}
		}
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	})
}

func TestACutPoolIsRefusedUntilMended(t *testing.T) {
	db := sqltest.New(t)
	p, other := db.Agent(), db.Agent()
	exec(t, p, "SELECT 1")
	slow := make(chan error)
	go func() {
		_, err := p.Exec("SELECT pg_sleep(10)")
		slow <- err
	}()
	for get[int](t, other, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'") == 0 {
	}
	p.Cut()
	if err := <-slow; err == nil {
		t.Error("a running statement survived the cut")
	}
	if err := p.Ping(); !errors.Is(err, schema.ErrUnreachable) {
		t.Errorf("while cut: got %v, want ErrUnreachable", err)
	}
	exec(t, other, "SELECT 1")
	p.Mend()
	exec(t, p, "SELECT 1")
}

func TestAStalledCallWaitsForItsDeadlineInTheBubblesTime(t *testing.T) {
	db := sqltest.New(t)
	begun := time.Now()
	synctest.Test(t, func(t *testing.T) {
		db := db.Bubble(t)
		p := db.Agent()
		p.SetMaxOpenConns(1)
		exec(t, p, "SELECT 1")
		p.Stall()
		sent := time.Now()
		if _, err := p.Exec("SELECT 1"); err == nil {
			t.Error("an answer came through a stalled line")
		}
		// The deadline of the statement; a dial that follows has its own.
		if took := time.Since(sent); took < schema.DefaultBudget || took > 3*schema.DefaultBudget {
			t.Errorf("the call took %v", took)
		}
		p.Mend()
		exec(t, p, "SELECT 1")
	})
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("took %v of real time", took)
	}
}

func TestAShortStallLosesNothing(t *testing.T) {
	db := sqltest.New(t)
	exec(t, db.Pool, "CREATE SEQUENCE hits")
	synctest.Test(t, func(t *testing.T) {
		p := db.Bubble(t)
		c, err := p.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p.Stall()
		go func() {
			time.Sleep(3 * time.Second)
			p.Mend()
		}()
		sent := time.Now()
		var n int
		if err := c.QueryRowContext(t.Context(), "SELECT nextval('hits')").Scan(&n); err != nil || n != 1 {
			t.Errorf("got %d, %v; want 1", n, err)
		}
		if took := time.Since(sent); took != 3*time.Second {
			t.Errorf("the call took %v, want 3s", took)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestALostAnswerIsOfAStatementThatWasExecuted(t *testing.T) {
	db := sqltest.New(t)
	exec(t, db.Pool, "CREATE TABLE hit (n int)")
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	db.LoseAnswer("INSERT")
	if _, err := c.ExecContext(t.Context(), "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ExecContext(t.Context(), "INSERT INTO hit VALUES ($1)", 1); !errors.Is(err, driver.ErrBadConn) {
		t.Errorf("got %v, want ErrBadConn", err)
	}
	if err := c.Close(); err != nil && !errors.Is(err, driver.ErrBadConn) && !errors.Is(err, sql.ErrConnDone) {
		t.Error(err)
	}
	if n := get[int](t, db.Pool, "SELECT count(*) FROM hit"); n != 1 {
		t.Errorf("on a connection of its own it was executed %d times, want 1", n)
	}
	// And this is why nothing of ours uses DB.Exec for a change.
	db.LoseAnswer("INSERT")
	exec(t, db.Pool, "INSERT INTO hit VALUES ($1)", 2)
	if n := get[int](t, db.Pool, "SELECT count(*) FROM hit WHERE n = 2"); n != 2 {
		t.Errorf("by DB.Exec it was executed %d times, want 2", n)
	}
}

func TestALostAnswerToAQueryIsOfACommittedOne(t *testing.T) {
	db := sqltest.New(t)
	exec(t, db.Pool, "CREATE TABLE hit (n int)")
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	db.LoseAnswer("")
	var n int
	if err := c.QueryRowContext(t.Context(), "INSERT INTO hit SELECT generate_series(1, 3) RETURNING n").Scan(&n); !errors.Is(err, driver.ErrBadConn) {
		t.Errorf("got %d, %v; want ErrBadConn", n, err)
	}
	if n := get[int](t, db.Pool, "SELECT count(*) FROM hit"); n != 3 {
		t.Errorf("%d rows are there, want 3", n)
	}
}

func TestSlowTakesTheBubblesTimeInBothDirections(t *testing.T) {
	db := sqltest.New(t)
	synctest.Test(t, func(t *testing.T) {
		p := db.Bubble(t)
		exec(t, p.Pool, "SELECT 1")
		p.Slow(2*time.Second, 3*time.Second)
		sent := time.Now()
		at := get[time.Time](t, p.Pool, "SELECT coterie.clock()")
		if there, back := at.Sub(sent), time.Since(at); there != 2*time.Second || back != 3*time.Second {
			t.Errorf("%v there and %v back, want 2s and 3s", there, back)
		}
	})
}

func TestCopyInWorksThroughTheWrapper(t *testing.T) {
	db := sqltest.New(t)
	synctest.Test(t, func(t *testing.T) {
		db := db.Bubble(t)
		exec(t, db.Pool, "CREATE TABLE hit (n int)")
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		s, err := tx.Prepare("COPY hit (n) FROM STDIN")
		if err != nil {
			t.Fatal(err)
		}
		for n := range 10 {
			if _, err := s.Exec(n); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Exec(); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Close(), tx.Commit()); err != nil {
			t.Fatal(err)
		}
		if n := get[int](t, db.Pool, "SELECT count(*) FROM hit"); n != 10 {
			t.Errorf("%d rows copied, want 10", n)
		}
	})
}

func TestWhatAStalledNodeHeldTheServerGoesOnToHold(t *testing.T) {
	db := sqltest.New(t)
	exec(t, db.Pool, "CREATE TABLE thing AS SELECT 1 AS n")
	const take = "SELECT count(*) FROM (SELECT n FROM thing FOR UPDATE SKIP LOCKED) AS free"
	synctest.Test(t, func(t *testing.T) {
		db := db.Bubble(t)
		p := db.Login("holder", schema.Agent)
		exec(t, db.Pool, "GRANT SELECT, UPDATE ON thing TO coterie_agent")
		tx := p.MustBegin()
		if _, err := tx.Exec(take); err != nil {
			t.Fatal(err)
		}
		p.Stall()
		if _, err := tx.Exec("SELECT 1"); err == nil {
			t.Error("an answer came through a stalled line")
		}
		if err := tx.Rollback(); err == nil {
			t.Error("a rollback came through a stalled line")
		}
		if n := get[int](t, db.Pool, take); n != 0 {
			t.Error("the server let go although it could not know")
		}
		p.Mend()
		for get[int](t, db.Pool, take) == 0 { // the server hears of it now
		}
	})
}

func TestAListenersLineBreaksWithItsPool(t *testing.T) {
	p := sqltest.New(t).Agent()
	p.Cut()
	if _, err := schema.Open(t.Context(), p.Options()); !errors.Is(err, schema.ErrUnreachable) {
		t.Errorf("got %v, want ErrUnreachable", err)
	}
}

func ExampleNew() {
	test := func(t *testing.T) {
		db := sqltest.New(t)
		synctest.Test(t, func(t *testing.T) {
			db := db.Bubble(t)
			time.Sleep(time.Hour)
			var now time.Time
			if err := db.GetContext(context.Background(), &now, "SELECT coterie.clock()"); err != nil {
				t.Fatal(err)
			}
			t.Log(now.Format(time.TimeOnly)) // 01:00:00
		})
	}
	fmt.Printf("%T\n", test)
	// Output: func(*testing.T)
}
