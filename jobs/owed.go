package jobs

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"
)

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

// alsoFor says for what the oldest row of many stands.
func (s Schedule) alsoFor(older int, after time.Time) string {
	n := strconv.Itoa(older)
	if older >= countable && s.Every() == 0 {
		n = "more than " + n
	}
	return fmt.Sprintf("; this row stands also for %s slots from %s on", n, stamp(s.Next(after)))
}

// record makes moves of verdicts, in order: one for each row of slots with the
// same outcome.
func (s *State) record(out []Move, slots []time.Time, older int, judge func(time.Time) (Outcome, string)) []Move {
	var list []Account
	for i, due := range slots {
		outcome, reason := judge(due)
		if i == 0 && older > 0 {
			reason += s.Schedule.alsoFor(older, s.from())
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
