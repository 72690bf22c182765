package jobs

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/schema"
)

func TestAStatementCommitsOnlyUnderTheLiveToken(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a", "b")
	l.define(Definition{Name: "tidy"})
	l.exec(`CREATE TABLE public.purged (days int, note text)`)
	l.exec(`GRANT INSERT, SELECT ON public.purged TO PUBLIC`)
	action := SQL{
		Statement: `INSERT INTO public.purged VALUES ({days}, {note}) RETURNING days, note`,
		Takes:     []Param{{Name: "days", Type: IntParam, Max: 100}, {Name: "note", Type: TextParam, Max: 100}},
		Open:      func(ctx context.Context) (*sqlx.DB, error) { return schema.Open(ctx, l.nodes["a"].Options()) },
	}
	do := func(token leases.Token) (string, error) {
		var said tail
		run := aRun
		run.Token, run.Output, run.Params = token, &said, Params{"days": "7", "note": "'); DROP TABLE purged --"}
		_, err := action.Do(t.Context(), run)
		return said.String(), err
	}
	token := l.hand("tidy", "a")
	said, err := do(token)
	if err != nil || said != "7\t'); DROP TABLE purged --" {
		t.Fatalf("said %q, %v", said, err)
	}
	if _, err := do(token + 1); err == nil || !strings.Contains(err.Error(), "check the token") {
		t.Errorf("another token: %v", err)
	}
	l.hand("tidy", "b")
	if _, err := do(token); err == nil || !strings.Contains(err.Error(), "check the token") {
		t.Errorf("a former holder: %v", err)
	}
	// One statement cannot end the transaction and go on outside of it.
	token = l.hand("tidy", "a")
	action.Statement, action.Takes = `INSERT INTO public.purged VALUES (8); COMMIT; INSERT INTO public.purged VALUES (9)`, nil
	run := aRun
	run.Token, run.Output = token, new(tail)
	if _, err := action.Do(t.Context(), run); err == nil || !strings.Contains(err.Error(), "multiple commands") {
		t.Errorf("two statements: %v", err)
	}
	if n := get[int](l, l.db.Pool, `SELECT count(*) FROM public.purged`); n != 1 {
		t.Errorf("%d rows were committed, want 1", n)
	}
}

func TestALeaseDoesNotMoveWhileAStatementUnderItIsOpen(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a", "b")
	l.define(Definition{Name: "tidy"})
	token := l.hand("tidy", "a")
	action := SQL{
		Statement: `SELECT pg_sleep(1.5)`,
		Open:      func(ctx context.Context) (*sqlx.DB, error) { return schema.Open(ctx, l.nodes["a"].Options()) },
	}
	run := aRun
	run.Token, run.Output = token, new(tail)
	done := make(chan error, 1)
	go func() {
		_, err := action.Do(t.Context(), run)
		done <- err
	}()
	const sleeping = `SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active' AND datname = current_database()`
	for get[int](l, l.db.Pool, sleeping) == 0 {
		select {
		case err := <-done:
			t.Fatalf("it ended before it was seen: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	const take = `SELECT FROM coterie.lease WHERE name = 'job/tidy' FOR UPDATE NOWAIT`
	_, err := l.db.Exec(take)
	expect(t, "taking the lease meanwhile", state(t, err), "55P03")
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := l.db.Exec(take); err != nil {
		t.Errorf("taking it afterwards: %v", err)
	}
}
