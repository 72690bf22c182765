package jobs

import (
	"fmt"
	"time"
)

func (s *State) whyAgain() string {
	if s.lost {
		return fmt.Sprintf("attempt %d: its node was lost during the one before", s.attempt+1)
	}
	return fmt.Sprintf("attempt %d of %d", s.attempt+1, 1+s.Rules.Retries)
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
