package jobs

import "time"

// Told is who counts what becomes of slots on this node. What is nil is not called;
// all of it may be called at any time, and must not wait.
type Told struct {
	Began   func(job string)
	Ended   func(job string, outcome Outcome, took time.Duration) // follows Began
	NotRun  func(job string, outcome Outcome, slots int64)        // of slots that got their row without a run
	Refused func(write string)                                    // by the database, which knows a later token
}

func (t *Told) began(job string) {
	if t.Began != nil {
		t.Began(job)
	}
}

func (t *Told) ended(job string, outcome Outcome, took time.Duration) {
	if t.Ended != nil {
		t.Ended(job, outcome, took)
	}
}

func (t *Told) notRun(job string, outcome Outcome, slots int64) {
	if t.NotRun != nil && slots > 0 {
		t.NotRun(job, outcome, slots)
	}
}

func (t *Told) refused(write string) {
	if t.Refused != nil {
		t.Refused(write)
	}
}
