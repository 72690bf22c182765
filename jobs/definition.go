package jobs

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Misfire says what becomes of slots that nobody could run when they were due:
// no node held the lease, or its holder was cut off.
type Misfire string

const (
	// MisfireOnce runs the latest of them and records the others as missed.
	MisfireOnce Misfire = "once"
	// MisfireSkip records them as missed, unless the latest is hardly late.
	MisfireSkip Misfire = "skip"
	// MisfireAll runs them one after another, the latest hundred at most.
	MisfireAll Misfire = "all"
)

// Overlap says what becomes of slots that fall due while a run is open.
type Overlap string

// OverlapSkip records them as skipped.
const OverlapSkip Overlap = "skip"

// Outcome says what became of a slot.
type Outcome string

const (
	Running   Outcome = "running"
	Succeeded Outcome = "succeeded"
	Failed    Outcome = "failed"
	TimedOut  Outcome = "timed_out"
	Skipped   Outcome = "skipped"   // it fell due while a run was open
	Missed    Outcome = "missed"    // nobody could run it when it was due
	Lost      Outcome = "lost"      // its node lost the lease before it could tell how it ended
	Cancelled Outcome = "cancelled" // it was stopped on purpose
)

// Definition is a job as operators describe it. Generation and Since come from
// the database; a definition from a file has neither.
type Definition struct {
	Name       string
	Schedule   string
	TimeZone   string // UTC if empty
	Action     string
	Timeout    time.Duration // none if 0
	Overlap    Overlap       // OverlapSkip if empty
	Misfire    Misfire       // MisfireOnce if empty
	Disabled   bool
	Since      time.Time // slots before it are not owed
	Generation int64     // number of the change that made it so
}

// Lease is the name of the lease whose holder runs the job.
func (d Definition) Lease() string { return leasePrefix + d.Name }

const leasePrefix = "job/"

// Class is the class of leases that a node takes which defines an action.
func Class(action string) string { return "action/" + action }

// names is what jobs and actions may be called; the database holds the same rule.
var names = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

const namesRule = "lower-case letters, digits, dot, dash and underscore, at most 63, beginning with a letter or digit"

// withDefaults fills in what was left out.
func (d Definition) withDefaults() Definition {
	d.TimeZone = cmp.Or(d.TimeZone, "UTC")
	d.Overlap = cmp.Or(d.Overlap, OverlapSkip)
	d.Misfire = cmp.Or(d.Misfire, MisfireOnce)
	return d
}

// Validate returns everything that is wrong with a definition, joined.
func (d Definition) Validate() error {
	d = d.withDefaults()
	var errs []error
	if !names.MatchString(d.Name) {
		errs = append(errs, fmt.Errorf("the name %q must be %s", d.Name, namesRule))
	}
	if !names.MatchString(d.Action) {
		errs = append(errs, fmt.Errorf("the action %q must be %s", d.Action, namesRule))
	}
	if _, err := Parse(d.Schedule, d.TimeZone); err != nil {
		errs = append(errs, err)
	}
	if d.Timeout < 0 || d.Timeout%time.Millisecond != 0 {
		errs = append(errs, fmt.Errorf("the timeout %v must be positive and whole milliseconds", d.Timeout))
	}
	switch d.Misfire {
	case MisfireOnce, MisfireSkip, MisfireAll:
	default:
		errs = append(errs, fmt.Errorf("misfire %q must be once, skip or all", d.Misfire))
	}
	if d.Overlap != OverlapSkip {
		errs = append(errs, fmt.Errorf("overlap %q must be skip", d.Overlap))
	}
	return errors.Join(errs...)
}
