package migrate

import (
	"errors"
	"slices"
)

// Step is one thing to do of a plan.
type Step string

// The steps, in their order: forward, then those that go back.
const (
	Begin   Step = "begin"   // both ends know of the plan, and the share is claimed
	Copy    Step = "copy"    // everything is on the stage
	Prove   Step = "prove"   // and has one content at both ends
	Publish Step = "publish" // and has its name on the share
	Cut     Step = "cut"     // the server is told
	Clear   Step = "clear"   // the originals are gone

	Restore  Step = "restore"  // the server is told of the old folders
	Withdraw Step = "withdraw" // what had a name on the share is on the stage
	Sweep    Step = "sweep"    // nothing is left of the plan
)

// Goal is what an administrator wants of a plan.
type Goal string

// The goals.
const (
	Apply    Goal = "apply"
	PreCopy  Goal = "copy" // the copy alone, while the server may be at work
	Rollback Goal = "rollback"
	Finish   Goal = "finish"
)

// Why a goal cannot be had any more.
var (
	ErrGoingBack = errors.New("the plan is being rolled back")
	ErrCleared   = errors.New("originals have been deleted")
	ErrNotCut    = errors.New("the server does not use the share yet")
)

// Next is the step that comes next on the way to a goal, empty when it is reached.
// It decides by the journal alone.
func Next(goal Goal, join bool, j Journal) (Step, error) {
	switch {
	case goal == Rollback && j.Begun(Clear):
		return "", ErrCleared
	case goal != Rollback && j.Begun(Restore):
		return "", ErrGoingBack
	case goal == Finish && !j.Done(Cut):
		return "", ErrNotCut
	}
	for _, s := range wayTo(goal, join, j) {
		if !j.Done(s) {
			return s, nil
		}
	}
	return "", nil
}

// wayTo are the steps to a goal. Back, only what was begun is undone.
func wayTo(goal Goal, join bool, j Journal) []Step {
	switch goal {
	case Apply:
		if join {
			return []Step{Begin, Cut}
		}
		return []Step{Begin, Copy, Prove, Publish, Cut}
	case PreCopy:
		return []Step{Begin, Copy}
	case Finish:
		return []Step{Clear}
	}
	if len(j.Records) == 0 {
		return nil
	}
	// Restore is what tells others that we go back, so it is always said.
	back := []Step{Restore}
	if j.Begun(Publish) {
		back = append(back, Withdraw)
	}
	return append(back, Sweep)
}

// Phase is where a plan is, in one word.
func Phase(j Journal) string {
	words := []struct {
		step        Step
		begun, done string
	}{
		{Sweep, "rolling back", "rolled back"},
		{Withdraw, "rolling back", "rolling back"},
		{Restore, "rolling back", "rolling back"},
		{Clear, "finishing", "finished"},
		{Cut, "cutting over", "cut over"},
		{Publish, "publishing", "published"},
		{Prove, "proving", "proved"},
		{Copy, "copying", "copied"},
		{Begin, "beginning", "begun"},
	}
	for _, w := range words {
		switch {
		case j.Done(w.step):
			return w.done
		case j.Begun(w.step):
			return w.begun
		}
	}
	return "planned"
}

// Journal is what has been done of a plan.
type Journal struct {
	Schema  string   `json:"schema"`
	Plan    string   `json:"plan"`
	Digest  string   `json:"digest"` // of the plan file
	Records []Record `json:"records"`
}

// Record says that a step was begun or done.
type Record struct {
	Step Step   `json:"step"`
	Done bool   `json:"done"`
	At   string `json:"at"` // by this host's clock, for people
	Host string `json:"host"`
	// What the step must know when it is done again, or undone.
	Facts map[string]string `json:"facts,omitempty"`
}

// Begun says whether a step was begun.
func (j Journal) Begun(s Step) bool {
	return slices.ContainsFunc(j.Records, func(r Record) bool { return r.Step == s })
}

// Done says whether a step was done, and not taken back since.
func (j Journal) Done(s Step) bool {
	done := false
	for _, r := range j.Records {
		if r.Step == s {
			done = r.Done
		}
	}
	return done
}

// Fact is what a step has noted last.
func (j Journal) Fact(s Step, name string) string {
	for _, r := range slices.Backward(j.Records) {
		if v, ok := r.Facts[name]; ok && r.Step == s {
			return v
		}
	}
	return ""
}

// Covers says whether j knows all that the other does.
func (j Journal) Covers(other Journal) bool {
	if j.Plan != other.Plan || j.Digest != other.Digest || len(j.Records) < len(other.Records) {
		return false
	}
	for i, r := range other.Records {
		if r.Step != j.Records[i].Step || r.Done != j.Records[i].Done {
			return false
		}
	}
	return true
}
