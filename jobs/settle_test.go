package jobs

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// unattended is a job of each second that nobody holds, due since so many seconds.
func unattended(t *testing.T, seconds int) (*lab, Definition) {
	t.Helper()
	l := newLab(t, "a")
	l.define(Definition{Name: "tidy"})
	l.exec(`UPDATE coterie.job SET since = date_trunc('second', coterie.clock()) - $1 * interval '1s'`, seconds)
	return l, l.current()[0]
}

func (l *lab) change(c Change) {
	l.Helper()
	if _, err := Apply(l.Context(), l.db.Operator().DB, Changes{c}, "trial"); err != nil {
		l.Fatal(err)
	}
}

func TestSlotsThatNobodyRanGetTheirRowsWhenTheirJobRests(t *testing.T) {
	for how, change := range map[string]func(d Definition) *Definition{
		"switched off": func(d Definition) *Definition { d.Disabled = true; return &d },
		"changed":      func(d Definition) *Definition { d.Schedule = "@every 2h"; return &d },
		"removed":      func(Definition) *Definition { return nil },
	} {
		l, d := unattended(t, 5)
		// The first of them was run, the second and third fell due meanwhile.
		token := l.hand("tidy", "a")
		expect(t, "begin", l.begin("a", d, d.Since, token, 1), "begun")
		l.exec(`UPDATE coterie.run SET started_at = due_at, finished_at = due_at + interval '2.5s', outcome = 'succeeded'`)
		l.change(Change{Old: &d, New: change(d)})

		rows := strings.Split(strings.TrimSpace(get[string](l, l.db.Pool,
			`SELECT string_agg(extract(epoch FROM due_at - $1)::int || ' ' || outcome || ': ' || coalesce(reason, ''), E'\n' ORDER BY due_at) FROM coterie.run`, d.Since)), "\n")
		if len(rows) < 6 {
			t.Fatalf("%s: %d rows:\n%s", how, len(rows), strings.Join(rows, "\n"))
		}
		for i, row := range rows {
			want := fmt.Sprintf("%d missed: no node had begun it when operator %s the job", i, how)
			switch i {
			case 0:
				want = "0 succeeded: "
			case 1, 2:
				want = fmt.Sprintf("%d skipped: due while the run of ", i)
			}
			if !strings.HasPrefix(row, want) {
				t.Errorf("%s: got %q, want %q", how, row, want)
			}
		}
	}
}

func TestSlotsOfAPauseAreSkippedWhenTheirJobRests(t *testing.T) {
	l, d := unattended(t, 3)
	l.exec(`UPDATE coterie.job SET paused_at = since, paused_by = 'kim', paused_reason = 'the printer is away'`)
	off := d
	off.Disabled = true
	l.change(Change{Old: &d, New: &off})
	if told := get[string](l, l.db.Pool, `SELECT string_agg(DISTINCT outcome || ': ' || reason, ', ') FROM coterie.run`); told != "skipped: kim paused it (the printer is away)" {
		t.Errorf("got %s", told)
	}
}

func TestWhatRestsAlreadyOwesNothing(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a")
	l.define(Definition{Name: "tidy", Disabled: true})
	l.exec(`UPDATE coterie.job SET since = coterie.clock() - interval '1h'`)
	d := l.current()[0]
	on := d
	on.Disabled = false
	l.change(Change{Old: &d, New: &on})
	if n := get[int](l, l.db.Pool, `SELECT count(*) FROM coterie.run`); n != 0 {
		t.Errorf("%d rows", n)
	}
}

func TestOfAMonthThatNobodyRanTheOldestRowStandsForTheRest(t *testing.T) {
	l, d := unattended(t, 30*24*3600)
	off := d
	off.Disabled = true
	begun := time.Now()
	l.change(Change{Old: &d, New: &off})
	t.Logf("took %v", time.Since(begun))
	if n := get[int](l, l.db.Pool, `SELECT count(*) FROM coterie.run WHERE outcome = 'missed'`); n < 900 || n > 1000 {
		t.Errorf("%d rows", n)
	}
	if told := get[string](l, l.db.Pool, `SELECT reason FROM coterie.run ORDER BY due_at LIMIT 1`); !strings.Contains(told, "this row stands also for 2591") {
		t.Errorf("the oldest row says %s", told)
	}
}
