package jobs

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// told writes moves as lines.
func told(moves []Move) string {
	clock := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.UTC().Format("15:04:05.999")
	}
	var b strings.Builder
	for _, a := range moves {
		switch a := a.(type) {
		case Begin:
			kind := "begin"
			if a.Asked {
				kind = "begin asked"
			}
			fmt.Fprintf(&b, "%s %s", kind, clock(a.Due))
			if a.Reason != "" {
				fmt.Fprintf(&b, " (%s)", a.Reason)
			}
			b.WriteByte('\n')
		case Account:
			for i, v := range a.Slots {
				if len(a.Slots) > 5 && i == 1 {
					fmt.Fprintf(&b, "... %d more\n", len(a.Slots)-2)
				}
				if len(a.Slots) <= 5 || i == 0 || i == len(a.Slots)-1 {
					fmt.Fprintf(&b, "%s %s (%s)\n", a.Outcome, clock(v.Due), v.Reason)
				}
			}
		case Wait:
			fmt.Fprintf(&b, "wait %s\n", clock(a.Until))
		case Reread:
			b.WriteString("reread\n")
		case Leave:
			b.WriteString("leave\n")
		}
	}
	return b.String()
}

func TestStep(t *testing.T) {
	day := func(clock string) time.Time { return at(t, "2026-11-21 "+clock) }
	type step struct {
		event Event
		want  string
	}
	took := Vacancy{From: "a", Freed: day("10:00:02"), By: "crash", To: "b", Taken: day("10:00:21")}
	for _, c := range []struct {
		name  string
		state State
		steps []step
	}{
		{"a slot is begun a moment before it is due", State{Accounted: day("10:00:00")}, []step{
			{Woke{day("10:00:01")}, "wait 10:00:04.975\n"},
			{Woke{day("10:00:04.975")}, "begin 10:00:05\n"},
			{Began{day("10:00:04.977"), day("10:00:05")}, "wait 10:00:10\n"},
			{Ended{Now: day("10:00:06")}, "wait 10:00:09.975\n"},
			{Woke{day("10:00:09.990")}, "begin 10:00:10\n"},
		}},
		{"slots that fall due during a run are skipped, and recorded now and then", State{Accounted: day("10:00:00")}, []step{
			{Woke{day("10:00:05")}, "begin 10:00:05\n"},
			{Began{day("10:00:05"), day("10:00:05")}, "wait 10:00:10\n"},
			{Woke{day("10:00:10.001")}, "skipped 10:00:10 (due while the run of 2026-11-21T10:00:05Z was open)\nwait 10:00:20.001\n"},
			{Woke{day("10:00:20.001")}, "skipped 10:00:15 (due while the run of 2026-11-21T10:00:05Z was open)\n" +
				"skipped 10:00:20 (due while the run of 2026-11-21T10:00:05Z was open)\nwait 10:00:30.001\n"},
			{Ended{Now: day("10:00:25.5")}, "skipped 10:00:25 (due while the run of 2026-11-21T10:00:05Z was open)\nwait 10:00:29.975\n"},
		}},
		{"after an outage misfire once runs the latest slot", State{Accounted: day("10:00:00"), Vacancy: took}, []step{
			{Woke{day("10:00:21.1")}, "missed 10:00:05 (no node held the lease from 2026-11-21T10:00:02Z (a: crash) until b took it at 2026-11-21T10:00:21Z; misfire once runs only the latest slot)\n" +
				"missed 10:00:10 (no node held the lease from 2026-11-21T10:00:02Z (a: crash) until b took it at 2026-11-21T10:00:21Z; misfire once runs only the latest slot)\n" +
				"missed 10:00:15 (no node held the lease from 2026-11-21T10:00:02Z (a: crash) until b took it at 2026-11-21T10:00:21Z; misfire once runs only the latest slot)\n" +
				"begin 10:00:20 (1.1s late: no node held the lease from 2026-11-21T10:00:02Z (a: crash) until b took it at 2026-11-21T10:00:21Z; it stands for 3 missed before it)\n"},
		}},
		{"a holder that was cut off and comes back says so", State{Accounted: day("10:00:00"), Vacancy: Vacancy{From: "b", By: "crash", To: "b", Taken: day("10:00:11")}}, []step{
			{Woke{day("10:00:11.1")}, "missed 10:00:05 (b could not trust its session until it took the lease anew at 2026-11-21T10:00:11Z; misfire once runs only the latest slot)\n" +
				"begin 10:00:10 (1.1s late: b could not trust its session until it took the lease anew at 2026-11-21T10:00:11Z; it stands for 1 missed before it)\n"},
		}},
		{"misfire skip runs no slot that is long over", State{Accounted: day("10:00:00"), Rules: Rules{Misfire: MisfireSkip}, Schedule: new(mustParse(t, "@every 30s", "")), Vacancy: took}, []step{
			{Woke{day("10:00:41")}, "missed 10:00:30 (b held the lease and could not begin it in time; misfire skip runs no slot late)\nwait 10:00:59.975\n"},
		}},
		{"misfire skip runs a slot that is hardly late", State{Accounted: day("10:00:00"), Rules: Rules{Misfire: MisfireSkip}, Vacancy: took}, []step{
			{Woke{day("10:00:05.5")}, "begin 10:00:05\n"},
		}},
		{"misfire all makes up for slots in order, and skips those due meanwhile afterwards", State{Accounted: day("10:00:00"), Rules: Rules{Misfire: MisfireAll}, Vacancy: took}, []step{
			{Woke{day("10:00:11")}, "begin 10:00:05 (6s late: no node held the lease from 2026-11-21T10:00:02Z (a: crash) until b took it at 2026-11-21T10:00:21Z)\n"},
			{Began{day("10:00:11"), day("10:00:05")}, "wait -\n"},
			{Ended{Now: day("10:00:16")}, "begin 10:00:10 (6s late: no node held the lease from 2026-11-21T10:00:02Z (a: crash) until b took it at 2026-11-21T10:00:21Z)\n"},
			{Began{day("10:00:16"), day("10:00:10")}, "skipped 10:00:15 (due while the run of 2026-11-21T10:00:10Z was open)\nwait 10:00:26\n"},
			{Ended{Now: day("10:00:21")}, "skipped 10:00:20 (due while the run of 2026-11-21T10:00:10Z was open)\nwait 10:00:24.975\n"},
		}},
		{"misfire all stops at a hundred", State{Accounted: day("10:00:00"), Rules: Rules{Misfire: MisfireAll}, Schedule: new(mustParse(t, "@every 1s", "")), Vacancy: Vacancy{To: "b", Taken: day("11:00:00")}}, []step{
			{Woke{day("10:03:00.5")}, "missed 10:00:01 (no node held the lease until b took it at 2026-11-21T11:00:00Z; misfire all makes up for the latest 100 slots)\n... 78 more\n" +
				"missed 10:01:20 (no node held the lease until b took it at 2026-11-21T11:00:00Z; misfire all makes up for the latest 100 slots)\n" +
				"begin 10:01:21 (1m39.5s late: no node held the lease until b took it at 2026-11-21T11:00:00Z; it stands for 80 missed before it)\n"},
		}},
		{"a year of seconds makes a thousand rows", State{Accounted: at(t, "2025-11-21 10:00"), Schedule: new(mustParse(t, "@every 1s", "")), Vacancy: Vacancy{To: "b", Taken: day("10:00:00")}}, []step{
			{Woke{day("10:00:00.5")}, "missed 09:43:21 (no node held the lease until b took it at 2026-11-21T10:00:00Z; misfire once runs only the latest slot; this row stands also for 31535000 slots from 2025-11-21T10:00:01Z on)\n... 997 more\n" +
				"missed 09:59:59 (no node held the lease until b took it at 2026-11-21T10:00:00Z; misfire once runs only the latest slot)\n" +
				"begin 10:00:00\n"},
		}},
		{"what somebody asked for runs when no run is open, after what is due", State{Accounted: day("10:00:00"), Asked: day("10:00:03")}, []step{
			{Woke{day("10:00:03")}, "begin asked 10:00:03\n"},
			{Began{day("10:00:03"), day("10:00:03")}, "wait 10:00:05\n"},
			{Ended{Now: day("10:00:12")}, "skipped 10:00:05 (due while the run that was asked for at 2026-11-21T10:00:03Z was open)\n" +
				"skipped 10:00:10 (due while the run that was asked for at 2026-11-21T10:00:03Z was open)\nwait 10:00:14.975\n"},
		}},
		{"a refused slot is not begun again when it has its row", State{Accounted: day("10:00:00")}, []step{
			{Woke{day("10:00:05")}, "begin 10:00:05\n"},
			{Refused{day("10:00:05.1"), day("10:00:05"), AnswerAccounted}, "wait 10:00:09.975\n"},
			{Woke{day("10:00:10")}, "begin 10:00:10\n"},
			{Refused{day("10:00:10"), day("10:00:10"), AnswerChanged}, "reread\n"},
			{Changed{day("10:00:10.1")}, "begin 10:00:10\n"},
			{Refused{day("10:00:10.2"), day("10:00:10"), AnswerRunning}, "wait 10:00:11.2\n"},
		}},
		{"a lease is handed over between runs, with its skipped slots told", State{Accounted: day("10:00:00")}, []step{
			{Woke{day("10:00:05")}, "begin 10:00:05\n"},
			{Began{day("10:00:05"), day("10:00:05")}, "wait 10:00:10\n"},
			{Yielded{day("10:00:06")}, "wait 10:00:10\n"},
			{Ended{Now: day("10:00:11")}, "skipped 10:00:10 (due while the run of 2026-11-21T10:00:05Z was open)\nleave\n"},
		}},
		{"slots before the definition are not owed", State{Since: day("10:00:05"), Accounted: day("09:00:00")}, []step{
			{Woke{day("10:00:11")}, "missed 10:00:05 (b held the lease and could not begin it in time; misfire once runs only the latest slot)\n" +
				"begin 10:00:10 (1s late: b held the lease and could not begin it in time; it stands for 1 missed before it)\n"},
		}},
		{"a resting job begins nothing", State{Resting: true, Accounted: day("10:00:00"), Asked: day("10:00:01")}, []step{
			{Woke{day("10:00:11")}, "wait -\n"},
		}},
	} {
		s := c.state
		s.Job = "tidy"
		if s.Schedule == nil {
			s.Schedule = new(mustParse(t, "@every 5s", ""))
		}
		if s.Rules.Misfire == "" {
			s.Rules.Misfire = MisfireOnce
		}
		if s.Vacancy.To == "" {
			s.Vacancy.To = "b"
		}
		for i, step := range c.steps {
			if diff := cmp.Diff(step.want, told(s.Step(step.event))); diff != "" {
				t.Errorf("%s, step %d (-want +got):\n%s", c.name, i, diff)
			}
		}
	}
}

// world is the database as far as one job can tell: rows by slot.
type world struct {
	t        *rapid.T
	now      time.Time
	since    time.Time
	schedule Schedule
	rows     map[time.Time]Outcome
	stands   int // slots for which a row stands besides its own
	last     time.Time
	open     time.Time
	asked    time.Time
	state    State
	wake     time.Time
	gone     bool // the lease was handed back
	ends     time.Time
	calm     bool // nothing goes wrong any more
}

var standsFor = regexp.MustCompile(`this row stands also for (\d+) slots`)

// do carries out moves as the loop does.
func (w *world) do(moves []Move) {
	for i, a := range moves {
		switch a := a.(type) {
		case Account:
			for _, v := range a.Slots {
				if !v.Due.After(w.last) || v.Due.After(w.now) {
					w.t.Fatalf("%s accounted for at %v, after %v", v.Due, w.now, w.last)
				}
				w.row(v.Due, a.Outcome)
				w.last = v.Due
				if m := standsFor.FindStringSubmatch(v.Reason); m != nil {
					n, _ := strconv.Atoi(m[1])
					w.stands += n
				}
			}
		case Begin:
			if i != len(moves)-1 {
				w.t.Fatalf("%d moves follow a begin", len(moves)-1-i)
			}
			w.begin(a)
		case Wait:
			w.wake = a.Until
			if !a.Until.IsZero() && !a.Until.After(w.now) {
				w.t.Fatalf("at %v it waits until %v", w.now, a.Until)
			}
			if a.Until.IsZero() && w.open.IsZero() && !w.state.Resting {
				w.t.Fatalf("at %v it waits for ever", w.now)
			}
		case Leave:
			w.gone = true
		case Reread:
			w.do(w.state.Step(Changed{w.now}))
		}
	}
}

func (w *world) row(due time.Time, o Outcome) {
	if was, ok := w.rows[due]; ok {
		w.t.Fatalf("%v is %s and then %s", due, was, o)
	}
	w.rows[due] = o
}

func (w *world) begin(a Begin) {
	if !w.open.IsZero() {
		w.t.Fatalf("%v begins while %v is open", a.Due, w.open)
	}
	if a.Due.After(w.now.Add(shortestLead)) {
		w.t.Fatalf("%v begins at %v", a.Due, w.now)
	}
	if !w.calm && rapid.IntRange(0, 9).Draw(w.t, "refuse") == 0 {
		w.do(w.state.Step(Refused{w.now, a.Due, rapid.SampledFrom([]Answer{AnswerRunning, AnswerChanged}).Draw(w.t, "answer")}))
		return
	}
	if a.Asked {
		w.asked = time.Time{}
	} else {
		if !a.Due.After(w.last) {
			w.t.Fatalf("%v begins, but %v is accounted for", a.Due, w.last)
		}
		w.last = a.Due
	}
	w.row(a.Due, Running)
	w.open = a.Due
	w.ends = latest(w.now, a.Due).Add(time.Duration(rapid.IntRange(1, 20000).Draw(w.t, "takes")) * time.Millisecond)
	w.do(w.state.Step(Began{w.now, a.Due}))
}

func (w *world) end(o Outcome) {
	w.rows[w.open] = o
	w.open = time.Time{}
}

// take gives the lease to a new holder.
func (w *world) take(misfire Misfire) {
	if !w.open.IsZero() {
		w.end(Lost)
	}
	w.gone = false
	w.state = State{Job: "j", Schedule: &w.schedule, Rules: Rules{Misfire: misfire}, Since: w.since, Accounted: w.last, Asked: w.asked, Vacancy: Vacancy{To: "n", Taken: w.now}}
	w.do(w.state.Step(Woke{w.now}))
}

func TestEachSlotHasExactlyOneOutcome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
		schedule, err := Parse(rapid.SampledFrom([]string{"@every 100ms", "@every 1s", "@every 7s", "@every 1m", "*/2 * * * *"}).Draw(t, "schedule"), "")
		if err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, now: start, since: start, schedule: schedule, last: start.Add(-1), rows: map[time.Time]Outcome{}}
		misfire := rapid.SampledFrom([]Misfire{MisfireOnce, MisfireSkip, MisfireAll}).Draw(t, "misfire")
		w.take(misfire)
		for range rapid.IntRange(5, 60).Draw(t, "steps") {
			w.advance(rapid.IntRange(0, 5).Draw(t, "what"), misfire)
		}
		// In the end somebody holds the lease and nothing is open.
		w.calm = true
		if w.gone {
			w.take(misfire)
		}
		w.advance(0, misfire)
		for n := 0; n < 400 && (!w.open.IsZero() || !w.wake.After(w.now)); n++ {
			w.advance(0, misfire)
		}
		w.check(start)
	})
}

// advance lets something happen.
func (w *world) advance(what int, misfire Misfire) {
	switch what {
	case 0, 1: // the next thing that is due by itself
		switch {
		case w.gone:
			w.now = w.now.Add(time.Second)
		case !w.open.IsZero() && (w.wake.IsZero() || !w.ends.After(w.wake)):
			w.now = latest(w.now, w.ends)
			w.end(Succeeded)
			w.do(w.state.Step(Ended{Now: w.now}))
		default:
			w.now = latest(w.now, w.wake).Add(time.Duration(rapid.IntRange(0, 3).Draw(w.t, "jitter")) * time.Millisecond)
			w.do(w.state.Step(Woke{w.now}))
		}
	case 2: // the holder dies, and another follows after a while
		w.now = w.now.Add(time.Duration(rapid.IntRange(0, 300000).Draw(w.t, "outage")) * time.Millisecond)
		w.take(misfire)
	case 3:
		if w.asked.IsZero() && !w.gone {
			w.asked = w.now.Add(time.Microsecond)
			for w.rows[w.asked] != "" {
				w.asked = w.asked.Add(time.Microsecond)
			}
			w.state.Asked = w.asked
			w.do(w.state.Step(Changed{w.now}))
		}
	case 4:
		if !w.gone {
			w.do(w.state.Step(Yielded{w.now}))
		}
		if w.gone {
			w.take(misfire)
		}
	case 5:
		if !w.gone && w.open.IsZero() { // the holder is cut off for a while and comes back
			w.now = w.now.Add(time.Duration(rapid.IntRange(0, 120000).Draw(w.t, "cut")) * time.Millisecond)
			w.do(w.state.Step(Woke{w.now}))
		}
	}
}

// check compares the rows with the slots.
func (w *world) check(start time.Time) {
	slots, earlier := w.schedule.Slots(start.Add(-time.Nanosecond), w.last, 1<<20)
	without := earlier
	for _, due := range slots {
		if w.rows[due] == "" {
			without++
		}
	}
	if without != w.stands {
		w.t.Fatalf("%d slots have no row, but rows stand for %d", without, w.stands)
	}
	for due, o := range w.rows {
		if o == Running && !due.Equal(w.open) {
			w.t.Fatalf("%v runs for ever", due)
		}
		if _, found := slices.BinarySearchFunc(slots, due, time.Time.Compare); !found && due.Nanosecond()%1e6 == 0 {
			w.t.Fatalf("%v is no slot", due)
		}
	}
	if next := w.schedule.Next(w.last); w.open.IsZero() && !w.gone && next.Before(w.now) {
		w.t.Fatalf("at %v nothing is accounted for since %v", w.now, w.last)
	}
}
