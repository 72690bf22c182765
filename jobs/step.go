package jobs

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
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
	// madeUp bounds how many slots MisfireAll runs after an outage, unless its job says.
	madeUp = 100
	// skipsEvery is how often slots that fall due during a long run are recorded,
	// at most: a run of an hour beside a grid of a second costs 6 statements a
	// minute and not 60.
	skipsEvery = 10 * time.Second
	// lostAttempts is how often a run is begun again whose node was lost, unless
	// its retries allow for more: a job that kills its nodes must not go round.
	lostAttempts = 3
)

// Rules are what a definition says about slots that cannot simply run.
type Rules struct {
	Overlap    Overlap
	Misfire    Misfire
	Limit      int           // of MisfireAll; madeUp if 0
	CatchUp    time.Duration // slots that are older are not made up for; all are if 0
	Retries    int           // attempts after the first
	RetryAfter time.Duration // the first of them; firstRetry if 0
	RetryMax   time.Duration // longestRetry if 0
	OnLost     OnLost
}

// State is what the holder of a job's lease knows of the job. Step changes it
// and says what to do; it asks no clock, and all times are the database's.
//
//	accounted            busy          until
//	    |  owed: missed    |  overlapped  |  fresh
//	----+------------------+--------------+-----------> due
//	                       run is open
//
// Slots are accounted for strictly in order, so that one instant, Accounted,
// tells a later holder where to go on. Between two attempts of a slot its run
// counts as open.
type State struct {
	Job       string
	Schedule  Schedule
	Rules     Rules
	Since     time.Time     // slots before it are not owed
	Resting   bool          // nothing is to be begun: the job is disabled, or is not for this node
	Pauses    []Pause       // in which slots may have fallen due that have no row yet
	Lead      time.Duration // how long before it is due a run is begun; shortestLead at least
	Accounted time.Time     // every slot up to it has its row
	Asked     time.Time     // due_at of the run that somebody asked for and that nobody began; zero for none
	Vacancy   Vacancy       // why slots before this holder's time were not run
	Left      *Left         // the last run, as a former holder left it; nil when it is known to be over

	open     bool
	run      time.Time // due_at of the open run, or of the last one
	runAsked bool      // and whether somebody asked for it
	attempt  int       // and which attempt that is
	again    time.Time // when the next attempt of that run is due; zero when there is none
	lost     bool      // because its node was lost
	stopped  bool      // the open run was told to end
	busy     time.Time // since when runs are open without a break; zero when there is none
	until    time.Time // when the last of them ended
	told     time.Time // when skipped slots were last recorded during the run
	full     time.Time // since when no more runs may be begun
	yielding bool
}

// Left is a run as its holder left it.
type Left struct {
	Due      time.Time
	Attempt  int
	Outcome  Outcome
	Finished time.Time
	Asked    bool
}

// Pause is a time in which nothing was to be begun.
type Pause struct {
	From, Until time.Time // Until is zero while it lasts
	By, Reason  string
}

// covers tells whether a slot fell due in the pause.
func (p Pause) covers(due time.Time) bool {
	return !due.Before(p.From) && (p.Until.IsZero() || !due.After(p.Until))
}

func (p Pause) why() string {
	why := fmt.Sprintf("%s paused it from %s", p.By, stamp(p.From))
	if !p.Until.IsZero() {
		why += " until " + stamp(p.Until)
	}
	if p.Reason != "" {
		why += " (" + p.Reason + ")"
	}
	return why
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
	Ended struct {
		Now     time.Time
		Outcome Outcome
	}
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
		Due     time.Time
		Next    time.Time // the slot after it; zero when SQL can tell by itself
		Reason  string    // why it is late
		Asked   bool      // somebody asked for it: Due is no slot
		Attempt int       // 1 for the first
	}
	// Account records slots that are not run.
	Account struct {
		Outcome Outcome // Skipped or Missed
		Slots   []Verdict
		Next    time.Time
	}
	// Stop the action of the open run; Ended follows.
	Stop struct {
		Reason string
		Moves  bool // it is to go on elsewhere
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
func (Stop) move()    {}
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
		s.takeUp(e.Now)
		return s.decide(e.Now)
	case Began:
		s.began(e)
		return s.decide(e.Now)
	case Refused:
		return s.refused(e)
	case Ended:
		s.ended(e)
		return s.decide(e.Now)
	case Yielded:
		s.yielding = true
		return s.decide(e.Now)
	}
	return nil
}

func (s *State) began(e Began) {
	if s.trying(e.Due) {
		s.attempt++
	} else {
		s.attempt, s.runAsked = 1, e.Due.Equal(s.Asked)
		switch {
		case s.runAsked:
			s.Asked = time.Time{}
		default:
			s.Accounted = e.Due
		}
	}
	s.open, s.run, s.again, s.lost, s.stopped, s.full = true, e.Due, time.Time{}, false, false, time.Time{}
	if s.busy.IsZero() {
		s.busy = latest(e.Now, e.Due)
	}
	s.told = time.Time{}
}

// trying tells whether a run that is to begin is the next attempt of one that was.
func (s *State) trying(due time.Time) bool { return !s.again.IsZero() && due.Equal(s.run) }

func (s *State) ended(e Ended) {
	s.open, s.until = false, e.Now
	failed := e.Outcome == Failed || e.Outcome == TimedOut
	if failed && s.attempt <= s.Rules.Retries {
		s.again = e.Now.Add(s.pauseBefore(s.attempt + 1))
	}
}

// pauseBefore is how long to wait before an attempt: twice as long each time, and
// a bit more or less, so that what failed together is not tried together. It
// follows from the slot, so that a later holder waits as long.
func (s *State) pauseBefore(attempt int) time.Duration {
	pause, most := cmp.Or(s.Rules.RetryAfter, firstRetry), cmp.Or(s.Rules.RetryMax, longestRetry)
	for n := 2; n < attempt && pause < most; n++ {
		pause *= 2
	}
	pause = min(pause, most)
	spread := hash(s.Job, stamp(s.run), strconv.Itoa(attempt)) % 401
	return (pause * time.Duration(800+spread) / 1000).Truncate(time.Millisecond)
}

// takeUp looks whether the run that a former holder left is to be tried again.
// What failed is not, when the next slot has come meanwhile.
func (s *State) takeUp(now time.Time) {
	left := s.Left
	if left == nil || s.Resting {
		return
	}
	s.Left = nil
	if left.Due.Before(s.Since) {
		return
	}
	next := s.Schedule.Next(left.Due)
	overtaken := !next.IsZero() && !next.After(now) && !left.Asked
	switch {
	case left.Outcome == Lost && s.Rules.OnLost != LostRecord && left.Attempt <= max(s.Rules.Retries, lostAttempts) &&
		(!overtaken || s.Rules.Overlap != OverlapCancel):
		s.run, s.runAsked, s.attempt, s.again, s.lost = left.Due, left.Asked, left.Attempt, now, true
	case (left.Outcome == Failed || left.Outcome == TimedOut) && left.Attempt <= s.Rules.Retries && !overtaken:
		s.run, s.runAsked, s.attempt = left.Due, left.Asked, left.Attempt
		s.again = latest(now, left.Finished.Add(s.pauseBefore(left.Attempt+1)))
		s.busy, s.until = now, now
	}
}

func (s *State) refused(e Refused) []Move {
	switch e.Answer {
	case AnswerAccounted:
		switch {
		case s.trying(e.Due):
			s.again = time.Time{}
		case e.Due.Equal(s.Asked):
			s.Asked = time.Time{}
		default:
			s.Accounted = latest(s.Accounted, e.Due)
		}
		return s.decide(e.Now)
	case AnswerChanged:
		return []Move{Reread{}}
	case AnswerFull:
		if s.full.IsZero() {
			s.full = e.Now
		}
	default: // another run is open, or the database's clock is behind what we took it for
	}
	return []Move{Wait{e.Now.Add(time.Second)}}
}

// decide is the whole of the policy. Nothing is begun while a run is open. What
// a schedule owes comes before what somebody asked for, which can wait without
// being skipped, but nobody is to wait for a whole outage to be made up for.
func (s *State) decide(now time.Time) []Move {
	if s.open {
		return s.during(now)
	}
	if !s.again.IsZero() {
		if out := s.between(now); out != nil {
			return out
		}
	}
	var out []Move
	backlog := s.backlog()
	if !s.busy.IsZero() && !backlog {
		var queued time.Time
		if out, queued = s.account(out, s.until); !queued.IsZero() && !s.yielding {
			return append(out, Begin{Due: queued, Next: s.next(queued), Reason: s.whyQueued(queued), Attempt: 1})
		}
		s.busy, s.until = time.Time{}, time.Time{}
	}
	switch {
	case s.yielding:
		return append(out, Leave{})
	case s.Resting || s.paused():
		return append(out, Wait{})
	case backlog && !s.Asked.IsZero():
		return append(out, Begin{Due: s.Asked, Asked: true, Attempt: 1})
	}
	horizon := now.Add(s.lead())
	if backlog {
		horizon = s.busy
	}
	owed, older := s.Schedule.Slots(s.from(), horizon, rowsAtOnce)
	run := s.choose(owed, now)
	out = s.pass(out, owed[:run], older, now)
	switch {
	case run < len(owed):
		due := owed[run]
		missed := older
		for _, slot := range owed[:run] {
			if _, paused := s.pauseOf(slot); !paused {
				missed++
			}
		}
		return append(out, Begin{Due: due, Next: s.next(due), Reason: s.whyLate(due, now, missed), Attempt: 1})
	case backlog:
		return append(out, s.decide(now)...) // now for what fell due meanwhile
	case !s.Asked.IsZero():
		return append(out, Begin{Due: s.Asked, Asked: true, Attempt: 1})
	}
	return append(out, Wait{s.wake(s.from())})
}

// between is the time between two attempts of a run. It is over when nil is
// returned.
func (s *State) between(now time.Time) []Move {
	if s.Resting {
		s.again = time.Time{}
		return nil
	}
	if s.Rules.Overlap == OverlapCancel && !s.lost {
		next := s.Schedule.Next(latest(s.from(), s.run))
		if !next.IsZero() && !next.After(now) {
			s.again, s.until = time.Time{}, now // the slot that came is the next attempt
			return nil
		}
	}
	switch {
	case s.yielding:
		return []Move{Leave{}}
	case s.paused():
		return []Move{Wait{}}
	case !now.Before(s.again):
		return []Move{Begin{Due: s.run, Asked: s.runAsked, Attempt: s.attempt + 1, Reason: s.whyAgain()}}
	}
	moves := s.during(now)
	last := len(moves) - 1
	if wait, ok := moves[last].(Wait); ok && (wait.Until.IsZero() || wait.Until.After(s.again)) {
		moves[last] = Wait{s.again}
	}
	return moves
}

func (s *State) whyAgain() string {
	if s.lost {
		return fmt.Sprintf("attempt %d: its node was lost during the one before", s.attempt+1)
	}
	return fmt.Sprintf("attempt %d of %d", s.attempt+1, 1+s.Rules.Retries)
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

// choose returns which of the owed slots is to be run; all before it are not.
// With none to run it returns their number.
func (s *State) choose(owed []time.Time, now time.Time) int {
	able := func(due time.Time) bool {
		_, paused := s.pauseOf(due)
		return !paused && !s.stale(due, now)
	}
	last := len(owed) - 1
	for last >= 0 && !able(owed[last]) {
		last--
	}
	switch {
	case last < 0:
		return len(owed)
	case s.Rules.Misfire == MisfireAll:
		first := last
		for i, n := last-1, 1; i >= 0 && n < cmp.Or(s.Rules.Limit, madeUp); i-- {
			if able(owed[i]) {
				first, n = i, n+1
			}
		}
		return first
	case s.Rules.Misfire == MisfireSkip && owed[last].Before(now.Add(-grace)):
		return len(owed)
	}
	return last
}

// stale tells whether a slot is too old to be made up for.
func (s *State) stale(due, now time.Time) bool {
	return s.Rules.CatchUp > 0 && due.Before(now.Add(-s.Rules.CatchUp)) && due.Before(now.Add(-grace))
}

func (s *State) paused() bool {
	return slices.ContainsFunc(s.Pauses, func(p Pause) bool { return p.Until.IsZero() })
}

func (s *State) pauseOf(due time.Time) (Pause, bool) {
	i := slices.IndexFunc(s.Pauses, func(p Pause) bool { return p.covers(due) })
	if i < 0 {
		return Pause{}, false
	}
	return s.Pauses[i], true
}

// during is what happens while a run is open, or waits for its next attempt.
// Slots that fall due are recorded now and then; one that waits is not.
func (s *State) during(now time.Time) []Move {
	if s.open && s.yielding && !s.stopped && s.Rules.OnLost == LostResume {
		s.stopped = true
		return []Move{Stop{Reason: "the node hands it over", Moves: true}, Wait{}}
	}
	if s.Resting || s.backlog() {
		return []Move{Wait{}} // in order: first what is to be made up for
	}
	next := s.Schedule.Next(latest(s.from(), s.busy))
	if next.IsZero() {
		return []Move{Wait{}}
	}
	if s.Rules.Overlap == OverlapCancel && s.open && !s.stopped && !s.paused() {
		if now.Before(next) {
			return []Move{Wait{next}}
		}
		s.stopped = true
		return []Move{Stop{Reason: fmt.Sprintf("the slot of %s fell due (overlap cancel)", stamp(next))}, Wait{now.Add(skipsEvery)}}
	}
	ripe := latest(next, s.told.Add(skipsEvery))
	if now.Before(ripe) {
		return []Move{Wait{ripe}}
	}
	s.told = now
	out, queued := s.account(nil, now)
	wait := latest(s.Schedule.Next(latest(s.from(), s.busy)), now.Add(skipsEvery))
	if !queued.IsZero() {
		wait = now.Add(skipsEvery)
	}
	return append(out, Wait{wait})
}

// account records the slots that fell due since runs are open, up to an instant,
// but for the one that waits.
func (s *State) account(out []Move, until time.Time) (moves []Move, queued time.Time) {
	if s.Resting {
		return out, queued
	}
	slots, older := s.Schedule.Slots(latest(s.from(), s.busy), until, rowsAtOnce)
	rule := ""
	if n := len(slots); s.Rules.Overlap != OverlapSkip && s.Rules.Overlap != "" && n > 0 {
		if _, paused := s.pauseOf(slots[n-1]); !paused && !s.paused() {
			queued, slots = slots[n-1], slots[:n-1]
			rule = fmt.Sprintf("; overlap %s runs only the latest slot", s.Rules.Overlap)
		}
	}
	why := "due while " + s.theRun() + " was open" + rule
	if !s.open && !s.again.IsZero() {
		why = "due while " + s.theRun() + " waited for its next attempt" + rule
	}
	return s.record(out, slots, older, func(due time.Time) (Outcome, string) {
		if p, paused := s.pauseOf(due); paused {
			return Skipped, p.why()
		}
		return Skipped, why
	}), queued
}

func (s *State) whyQueued(due time.Time) string {
	if s.until.Sub(due) < late {
		return ""
	}
	return fmt.Sprintf("it waited for %s, which was open until %s", s.theRun(), stamp(s.until))
}

func (s *State) theRun() string {
	if s.runAsked {
		return "the run that was asked for at " + stamp(s.run)
	}
	return "the run of " + stamp(s.run)
}

// pass records the owed slots that are not run.
func (s *State) pass(out []Move, slots []time.Time, older int, now time.Time) []Move {
	rule := map[Misfire]string{
		MisfireOnce: "; misfire once runs only the latest slot",
		MisfireSkip: "; misfire skip runs no slot late",
		MisfireAll:  fmt.Sprintf("; misfire all makes up for the latest %d slots", cmp.Or(s.Rules.Limit, madeUp)),
	}[s.Rules.Misfire]
	return s.record(out, slots, older, func(due time.Time) (Outcome, string) {
		p, paused := s.pauseOf(due)
		switch {
		case paused:
			return Skipped, p.why()
		case s.stale(due, now):
			return Missed, fmt.Sprintf("%s; it was made up for only within %v", s.why(due), s.Rules.CatchUp)
		}
		return Missed, s.why(due) + rule
	})
}

// record makes moves of verdicts, in order: one for each row of slots with the
// same outcome.
func (s *State) record(out []Move, slots []time.Time, older int, judge func(time.Time) (Outcome, string)) []Move {
	var list []Account
	for i, due := range slots {
		outcome, reason := judge(due)
		if i == 0 && older > 0 {
			n := strconv.Itoa(older)
			if older >= countable && s.Schedule.Every() == 0 {
				n = "more than " + n
			}
			reason += fmt.Sprintf("; this row stands also for %s slots from %s on", n, stamp(s.Schedule.Next(s.from())))
		}
		if n := len(list); n == 0 || list[n-1].Outcome != outcome {
			list = append(list, Account{Outcome: outcome})
		}
		last := &list[len(list)-1]
		last.Slots = append(last.Slots, Verdict{due, reason})
	}
	for _, a := range list {
		s.Accounted = a.Slots[len(a.Slots)-1].Due
		a.Next = s.next(s.Accounted)
		out = append(out, a)
	}
	return out
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
	if s.Schedule.Plain() {
		return time.Time{}
	}
	return s.Schedule.Next(due)
}

func (s *State) whyLate(due, now time.Time, missed int) string {
	if now.Sub(due) < late {
		return ""
	}
	why := fmt.Sprintf("%v late: %s", now.Sub(due).Round(time.Millisecond), s.why(due))
	if missed > 0 {
		why += fmt.Sprintf("; it stands for %d missed before it", missed)
	}
	return why
}

// why tells why a slot was not begun when it was due.
func (s *State) why(due time.Time) string {
	if !s.full.IsZero() && !due.Before(s.full.Add(-time.Second)) {
		return "no more runs might be open at once since " + stamp(s.full)
	}
	return s.Vacancy.why(due)
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
