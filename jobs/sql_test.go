package jobs

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func expect(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestASlotIsBegunOnceHoweverOftenItIsAskedFor(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, l *lab) {
		d := l.define(Definition{Name: "tidy"})
		token, due := l.hand("tidy", "a"), l.clock()
		expect(t, "first", l.begin("a", d, due, token, 7), "begun")
		expect(t, "again, as its answer was lost", l.begin("a", d, due, token, 7), "begun")
		expect(t, "by somebody else", l.begin("a", d, due, token, 8), "running")
		expect(t, "end", l.end("a", "tidy", due, token, 7, Succeeded), "succeeded")
		expect(t, "end again", l.end("a", "tidy", due, token, 7, Succeeded), "succeeded")
		expect(t, "end otherwise", l.end("a", "tidy", due, token, 7, Failed), "succeeded")
		expect(t, "begin it once more", l.begin("a", d, due, token, 7), "accounted")
		expect(t, "begin an earlier one", l.begin("a", d, due.Add(-time.Second), token, 9), "accounted")
		expect(t, "rows", l.rows("tidy"), "succeeded on a\n")
	})
}

func TestADirectClientCannotOpenASecondRun(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, l *lab) {
		d := l.define(Definition{Name: "tidy"})
		token, due := l.hand("tidy", "a"), l.clock()
		expect(t, "first", l.begin("a", d, due, token, 7), "begun")
		expect(t, "another slot", l.begin("a", d, due.Add(time.Second), token, 8), "running")

		const insert = `INSERT INTO coterie.run (job, due_at, token, nonce, node, started_at, outcome) VALUES ('tidy', $1, 99, 9, 'b', $2, 'running')`
		_, err := l.nodes["b"].Exec(insert, due.Add(time.Second), due.Add(time.Second))
		expect(t, "an agent writes the table", state(t, err), "42501")
		_, err = l.db.Exec(insert, due.Add(time.Second), due.Add(time.Second))
		expect(t, "the owner opens a second run", state(t, err), "23505")
		_, err = l.db.Exec(insert, due, due)
		expect(t, "the owner repeats a slot", state(t, err), "23505")
		expect(t, "rows", l.rows("tidy"), "running on a\n")
	})
}

func TestOfManyAtOnceOneBeginsARun(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, l *lab) {
		d := l.define(Definition{Name: "tidy"})
		token, due := l.hand("tidy", "a"), l.clock()
		var wg sync.WaitGroup
		var mu sync.Mutex
		got := map[string]int{}
		for i := range 16 {
			wg.Go(func() {
				answer := l.begin("a", d, due.Add(time.Duration(i%4)*time.Millisecond), token, int64(i+1))
				mu.Lock()
				defer mu.Unlock()
				got[answer]++
			})
		}
		wg.Wait()
		if got["begun"] != 1 || got["begun"]+got["running"]+got["accounted"]+got["23505"] != 16 {
			t.Errorf("got %v", got)
		}
	})
}

func TestOnlyTheHoldersOwnLoginActsUnderItsToken(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, l *lab) {
		d := l.define(Definition{Name: "tidy"})
		token, due := l.hand("tidy", "a"), l.clock()
		expect(t, "another token", l.begin("a", d, due, token+1, 7), "CT001")
		expect(t, "another node's login", l.begin("b", d, due, token, 7), "CT001")
		for name, query := range map[string]string{
			"account":  `SELECT coterie.run_account('tidy', $1, 'missed', '{2026-01-01}', '{no}', NULL)`,
			"operator": `SELECT coterie.run_begin('tidy', '2026-01-01', $1, 1, 1, NULL, '')`,
		} {
			_, err := l.nodes["b"].Exec(query, int64(token))
			expect(t, name, state(t, err), "CT001")
		}
		_, err := l.db.Operator().Exec(`SELECT coterie.run_begin('tidy', '2026-01-01', $1, 1, 1, NULL, '')`, int64(token))
		expect(t, "an operator", state(t, err), "42501")
		l.exec(`UPDATE coterie.cluster SET timeline = timeline - 1, proved_by = NULL`)
		expect(t, "after a promotion, before the new era", l.begin("a", d, due, token, 7), "CT001")
		l.exec(`UPDATE coterie.cluster SET timeline = timeline + 1`)
		l.exec(`UPDATE coterie.session SET expires_at = coterie.clock() - interval '1s' WHERE node = 'a'`)
		expect(t, "after the session expired", l.begin("a", d, due, token, 7), "CT001")
		expect(t, "rows", l.rows("tidy"), "")
	})
}

func TestARunOfAFormerHolderIsClosedAsLost(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, l *lab) {
		d := l.define(Definition{Name: "tidy"})
		old, due := l.hand("tidy", "a"), l.clock()
		expect(t, "a begins", l.begin("a", d, due, old, 7), "begun")
		token := l.hand("tidy", "b")
		expect(t, "a begins another", l.begin("a", d, due.Add(time.Second), old, 8), "CT001")
		expect(t, "b begins the same slot", l.begin("b", d, due, token, 9), "accounted")
		expect(t, "rows", l.rows("tidy"), "lost on a\n")
		expect(t, "a ends its run", l.end("a", "tidy", due, old, 7, Succeeded), "lost")
		expect(t, "b begins the next", l.begin("b", d, due.Add(time.Second), token, 10), "begun")
		expect(t, "b's nonce does not end a's", l.end("b", "tidy", due, token, 10, Failed), "none")
		if n := get[int](l, l.db.Pool, `SELECT count(*) FROM coterie.event WHERE kind = 'run.lost' AND subject = 'job/tidy' AND token = $1 AND peer = 'a' AND node = 'b'`, int64(old)); n != 1 {
			t.Errorf("the ledger has %d lost runs, want 1", n)
		}
	})
}

func TestAFormerHolderMayTellTheEndUntilItsRunWasClosed(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, l *lab) {
		d := l.define(Definition{Name: "tidy"})
		old, due := l.hand("tidy", "a"), l.clock()
		expect(t, "a begins", l.begin("a", d, due, old, 7), "begun")
		token := l.hand("tidy", "b")
		expect(t, "somebody guesses", l.end("b", "tidy", due, old, 8, Succeeded), "none")
		expect(t, "a ends its run", l.end("a", "tidy", due, old, 7, Succeeded), "succeeded")
		expect(t, "b begins the next", l.begin("b", d, due.Add(time.Second), token, 9), "begun")
		expect(t, "rows", l.rows("tidy"), "succeeded on a\nrunning on b\n")
	})
}

func TestResumingTellsWhereTheFormerHolderStopped(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a", "b")
	d := l.define(Definition{Name: "tidy"})
	old, due := l.hand("tidy", "a"), l.clock()
	r := &Runner{DB: l.nodes["a"].DB}
	if at, err := r.callResume(t.Context(), "tidy", old); err != nil || at.Accounted.Valid || at.From.Valid {
		t.Errorf("the first holder resumes at %+v, %v", at, err)
	}
	expect(t, "a begins", l.begin("a", d, due, old, 7), "begun")
	token := l.hand("tidy", "b")
	r.DB = l.nodes["b"].DB
	at, err := r.callResume(t.Context(), "tidy", token)
	if err != nil || !at.Accounted.Time.Equal(due) || at.From.String != "a" || at.By.String != "crash" {
		t.Errorf("got %+v, %v", at, err)
	}
	expect(t, "rows", l.rows("tidy"), "lost on a\n")
	if _, err := r.callResume(t.Context(), "tidy", old); err == nil {
		t.Error("an old token resumes")
	}
}

func TestASlotIsNotBegunWhenItIsNotOwed(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, l *lab) {
		d := l.define(Definition{Name: "tidy", Schedule: "@every 1000h"}) // none falls due meanwhile
		token, due := l.hand("tidy", "a"), l.clock()
		expect(t, "tomorrow's", l.begin("a", d, due.Add(24*time.Hour), token, 7), "early")
		expect(t, "of before the definition", l.begin("a", d, d.Since.Add(-time.Second), token, 7), "accounted")
		other := d
		other.Generation++
		expect(t, "of another definition", l.begin("a", other, due, token, 7), "changed")
		d.Disabled = true
		d = l.define(d)
		expect(t, "of a disabled job", l.begin("a", d, due, token, 7), "changed")
		expect(t, "rows", l.rows("tidy"), "")
	})
}

func TestTheLeaseStaysWhileARunIsBeingBegun(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a")
	d := l.define(Definition{Name: "tidy"})
	token := l.hand("tidy", "a")
	for _, query := range []string{
		`SELECT coterie.run_begin('tidy', $1, $2, 7, $3, NULL, '')`,
		`SELECT coterie.run_begin_all('{tidy}', ARRAY[$1::timestamptz], ARRAY[$2::bigint], '{7}', ARRAY[$3::bigint], '{NULL}', '{""}')`,
	} {
		tx := l.nodes["a"].MustBegin()
		if _, err := tx.Exec(query, l.clock(), int64(token), d.Generation); err != nil {
			t.Fatal(err)
		}
		if n := get[int](l, l.db.Pool, `SELECT count(*) FROM (SELECT FROM coterie.lease WHERE name = 'job/tidy' FOR UPDATE SKIP LOCKED) AS free`); n != 0 {
			t.Errorf("the lease could have been taken before the run was there: %s", query)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSlotsAreAccountedForOnceAndInOrder(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a")
	d := l.define(Definition{Name: "tidy"})
	l.exec(`UPDATE coterie.job SET since = coterie.clock() - interval '1h', first_due_at = NULL`)
	token, now := l.hand("tidy", "a"), l.clock()
	r := &Runner{DB: l.nodes["a"].DB}
	account := func(o Outcome, ago ...int) error {
		a := Account{Outcome: o}
		for _, n := range ago {
			a.Slots = append(a.Slots, Verdict{now.Add(-time.Duration(n) * time.Second), fmt.Sprintf("%d ago", n)})
		}
		return r.callAccount(t.Context(), "tidy", token, a)
	}
	for i, slots := range [][]int{{50, 40}, {50, 40}, {60, 30}, {-3600, 20}} {
		if err := account(Missed, slots...); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	expect(t, "rows", l.rows("tidy"), "missed\nmissed\nmissed\nmissed\n")
	expect(t, "as running", state(t, account(Running, 10)), "CT021")
	expect(t, "begin one that was passed over", l.begin("a", d, now.Add(-35*time.Second), token, 6), "accounted")
	expect(t, "begin an accounted slot", l.begin("a", d, now.Add(-30*time.Second), token, 7), "accounted")
	_, err := l.nodes["a"].Exec(`SELECT coterie.run_account('tidy', $1, 'missed', ARRAY[coterie.clock()], '{NULL}', NULL)`, int64(token))
	expect(t, "without a reason", state(t, err), "23514")
}

func TestTheRunTableRefusesWhatCannotBeTrue(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for name, values := range map[string]string{
		"open and finished":                   `'running', 1, 'a', $1, $1, NULL, NULL, NULL`,
		"finished without an end":             `'succeeded', 1, 'a', $1, NULL, NULL, NULL, NULL`,
		"ran nowhere":                         `'succeeded', 1, NULL, $1, $1, NULL, NULL, NULL`,
		"ran without a nonce":                 `'succeeded', NULL, 'a', $1, $1, NULL, NULL, NULL`,
		"skipped but started":                 `'skipped', NULL, NULL, $1, $1, NULL, 'why', NULL`,
		"ended before it started":             `'succeeded', 1, 'a', $1::timestamptz + interval '2s', $1, NULL, NULL, NULL`,
		"started before it was due":           `'succeeded', 1, 'a', $1::timestamptz - interval '1s', $1, NULL, NULL, NULL`,
		"succeeded with exit code 1":          `'succeeded', 1, 'a', $1, $1, 1, NULL, NULL`,
		"lost with an exit code":              `'lost', 1, 'a', $1, $1, 0, 'why', NULL`,
		"missed without a reason":             `'missed', NULL, NULL, NULL, $1, NULL, NULL, NULL`,
		"lost without a reason":               `'lost', 1, 'a', $1, $1, NULL, NULL, NULL`,
		"a tail that is too long":             `'failed', 1, 'a', $1, $1, 1, NULL, repeat('x', 8193)`,
		"a tail that rings the bell":          `'failed', 1, 'a', $1, $1, 1, NULL, e'\x07'`,
		"a tail that moves the cursor":        `'failed', 1, 'a', $1, $1, 1, NULL, e'\x1b[2J'`,
		"a reason that breaks a list of rows": `'failed', 1, 'a', $1, $1, 1, e'one\ntwo', NULL`,
	} {
		_, err := l.db.Exec(`INSERT INTO coterie.run (job, due_at, token, outcome, nonce, node, started_at, finished_at, exit_code, reason, log_tail)
			VALUES ('tidy', $1, 1, `+values+`)`, time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC))
		expect(t, name, state(t, err), "23514")
	}
}

func TestARunThatWasAskedForWaitsUntilItIsBegun(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, l *lab) {
		d := l.define(Definition{Name: "tidy"})
		operator := l.db.Operator().DB
		due, err := Request(t.Context(), operator, Asking{Job: "tidy", By: "ann", Reason: "disk is\nfull"})
		if err != nil {
			t.Fatal(err)
		}
		again, err := Request(t.Context(), operator, Asking{Job: "tidy", By: "bob", Reason: ""})
		if err != nil || !again.Equal(due) {
			t.Errorf("asking again gives %v, %v, want %v", again, err, due)
		}
		if due.Nanosecond()%1e6 == 0 {
			t.Errorf("%v could be a slot", due)
		}
		token := l.hand("tidy", "a")
		expect(t, "a slot that is due before", l.begin("a", d, due.Truncate(time.Millisecond), token, 6), "begun")
		l.end("a", "tidy", due.Truncate(time.Millisecond), token, 6, Succeeded)
		expect(t, "begin", l.begin("a", d, due, token, 7), "begun")
		var row struct {
			Requested_by, Reason string
		}
		if err := l.db.Get(&row, `SELECT requested_by, reason FROM coterie.runs WHERE job = 'tidy' AND due_at = $1`, due); err != nil {
			t.Fatal(err)
		}
		expect(t, "who", row.Requested_by, "ann")
		expect(t, "why", row.Reason, "disk is full")
		l.end("a", "tidy", due, token, 7, Succeeded)
		expect(t, "begin it once more", l.begin("a", d, due, token, 8), "accounted")
		if at := get[time.Time](l, l.db.Pool, `SELECT coterie.run_accounted('tidy')`); !at.Equal(due.Truncate(time.Millisecond)) {
			t.Errorf("a run that was asked for accounts for slots: %v", at)
		}

		if _, err := Request(t.Context(), operator, Asking{Job: "tody", By: "ann", Reason: ""}); !errors.Is(err, ErrNoJob) {
			t.Errorf("got %v, want ErrNoJob", err)
		}
		d.Disabled = true
		l.define(d)
		if _, err := Request(t.Context(), operator, Asking{Job: "tidy", By: "ann", Reason: ""}); !errors.Is(err, ErrDisabled) {
			t.Errorf("got %v, want ErrDisabled", err)
		}
		_, err = Request(t.Context(), l.nodes["a"].DB, Asking{Job: "tidy", By: "a", Reason: ""})
		expect(t, "an agent asks", state(t, err), "42501")
	})
}

func TestDefinitionsAreAppliedAsOneChange(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a")
	operator := l.db.Operator().DB
	one := Definition{Name: "one", Schedule: "@every 15m", Action: "ok"}
	two := Definition{Name: "two", Schedule: "30  2 * * *", TimeZone: "Europe/Paris", Action: "ok", Timeout: 90 * time.Second, Misfire: MisfireAll}
	l.apply(one, two)
	first := l.current()
	if diff := Diff(first, []Definition{one, two}); len(diff) > 0 {
		t.Errorf("applied, and yet:\n%s", diff)
	}

	// What was applied before its answer was lost is not applied twice.
	changes := Diff(nil, []Definition{one, two})
	if _, err := Apply(t.Context(), operator, changes, ""); err != nil {
		t.Errorf("applying twice: %v", err)
	}
	if diff := cmp.Diff(first, l.current()); diff != "" {
		t.Errorf("applying twice changed (-before +after):\n%s", diff)
	}

	three := one
	three.Timeout = time.Minute
	two.Schedule = "0 3 * * *"
	changes = Diff(first, []Definition{three, two})
	l.apply(three, two)
	third := three
	third.Timeout = time.Hour
	if _, err := Apply(t.Context(), operator, Diff(first, []Definition{third}), ""); !errors.Is(err, ErrChangedMeanwhile) {
		t.Errorf("a change on top of what is no more: got %v, want ErrChangedMeanwhile", err)
	}
	now := l.current()
	if len(now) != 2 {
		t.Fatalf("a refused change took effect: %v", now)
	}
	if !now[0].Since.Equal(first[0].Since) || !now[1].Since.After(first[1].Since) {
		t.Errorf("slots are owed since %v and %v, before since %v and %v", now[0].Since, now[1].Since, first[0].Since, first[1].Since)
	}
	if now[0].Generation != now[1].Generation || now[0].Generation <= first[0].Generation {
		t.Errorf("generations %d and %d follow %d", now[0].Generation, now[1].Generation, first[0].Generation)
	}
	want := "~ one: timeout none -> 1m0s\n~ two: schedule \"30 2 * * *\" -> \"0 3 * * *\"\n"
	expect(t, "changes", changes.String(), want)
}

func TestALeaseFollowsItsJob(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a")
	class := func() string {
		return get[string](l, l.db.Pool, `SELECT coalesce((SELECT coalesce(class, 'none') FROM coterie.lease WHERE name = 'job/tidy'), 'no lease')`)
	}
	d := l.define(Definition{Name: "tidy"})
	expect(t, "a new job", class(), "action/ok")
	d.Action = "other"
	d = l.define(d)
	expect(t, "another action", class(), "action/other")
	d.Disabled = true
	d = l.define(d)
	expect(t, "disabled", class(), "none")
	d.Disabled = false
	l.define(d)
	expect(t, "enabled", class(), "action/other")
	l.hand("tidy", "a")
	l.apply()
	expect(t, "removed while it is held", class(), "none")
	l.exec(`UPDATE coterie.lease SET node = NULL, incarnation = NULL, acquired_at = NULL`)
	l.apply(Definition{Name: "next", Schedule: "@daily", Action: "ok"})
	expect(t, "removed and free", class(), "no lease")
	if n := get[int](l, l.db.Pool, `SELECT count(*) FROM coterie.event WHERE kind IN ('job.created', 'job.changed', 'job.removed') AND actor = 'operator' AND reason = 'test'`); n != 6 {
		t.Errorf("the ledger has %d changes by the operator, want 6", n)
	}
}

// An application asserts a job's lease and sits in its transaction. What does not
// touch the lease goes through; what does is given up soon, and changes nothing.
func TestAnAssertedLeaseKeepsNoOperatorWaiting(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a")
	d := l.define(Definition{Name: "tidy"})
	token := l.hand("tidy", "a")
	tx, err := l.nodes["a"].Beginx()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(`SELECT coterie.assert_lease('job/tidy', $1)`, int64(token)); err != nil {
		t.Fatal(err)
	}
	// What leaves the lease as it is waits for nobody: it would be refused, as below.
	d.Timeout = time.Minute
	l.apply(d)
	l.apply(d, Definition{Name: "other", Schedule: "@daily", Action: "ok"})
	before, begun := l.current(), time.Now()
	d.Disabled = true
	_, err = Apply(t.Context(), l.db.Operator().DB, Diff(before, []Definition{d}), "test")
	expect(t, "another class for the lease", state(t, err), "55P03")
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("the operator waited %v", took)
	}
	if diff := cmp.Diff(before, l.current(), cmp.AllowUnexported(Definition{})); diff != "" {
		t.Errorf("half of it was done:\n%s", diff)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if _, err := Apply(t.Context(), l.db.Operator().DB, Diff(before, []Definition{d}), "test"); err != nil {
		t.Error(err)
	}
}

func TestTheJobsViewTellsWhatPeopleAsk(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a")
	type row struct {
		Runner                   *string
		Next_due_at, Last_due_at *time.Time
		Last_outcome             *string
		Failures_in_row          int
		Overdue                  bool
		Message                  string
	}
	look := func() (r row) {
		t.Helper()
		if err := l.db.Get(&r, `SELECT runner, next_due_at, last_due_at, last_outcome, failures_in_row, overdue, message FROM coterie.jobs`); err != nil {
			t.Fatal(err)
		}
		return r
	}
	d := l.define(Definition{Name: "tidy", Schedule: "@every 1h"})
	s := mustParse(t, "@every 1h", "")
	if r := look(); r.Next_due_at == nil || !r.Next_due_at.Equal(s.Next(d.Since)) || r.Message != "no node holds it at the moment" || r.Runner != nil {
		t.Errorf("new: %+v", r)
	}
	l.exec(`UPDATE coterie.job SET since = since - interval '10h', first_due_at = first_due_at - interval '10h'`)
	token := l.hand("tidy", "a")
	if r := look(); !r.Overdue || *r.Runner != "a" || r.Message != "" {
		t.Errorf("ten hours later: %+v", r)
	}
	due := s.Next(l.clock()).Add(-3 * time.Hour)
	for i, outcome := range []Outcome{Succeeded, Failed, TimedOut} {
		due := due.Add(time.Duration(i) * time.Hour)
		expect(t, "begin", l.begin("a", d, due, token, int64(i+1)), "begun")
		if r := look(); !strings.HasPrefix(r.Message, "running on a since 2") || !r.Last_due_at.Equal(due) {
			t.Errorf("running: %+v", r)
		}
		l.end("a", "tidy", due, token, int64(i+1), outcome)
	}
	if r := look(); r.Failures_in_row != 2 || r.Message != "timed_out: because" || *r.Last_outcome != "timed_out" || r.Overdue || !r.Next_due_at.Equal(due.Add(3*time.Hour)) {
		t.Errorf("after two failures: %+v", r)
	}
	d.Action = "unheard-of"
	l.define(d)
	l.exec(`UPDATE coterie.lease SET node = NULL, incarnation = NULL, acquired_at = NULL`)
	expect(t, "message", look().Message, "no ready node has the action unheard-of")
	d.Disabled = true
	l.define(d)
	if r := look(); r.Message != "disabled by operator" || r.Next_due_at != nil {
		t.Errorf("disabled: %+v", r)
	}
}

func TestTheConstantsAreThoseOfTheDatabase(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for kind, want := range map[string]string{
		"run_outcome": fmt.Sprint([]Outcome{Running, Succeeded, Failed, TimedOut, Skipped, Missed, Lost, Cancelled}),
		"run_answer":  fmt.Sprint([]Answer{AnswerBegun, AnswerRunning, AnswerAccounted, AnswerChanged, AnswerEarly, answerLost, AnswerFull}),
	} {
		got := get[string](l, l.db.Pool, `SELECT '[' || string_agg(enumlabel, ' ' ORDER BY enumsortorder) || ']' FROM pg_enum WHERE enumtypid = ('coterie.' || $1)::regtype`, kind)
		expect(t, kind, got, want)
	}
}

// A batch with a call that the database cannot take does the others.
func TestAPoisonedBatchHarmsOnlyItsOwn(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a")
	l.apply(Definition{Name: "one", Schedule: "@every 1s", Action: "ok"}, Definition{Name: "two", Schedule: "@every 1s", Action: "ok"})
	due, generation := l.clock(), l.current()[0].Generation
	r := &Runner{DB: l.nodes["a"].DB}
	r.prepare()
	begin := func(job string, nonce int64, due time.Time) beginning {
		return beginning{opened: opened{job: job, due: due, token: l.hand(job, "a"), nonce: nonce}, generation: generation}
	}
	good, bad := begin("one", 7, due), begin("two", 8, due)
	bad.due = time.Date(300000, 1, 1, 0, 0, 0, 0, time.UTC) // beyond what a timestamp holds
	batch := []*ticket[beginning, Answer]{{in: bad}, {in: good}}
	r.begins.answer(t.Context(), batch)
	if batch[0].err == nil || batch[1].err != nil || batch[1].out != AnswerBegun {
		t.Errorf("the bad one: %v, %v; the good one: %v, %v", batch[0].out, batch[0].err, batch[1].out, batch[1].err)
	}
}

// Each invariant of runs, broken on purpose by who may write the tables.
func TestBrokenInvariantsOfRunsAreSeen(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a", "b")
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	run := func(due, from, to int, node string, token int) {
		l.exec(`INSERT INTO coterie.run (job, due_at, token, nonce, node, started_at, finished_at, outcome)
			VALUES ('tidy', $1, $2, 1, $3, $4, $5, 'succeeded')`, at.Add(time.Duration(due)*time.Second), token, node,
			at.Add(time.Duration(from)*time.Second), at.Add(time.Duration(to)*time.Second))
	}
	broken := func() string {
		t.Helper()
		var list []string
		if err := l.db.Select(&list, `SELECT invariant || ' on ' || node FROM coterie.violations ORDER BY 1`); err != nil {
			t.Fatal(err)
		}
		return strings.Join(list, ", ")
	}
	l.exec(`INSERT INTO coterie.event (node, kind, subject, token) VALUES ('a', 'lease.claimed', 'job/tidy', 1), ('b', 'lease.claimed', 'job/tidy', 2)`)
	run(0, 0, 5, "a", 1)
	run(5, 5, 9, "b", 2)
	expect(t, "as it should be", broken(), "")
	run(8, 8, 12, "b", 2)
	expect(t, "an overlap", broken(), "two runs at once on b")
	run(20, 20, 21, "a", 1)
	expect(t, "an old token", broken(), "run under an old token on a, two runs at once on b")
	run(30, 30, 31, "a", 2)
	expect(t, "another's token", broken(), "run under an old token on a, run without the lease on a, two runs at once on b")
}

// Where a job would rather be is said to its lease, which is what nodes go by.
func TestALeaseWishesWhatItsJobDoes(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a")
	d := Definition{Name: "report", Schedule: "@every 1h", TimeZone: "UTC", Action: "ok"}
	for _, c := range []struct {
		prefers     []string
		apart, want string
	}{
		{[]string{"dc:paris"}, "reports", "{dc:paris} reports"},
		{nil, "reports", "{} reports"},
		{nil, "", "{}"},
	} {
		d.Prefers, d.Apart = c.prefers, c.apart
		l.apply(d)
		var got string
		if err := l.db.Get(&got, `SELECT concat_ws(' ', likes::text, apart) FROM coterie.leases WHERE name = 'job/report'`); err != nil {
			t.Fatal(err)
		}
		if got != c.want {
			t.Errorf("the lease wishes %q, want %q", got, c.want)
		}
	}
}
