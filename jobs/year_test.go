package jobs

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"
)

var years = flag.Int("years", 1, "how many years TestAYearOfClusterLife plays of each job")

// fault is what can happen to a job and its cluster.
type fault string

const (
	kill    fault = "kill"    // the holder dies, and another one follows after a while
	outage  fault = "outage"  // and nobody follows for hours
	drain   fault = "drain"   // the holder hands over between runs
	freeze  fault = "freeze"  // the holder does nothing for a while
	refuse  fault = "refuse"  // the database says changed, or running, for a while
	full    fault = "full"    // no more runs may be open for a while
	paused  fault = "paused"  // operators pause the job
	request fault = "request" // somebody asks for a run
	disable fault = "disable" // the job is disabled for a while
	none    fault = "none"
)

var allFaults = []fault{kill, outage, drain, freeze, refuse, full, paused, request, disable, none}

// slotRow is a row of coterie.run.
type slotRow struct {
	due     time.Time
	outcome Outcome
	attempt int
	started time.Time // zero if it never did
	asked   bool
	ended   time.Time
	reason  string
}

type span struct{ from, until time.Time }

// cosmos is a cluster with one job as far as its slots are concerned: the database
// with its rules, the nodes that come and go, and all that can happen. It carries
// out what State says, and fails the test when that breaks a promise.
type cosmos struct {
	testing.TB
	rng    *rand.Rand
	faults []fault
	every  time.Duration // between faults, in the mean

	def       Definition
	timetable Schedule
	now       time.Time
	begun     time.Time
	since     time.Time
	rows      map[int64]*slotRow
	stands    int // slots for which a row stands besides its own
	last      time.Time
	open      *slotRow
	ends      time.Time
	outcome   Outcome // that it will have
	asked     time.Time
	pauses    []Pause
	rests     []span // in which nothing was owed

	state    *State // of the holder; nil when there is none
	yielding bool
	wake     time.Time
	takeAt   time.Time
	faultAt  time.Time
	deaf     span // the database refuses
	answer   Answer
	backAt   time.Time // when a pause, or a rest, is over
	back     func()

	started   []*slotRow // the last few runs
	furthest  *slotRow   // the run of the latest slot
	distorted func([]Move) []Move

	runs, retried int
}

// newCosmos begins some days before summer time does, whose changes all come within
// ten weeks.
func newCosmos(t testing.TB, seed uint64, d Definition, every time.Duration, faults ...fault) *cosmos {
	d.Name, d.Action = "tidy", "ok"
	d = d.withDefaults()
	timetable, err := d.Timetable()
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	c := &cosmos{TB: t, rng: rand.New(rand.NewPCG(seed, 7)), faults: faults, every: every, def: d, timetable: timetable,
		now: start, begun: start, since: start, last: start.Add(-time.Microsecond), rows: map[int64]*slotRow{}, takeAt: start}
	c.faultAt = start.Add(c.about(every))
	return c
}

// about is a random time of that mean.
func (c *cosmos) about(mean time.Duration) time.Duration {
	return time.Duration(c.rng.ExpFloat64() * float64(mean)).Truncate(time.Millisecond)
}

// live lets time pass until an instant.
func (c *cosmos) live(until time.Time) {
	for c.now.Before(until) {
		next := []struct {
			at time.Time
			do func()
		}{{c.faultAt, c.fault}, {c.backAt, c.return_}}
		if c.state == nil {
			next = append(next, struct {
				at time.Time
				do func()
			}{c.takeAt, c.take})
		} else {
			next = append(next, struct {
				at time.Time
				do func()
			}{c.wake, c.woke})
			if c.open != nil {
				next = append(next, struct {
					at time.Time
					do func()
				}{c.ends, c.end})
			}
		}
		c.rng.Shuffle(len(next), func(i, j int) { next[i], next[j] = next[j], next[i] })
		first := -1
		for i, n := range next {
			if !n.at.IsZero() && (first < 0 || n.at.Before(next[first].at)) {
				first = i
			}
		}
		if first < 0 {
			c.Fatalf("at %v nothing will ever happen", c.now)
		}
		c.now = latest(c.now, next[first].at)
		next[first].do()
	}
}

func (c *cosmos) woke() {
	c.wake = time.Time{}
	c.now = c.now.Add(time.Duration(c.rng.IntN(3)) * time.Millisecond)
	c.do(c.state.Step(Woke{c.now}))
}

// take gives the lease to a node.
func (c *cosmos) take() {
	if c.open != nil {
		c.open.outcome, c.open.ended = Lost, c.now
	}
	c.open = nil
	c.yielding = false
	c.state = &State{Job: c.def.Name, Accounted: c.last, Vacancy: Vacancy{To: "n", Taken: c.now}}
	if ran := c.furthest; ran != nil {
		c.state.Left = &Left{Due: ran.due, Attempt: ran.attempt, Outcome: ran.outcome, Finished: ran.ended, Asked: ran.asked}
	}
	c.adopt()
}

// adopt shows the holder the definition.
func (c *cosmos) adopt() {
	if c.state == nil {
		return
	}
	c.state.Schedule, c.state.Rules, c.state.Since, c.state.Asked = &c.timetable, c.def.rules(), c.since, c.asked
	c.state.Resting, c.state.Pauses = c.def.Disabled, slices.Clone(c.pauses)
	c.do(c.state.Step(Changed{c.now}))
}

// fault lets something happen.
func (c *cosmos) fault() {
	c.faultAt = c.now.Add(c.about(c.every))
	f := c.faults[c.rng.IntN(len(c.faults))]
	if f == kill || f == outage {
		c.state, c.wake = nil, time.Time{}
		c.takeAt = c.now.Add(c.about(10 * time.Second))
		if f == outage {
			c.takeAt = c.now.Add(c.about(6 * time.Hour))
		}
		return
	}
	for_ := c.about(c.every / 3)
	switch {
	case f == paused && c.backAt.IsZero():
		c.pauses = append(c.pauses, Pause{From: c.now, By: "kim"})
		c.backAt, c.back = c.now.Add(for_), func() { c.pauses[len(c.pauses)-1].Until = c.now }
		c.adopt()
	case f == disable && c.backAt.IsZero():
		c.def.Disabled = true
		c.rests = append(c.rests, span{from: c.now})
		c.backAt, c.back = c.now.Add(for_), func() {
			c.def.Disabled, c.since = false, c.now
			c.rests[len(c.rests)-1].until = c.now
		}
		c.adopt()
	case f == request && c.asked.IsZero() && !c.def.Disabled:
		for c.asked = c.now.Truncate(time.Millisecond).Add(time.Microsecond); c.rows[c.asked.UnixNano()] != nil; {
			c.asked = c.asked.Add(time.Microsecond)
		}
		c.adopt()
	case c.state == nil:
	case f == drain:
		c.yielding = true
		c.do(c.state.Step(Yielded{c.now}))
	case f == freeze:
		c.now = c.now.Add(c.about(2 * time.Minute))
	case f == refuse || f == full:
		c.deaf = span{c.now, c.now.Add(c.about(time.Minute))}
		if c.answer = AnswerFull; f == refuse {
			c.answer = []Answer{AnswerRunning, AnswerChanged}[c.rng.IntN(2)]
		}
	}
}

func (c *cosmos) return_() {
	c.backAt = time.Time{}
	c.back()
	c.adopt()
}

// do carries out moves, as the loop of a held job does.
func (c *cosmos) do(moves []Move) {
	if c.distorted != nil {
		moves = c.distorted(moves)
	}
	for i, m := range moves {
		switch m := m.(type) {
		case Account:
			c.account(m)
		case Begin:
			if i != len(moves)-1 {
				c.Fatalf("%d moves follow a begin", len(moves)-1-i)
			}
			c.begin(m)
		case Stop:
			if c.open == nil {
				c.Fatalf("at %v it stops nothing", c.now)
			}
			if c.outcome = Cancelled; m.Moves {
				c.outcome = Lost
			}
			c.ends = c.now.Add(c.about(2 * time.Second))
		case Wait:
			c.wake = m.Until
			if !m.Until.IsZero() && !m.Until.After(c.now) {
				c.Fatalf("at %v it waits until %v", c.now, m.Until)
			}
		case Leave:
			if c.open != nil || !c.yielding {
				c.Fatalf("at %v it leaves; a run is open: %v", c.now, c.open != nil)
			}
			c.state, c.wake, c.takeAt = nil, time.Time{}, c.now.Add(c.about(100*time.Millisecond))
		case Reread:
			if c.now = c.now.Add(time.Second); c.state != nil {
				c.do(c.state.Step(Changed{c.now}))
			}
		}
	}
}

var alsoFor = regexp.MustCompile(`this row stands also for (\d+) slots`)

func (c *cosmos) account(a Account) {
	for _, v := range a.Slots {
		if !v.Due.After(c.last) || v.Due.After(c.now) || v.Due.Before(c.since) {
			c.Fatalf("%v is %s at %v, after %v", v.Due, a.Outcome, c.now, c.last)
		}
		if v.Reason == "" {
			c.Fatalf("%v is %s for no reason", v.Due, a.Outcome)
		}
		c.insert(&slotRow{due: v.Due, outcome: a.Outcome, reason: v.Reason, ended: c.now})
		c.last = v.Due
		if m := alsoFor.FindStringSubmatch(v.Reason); m != nil {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				c.Fatal(err)
			}
			c.stands += n
		}
	}
}

// insert keeps the primary key.
func (c *cosmos) insert(r *slotRow) {
	if was := c.rows[r.due.UnixNano()]; was != nil {
		c.Fatalf("%v has a row (%s) and gets another (%s)", r.due, was.outcome, r.outcome)
	}
	c.rows[r.due.UnixNano()] = r
}

func (c *cosmos) begin(b Begin) {
	for _, p := range c.pauses {
		if p.Until.IsZero() {
			c.Fatalf("%v begins at %v in a pause", b.Due, c.now)
		}
	}
	if c.open != nil {
		c.Fatalf("%v begins while %v is open", b.Due, c.open.due)
	}
	if b.Due.After(c.now.Add(c.state.lead())) || c.def.Disabled {
		c.Fatalf("%v begins at %v", b.Due, c.now)
	}
	if c.now.Before(c.deaf.until) {
		c.do(c.state.Step(Refused{c.now, b.Due, c.answer}))
		return
	}
	r := &slotRow{due: b.Due, attempt: b.Attempt, asked: b.Asked}
	switch {
	case b.Attempt > 1:
		was := c.rows[b.Due.UnixNano()]
		if was == nil || was.attempt != b.Attempt-1 || was.outcome != Failed && was.outcome != TimedOut && was.outcome != Lost {
			c.Fatalf("attempt %d of %v follows %+v", b.Attempt, b.Due, was)
		}
		if c.furthest.due.After(b.Due) { // run_again says so
			c.do(c.state.Step(Refused{c.now, b.Due, AnswerAccounted}))
			return
		}
		r, c.retried = was, c.retried+1
		r.attempt++
	case b.Asked:
		if !b.Due.Equal(c.asked) {
			c.Fatalf("nobody asked for %v", b.Due)
		}
		c.asked = time.Time{}
		c.insert(r)
	default:
		if !b.Due.After(c.last) || b.Due.Before(c.since) {
			c.Fatalf("%v begins, but %v is accounted for, and owed since %v", b.Due, c.last, c.since)
		}
		c.overlapRule(b)
		c.last = b.Due
		c.insert(r)
	}
	c.runs++
	if c.started = append(c.started, r); len(c.started) > 4 {
		c.started = c.started[1:]
	}
	if c.furthest == nil || r.due.After(c.furthest.due) {
		c.furthest = r
	}
	c.open, r.outcome, r.started = r, Running, latest(c.now, b.Due)
	c.outcome = []Outcome{Succeeded, Succeeded, Succeeded, Failed, TimedOut}[c.rng.IntN(5)]
	c.ends = r.started.Add(c.about(c.width() / 2))
	c.do(c.state.Step(Began{c.now, b.Due}))
}

// width is the time between slots, more or less.
func (c *cosmos) width() time.Duration {
	a := c.timetable.Next(c.now)
	if b := c.timetable.Next(a); !b.IsZero() {
		return min(b.Sub(a), 8*time.Hour)
	}
	return time.Hour
}

// overlapRule checks that a slot which fell due during a run does not run under
// overlap skip, and none that is late under misfire skip.
func (c *cosmos) overlapRule(b Begin) {
	if c.def.Overlap == OverlapSkip {
		for _, r := range c.started {
			if b.Due.After(r.started) && b.Due.Before(r.ended) && r.ended.Sub(b.Due) > time.Second && r.outcome != Lost && r.attempt == 1 &&
				!r.started.After(b.Due.Add(-grace)) && !c.rested(r) {
				c.Fatalf("%v begins, but it fell due while %v was open until %v (%s)", b.Due, r.due, r.ended, r.outcome)
			}
		}
		if c.def.Misfire == MisfireSkip && b.Due.Before(c.now.Add(-grace)) {
			c.Fatalf("%v begins at %v", b.Due, c.now)
		}
	}
}

// rested tells whether the job was disabled, or its holder another, since a run.
func (c *cosmos) rested(r *slotRow) bool {
	return c.state.Vacancy.Taken.After(r.started) || len(c.rests) > 0 && c.rests[len(c.rests)-1].until.After(r.started)
}

func (c *cosmos) end() {
	c.open.outcome, c.open.ended = c.outcome, c.now
	c.open = nil
	c.do(c.state.Step(Ended{c.now, c.outcome}))
}

// settle lets everything come to rest: a day and a night, or what a narrow schedule
// needs for its longest run and all attempts.
func (c *cosmos) settle() {
	c.faults, c.deaf = []fault{none}, span{}
	if !c.backAt.IsZero() {
		c.return_()
	}
	if c.state != nil && c.yielding {
		c.state, c.takeAt = nil, c.now
	}
	c.live(c.now.Add(min(48*time.Hour, 6*time.Hour+12*c.width())))
}

// check compares the rows with the slots.
func (c *cosmos) check() (byOutcome map[Outcome]int) {
	slots, earlier := c.timetable.Slots(c.begun.Add(-1), c.last, 1<<22)
	without, byOutcome := earlier, map[Outcome]int{}
	named := make(map[int64]bool, len(slots))
	for _, due := range slots {
		named[due.UnixNano()] = true
		if c.rows[due.UnixNano()] == nil && !slices.ContainsFunc(c.rests, func(s span) bool { return !due.Before(s.from.Add(-time.Second)) && due.Before(s.until) }) {
			without++
		}
	}
	// A job that is disabled owes nothing from before any more, whatever had no row yet.
	if without < c.stands || without > c.stands && len(c.rests) == 0 {
		c.Fatalf("%d slots have no row, but rows stand for %d", without, c.stands)
	}
	for _, r := range c.rows {
		byOutcome[r.outcome]++
		if r.outcome == Running && r != c.open {
			c.Fatalf("%v runs for ever", r.due)
		}
		if !named[r.due.UnixNano()] && !r.asked {
			c.Fatalf("%v is no slot", r.due)
		}
	}
	if next := c.timetable.Next(c.last); c.state != nil && c.open == nil && !next.IsZero() && next.Before(c.now.Add(-time.Minute)) && !c.def.Disabled && c.state.again.IsZero() {
		c.Fatalf("at %v nothing is accounted for since %v", c.now, c.last)
	}
	return byOutcome
}

func TestEveryOverlapWithEveryMisfireUnderEveryFault(t *testing.T) {
	hours := 72
	if testing.Short() {
		hours = 12
	}
	for _, overlap := range []Overlap{OverlapSkip, OverlapQueue, OverlapCancel} {
		for _, misfire := range []Misfire{MisfireOnce, MisfireSkip, MisfireAll} {
			for _, f := range allFaults {
				for _, more := range []Definition{
					{},
					{Retries: 2, RetryAfter: 2 * time.Minute, OnLost: LostRestart},
					{Retries: 1, RetryAfter: time.Minute, OnLost: LostResume, CatchUp: 20 * time.Minute, MisfireLimit: 3},
				} {
					d := more
					d.Schedule, d.Overlap, d.Misfire = "@every 5m", overlap, misfire
					name := fmt.Sprintf("%s %s %s retries %d", overlap, misfire, f, d.Retries)
					c := newCosmos(t, hash(name), d, 40*time.Minute, f)
					c.live(c.now.Add(time.Duration(hours) * time.Hour))
					c.settle()
					got := c.check()
					least := hours
					if f == outage { // of six hours in the mean
						least /= 6
					}
					if c.runs < least {
						t.Errorf("%s: %d runs only: %v", name, c.runs, got)
					}
				}
			}
		}
	}
}

// TestAYearOfClusterLife plays -years years of each job; with -short as many days as
// give each of them some hundred slots, and both ends of what summer time skips.
func TestAYearOfClusterLifeGivesEachSlotOneOutcome(t *testing.T) {
	for _, life := range []struct {
		Definition
		days int // with -short
	}{
		{Definition{Schedule: "@every 15m"}, 14},
		{Definition{Schedule: "@every 15m", Overlap: OverlapQueue, Misfire: MisfireAll, MisfireLimit: 20, Retries: 3, OnLost: LostRestart}, 14},
		{Definition{Schedule: "*/20 * * * *", TimeZone: "America/New_York", Misfire: MisfireSkip, Overlap: OverlapCancel}, 14},
		{Definition{Schedule: "30 2 * * *", TimeZone: "Europe/Paris", Retries: 2, RetryAfter: time.Minute, OnLost: LostResume}, 120},
		{Definition{Schedule: "15 2 * * *", TimeZone: "Australia/Lord_Howe", Gap: GapSkip, Fold: FoldBoth, Misfire: MisfireAll}, 120},
		{Definition{Schedule: "30 0 */2 * * *", TimeZone: "Africa/Cairo", Fold: FoldLast, Jitter: 10 * time.Minute,
			Except: []string{"sat", "12-24..01-02", "mon-fri 08:00-18:00"}, CatchUp: 3 * time.Hour, Misfire: MisfireAll, Overlap: OverlapQueue}, 70},
	} {
		rounds := *years
		if testing.Short() {
			rounds = 1
		}
		for round := range rounds {
			d := life.Definition
			c := newCosmos(t, hash(d.Schedule, strconv.Itoa(round)), d, 5*time.Hour, allFaults...)
			until := c.now.AddDate(1, 0, 0)
			if testing.Short() {
				until = c.now.AddDate(0, 0, life.days)
			}
			c.live(until)
			c.settle()
			got := c.check()
			t.Logf("%s %s: %d runs, %d of them further attempts; %v", d.Schedule, d.TimeZone, c.runs, c.retried, got)
			if got[Succeeded] < 50 || len(got) < 4 {
				t.Errorf("%s: too little happened: %v", d.Schedule, got)
			}
		}
	}
}

// failure is how a cosmos of its own says that a promise was broken.
type failure string

type accuser struct{ testing.TB }

func (accuser) Fatalf(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }

func TestTheYearNoticesWhatItIsThereFor(t *testing.T) {
	for name, distort := range map[string]func(c *cosmos) func([]Move) []Move{
		"a slot without a row": func(*cosmos) func([]Move) []Move {
			return func(moves []Move) []Move {
				for i, m := range moves {
					if a, ok := m.(Account); ok && len(a.Slots) > 1 {
						moves[i] = Account{a.Outcome, a.Slots[1:], a.Next}
					}
				}
				return moves
			}
		},
		"a slot with two rows": func(*cosmos) func([]Move) []Move {
			return func(moves []Move) []Move {
				if a, ok := moves[0].(Account); ok {
					return append([]Move{a}, moves...)
				}
				return moves
			}
		},
		"a run beside another": func(c *cosmos) func([]Move) []Move {
			return func(moves []Move) []Move {
				if w, ok := moves[0].(Wait); ok && c.open != nil && c.open.due.Before(c.now.Add(-time.Minute)) {
					return []Move{Begin{Due: c.timetable.Next(c.last), Attempt: 1}, w}[:1]
				}
				return moves
			}
		},
		"a run in a pause": func(c *cosmos) func([]Move) []Move {
			return func(moves []Move) []Move {
				if len(c.pauses) > 0 && c.pauses[len(c.pauses)-1].Until.IsZero() && c.open == nil {
					return []Move{Begin{Due: c.timetable.Next(c.last), Attempt: 1}}
				}
				return moves
			}
		},
		"an attempt too many": func(c *cosmos) func([]Move) []Move {
			return func(moves []Move) []Move {
				if b, ok := moves[len(moves)-1].(Begin); ok && b.Attempt > 1 {
					b.Attempt++
					moves[len(moves)-1] = b
				}
				return moves
			}
		},
		"a slot too early": func(c *cosmos) func([]Move) []Move {
			return func(moves []Move) []Move {
				if w, ok := moves[len(moves)-1].(Wait); ok && c.open == nil && !w.Until.IsZero() && w.Until.After(c.now.Add(time.Minute)) {
					moves[len(moves)-1] = Begin{Due: c.timetable.Next(c.last), Attempt: 1}
				}
				return moves
			}
		},
		"a holder that sleeps for ever": func(c *cosmos) func([]Move) []Move {
			return func(moves []Move) []Move {
				if _, ok := moves[len(moves)-1].(Wait); ok && c.open == nil {
					moves[len(moves)-1] = Wait{}
				}
				return moves
			}
		},
	} {
		var said any
		func() {
			defer func() { said = recover() }()
			c := newCosmos(accuser{t}, 11, Definition{Schedule: "@every 5m", Retries: 2}, time.Hour, kill, freeze, paused)
			c.distorted = distort(c)
			c.live(c.now.Add(7 * 24 * time.Hour))
			c.settle()
			c.check()
		}()
		if _, ok := said.(failure); !ok {
			t.Errorf("%s is not noticed: %v", name, said)
		}
	}
}
