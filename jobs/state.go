package jobs

import (
	"fmt"
	"time"
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
	Schedule  *Schedule // of the definition; the zero one has no slots
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
