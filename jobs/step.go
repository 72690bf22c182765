package jobs

import (
	"fmt"
	"time"
)

const (
	// shortestLead is how long before it is due a run is begun in the database, so
	// that the action itself can start exactly when it is due.
	shortestLead = 25 * time.Millisecond
	// grace is how late the latest slot may be and still be run under MisfireSkip.
	grace = 10 * time.Second
	// late is from when on the row of a run says that it was late, and why.
	late = time.Second
	// rowsAtOnce bounds how many slots get rows of their own after an outage. The
	// oldest row stands for those before it, and its reason says for how many.
	rowsAtOnce = 1000
	// madeUp bounds how many slots MisfireAll runs after an outage.
	madeUp = 100
	// skipsEvery is how often slots that fall due during a long run are recorded,
	// at most: a run of an hour beside a grid of a second costs 6 statements a
	// minute and not 60.
	skipsEvery = 10 * time.Second
)

// State is what the holder of a job's lease knows of the job. Step changes it
// and says what to do; it asks no clock, and all times are the database's.
//
//	accounted            busy          until
//	    |  owed: missed    |  overlapped  |  fresh
//	----+------------------+--------------+-----------> due
//	                       run is open
//
// Slots are accounted for strictly in order, so that one instant, Accounted,
// tells a later holder where to go on.
type State struct {
	Job       string
	Schedule  Schedule
	Misfire   Misfire
	Since     time.Time     // slots before it are not owed
	Resting   bool          // nothing is to be begun: the job is disabled, or is not for this node
	Lead      time.Duration // how long before it is due a run is begun; shortestLead at least
	Accounted time.Time     // every slot up to it has its row
	Asked     time.Time     // due_at of the run that somebody asked for and that nobody began; zero for none
	Vacancy   Vacancy       // why slots before this holder's time were not run

	open     bool
	run      time.Time // due_at of the open run, or of the last one
	runAsked bool      // and whether somebody asked for it
	busy     time.Time // since when runs are open without a break; zero when there is none
	until    time.Time // when the last of them ended
	told     time.Time // when skipped slots were last recorded during the run
	yielding bool
}

// Event is something that a holder saw, at a time of the database.
type Event interface{ event() }

type (
	// Woke is time that has passed.
	Woke struct{ Now time.Time }
	// Changed tells that the exported fields of the state were changed.
	Changed struct{ Now time.Time }
	// Began is a run that the database has begun.
	Began struct{ Now, Due time.Time }
	// Refused is a run that the database has not begun.
	Refused struct {
		Now, Due time.Time
		Answer   Answer
	}
	// Ended is the open run that has ended.
	Ended struct{ Now time.Time }
	// Yielded asks to hand the lease over when no run is open.
	Yielded struct{ Now time.Time }
)

func (Woke) event()    {}
func (Changed) event() {}
func (Began) event()   {}
func (Refused) event() {}
func (Ended) event()   {}
func (Yielded) event() {}

// Move is something to do, in the order in which Step gives it.
type Move interface{ move() }

type (
	// Begin a run of a slot; Began or Refused follows.
	Begin struct {
		Due    time.Time
		Next   time.Time // the slot after it; zero when SQL can tell by itself
		Reason string    // why it is late
		Asked  bool      // somebody asked for it: Due is no slot
	}
	// Account records slots that are not run.
	Account struct {
		Outcome Outcome // Skipped or Missed
		Slots   []Verdict
		Next    time.Time
	}
	// Wait until an instant, or for another event if it is zero.
	Wait struct{ Until time.Time }
	// Reread the definition, which is another by now.
	Reread struct{}
	// Leave hands the lease back.
	Leave struct{}
)

func (Begin) move()   {}
func (Account) move() {}
func (Wait) move()    {}
func (Reread) move()  {}
func (Leave) move()   {}

// Verdict is a slot that is not run, and why.
type Verdict struct {
	Due    time.Time
	Reason string
}

// Step takes in what was seen and returns what must be done. Whoever carries
// it out does so to the end before the next event, or gives up the lease.
func (s *State) Step(e Event) []Move {
	switch e := e.(type) {
	case Woke:
		return s.decide(e.Now)
	case Changed:
		return s.decide(e.Now)
	case Began:
		s.began(e)
		return s.decide(e.Now)
	case Refused:
		return s.refused(e)
	case Ended:
		s.open, s.until = false, e.Now
		return s.decide(e.Now)
	case Yielded:
		s.yielding = true
		return s.decide(e.Now)
	}
	return nil
}

func (s *State) began(e Began) {
	s.open, s.run, s.runAsked = true, e.Due, e.Due.Equal(s.Asked)
	if s.runAsked {
		s.Asked = time.Time{}
	} else {
		s.Accounted = e.Due
	}
	if s.busy.IsZero() {
		s.busy = latest(e.Now, e.Due)
	}
	s.told = time.Time{}
}

func (s *State) refused(e Refused) []Move {
	switch e.Answer {
	case AnswerAccounted:
		if e.Due.Equal(s.Asked) {
			s.Asked = time.Time{}
		} else {
			s.Accounted = latest(s.Accounted, e.Due)
		}
		return s.decide(e.Now)
	case AnswerChanged:
		return []Move{Reread{}}
	default: // another run is open, or the database's clock is behind what we took it for
		return []Move{Wait{e.Now.Add(time.Second)}}
	}
}

// decide is the whole of the policy. Nothing is begun while a run is open. What
// a schedule owes comes before what somebody asked for, which can wait without
// being skipped, but nobody is to wait for a whole outage to be made up for.
func (s *State) decide(now time.Time) []Move {
	if s.open {
		return s.during(now)
	}
	var out []Move
	backlog := s.backlog()
	if !s.busy.IsZero() && !backlog {
		out = s.skip(out, s.until)
		s.busy, s.until = time.Time{}, time.Time{}
	}
	switch {
	case s.yielding:
		return append(out, Leave{})
	case s.Resting:
		return append(out, Wait{})
	case backlog && !s.Asked.IsZero():
		return append(out, Begin{Due: s.Asked, Asked: true})
	}
	horizon := now.Add(s.lead())
	if backlog {
		horizon = s.busy
	}
	owed, older := s.Schedule.Slots(s.from(), horizon, rowsAtOnce)
	run := s.choose(owed, now)
	out = s.miss(out, owed[:run], older)
	switch {
	case run < len(owed):
		due := owed[run]
		return append(out, Begin{Due: due, Next: s.next(due), Reason: s.whyLate(due, now, run+older)})
	case backlog:
		return append(out, s.decide(now)...) // now for what fell due meanwhile
	case !s.Asked.IsZero():
		return append(out, Begin{Due: s.Asked, Asked: true})
	}
	return append(out, Wait{s.wake(s.from())})
}

// backlog tells whether slots from before the present row of runs have no row
// yet: they come first, as slots are accounted for in order.
func (s *State) backlog() bool {
	if s.busy.IsZero() || s.Resting {
		return false
	}
	next := s.Schedule.Next(s.from())
	return !next.IsZero() && !next.After(s.busy)
}

// choose returns which of the owed slots is to be run; all before it are
// missed. With none to run it returns their number.
func (s *State) choose(owed []time.Time, now time.Time) int {
	last := len(owed) - 1
	switch {
	case last < 0:
		return 0
	case s.Misfire == MisfireAll:
		return max(0, len(owed)-madeUp)
	case s.Misfire == MisfireSkip && owed[last].Before(now.Add(-grace)):
		return len(owed)
	}
	return last
}

// during records, now and then, the slots that fall due while a run is open.
func (s *State) during(now time.Time) []Move {
	if s.Resting || s.backlog() {
		return []Move{Wait{}} // in order: first what is to be made up for
	}
	ripe := latest(s.Schedule.Next(latest(s.from(), s.busy)), s.told.Add(skipsEvery))
	if now.Before(ripe) {
		return []Move{Wait{ripe}}
	}
	s.told = now
	return append(s.skip(nil, now), Wait{latest(s.Schedule.Next(latest(s.from(), s.busy)), now.Add(skipsEvery))})
}

// skip records the slots that fell due since runs are open, up to an instant.
func (s *State) skip(out []Move, until time.Time) []Move {
	if s.Resting {
		return out
	}
	slots, older := s.Schedule.Slots(latest(s.from(), s.busy), until, rowsAtOnce)
	run := "the run of " + stamp(s.run)
	if s.runAsked {
		run = "the run that was asked for at " + stamp(s.run)
	}
	return s.account(out, Skipped, slots, older, func(time.Time) string { return "due while " + run + " was open" })
}

func (s *State) miss(out []Move, slots []time.Time, older int) []Move {
	rule := map[Misfire]string{
		MisfireOnce: "; misfire once runs only the latest slot",
		MisfireSkip: "; misfire skip runs no slot late",
		MisfireAll:  fmt.Sprintf("; misfire all makes up for the latest %d slots", madeUp),
	}[s.Misfire]
	return s.account(out, Missed, slots, older, func(due time.Time) string { return s.Vacancy.why(due) + rule })
}

func (s *State) account(out []Move, o Outcome, slots []time.Time, older int, why func(time.Time) string) []Move {
	if len(slots) == 0 {
		return out
	}
	a := Account{Outcome: o, Slots: make([]Verdict, len(slots))}
	for i, due := range slots {
		a.Slots[i] = Verdict{due, why(due)}
	}
	if older > 0 {
		a.Slots[0].Reason += fmt.Sprintf("; this row stands also for %d slots from %s on", older, stamp(s.Schedule.Next(s.from())))
	}
	s.Accounted = slots[len(slots)-1]
	a.Next = s.next(s.Accounted)
	return append(out, a)
}

// from is the instant after which slots are owed.
func (s *State) from() time.Time { return latest(s.Accounted, s.Since.Add(-time.Microsecond)) }

func (s *State) wake(after time.Time) time.Time {
	next := s.Schedule.Next(after)
	if next.IsZero() {
		return next
	}
	return next.Add(-s.lead())
}

// lead leaves at least half of a narrow grid's width to the run before.
func (s *State) lead() time.Duration {
	lead := max(s.Lead, shortestLead)
	if every := s.Schedule.Every(); every > 0 {
		lead = min(lead, every/2)
	}
	return lead
}

// next is the slot after one, for schedules that SQL cannot compute.
func (s *State) next(due time.Time) time.Time {
	if s.Schedule.Every() > 0 {
		return time.Time{}
	}
	return s.Schedule.Next(due)
}

func (s *State) whyLate(due, now time.Time, missed int) string {
	if now.Sub(due) < late {
		return ""
	}
	why := fmt.Sprintf("%v late: %s", now.Sub(due).Round(time.Millisecond), s.Vacancy.why(due))
	if missed > 0 {
		why += fmt.Sprintf("; it stands for %d missed before it", missed)
	}
	return why
}

// Vacancy is how the lease came to its present holder.
type Vacancy struct {
	From  string    // former holder; empty if there was none
	Freed time.Time // last moment at which it is known to have held the lease; zero if there was none, or if the database does not know
	By    string    // how it lost it: release, crash or switchover
	To    string    // present holder
	Taken time.Time // when it took the lease
}

// why tells why a slot was not run when it was due.
func (v Vacancy) why(due time.Time) string {
	switch {
	case due.After(v.Taken):
		return v.To + " held the lease and could not begin it in time"
	case v.Freed.IsZero() && v.From == v.To:
		// Nobody had ended its session when it reached the database again.
		return fmt.Sprintf("%s could not trust its session until it took the lease anew at %s", v.To, stamp(v.Taken))
	case v.Freed.IsZero():
		return fmt.Sprintf("no node held the lease until %s took it at %s", v.To, stamp(v.Taken))
	case due.Before(v.Freed):
		return fmt.Sprintf("%s held the lease until %s (%s) and had not begun it", v.From, stamp(v.Freed), v.By)
	}
	return fmt.Sprintf("no node held the lease from %s (%s: %s) until %s took it at %s", stamp(v.Freed), v.From, v.By, v.To, stamp(v.Taken))
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999Z") }

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
