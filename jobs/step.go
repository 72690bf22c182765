package jobs

import (
	"cmp"
	"fmt"
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

// backlog tells whether slots from before the present row of runs have no row
// yet: they come first, as slots are accounted for in order.
func (s *State) backlog() bool {
	if s.busy.IsZero() || s.Resting {
		return false
	}
	next := s.Schedule.Next(s.from())
	return !next.IsZero() && !next.After(s.busy)
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

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999Z") }

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
