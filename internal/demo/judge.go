package demo

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// owed is a schedule whose every slot must have become a row.
type owed struct {
	job   string
	every time.Duration
	since time.Time
	until time.Time // slots after it need not have rows; zero while the job is there
}

// slots is the grid of the schedule up to an instant: whole multiples of its
// width since 1970. It is computed here once more, on purpose.
func (o owed) slots(until time.Time) []slot {
	if !o.until.IsZero() && o.until.Before(until) {
		until = o.until
	}
	width := o.every.Microseconds()
	var all []slot
	for due := (o.since.UnixMicro() + width - 1) / width * width; due <= until.UnixMicro(); due += width {
		all = append(all, slot{o.job, due})
	}
	return all
}

// has tells whether an instant is on the grid.
func (o owed) has(at slot) bool {
	return at.due >= o.since.UnixMicro() && at.due%o.every.Microseconds() == 0
}

// run is a row of coterie.runs.
type run struct {
	Job     string
	Due     time.Time
	Node    string
	Token   int64
	Outcome string
	Asked   bool // somebody asked for it: it is no slot of the schedule
	Late    *float64
	Reason  string
}

func (r run) slot() slot { return slot{r.Job, r.Due.UnixMicro()} }

// acted tells whether the run's action was started, as far as the table knows.
func (r run) acted() bool { return r.Outcome != "skipped" && r.Outcome != "missed" }

// sums is what a demo comes to.
type sums struct {
	slots    int
	outcomes map[string]int // of slots
	asked    int            // runs that somebody asked for
	worst    float64        // seconds that a run started after it was due
	missed   []run          // slots that did not run, and why
	refused  int            // effects of overtaken runs that were not made
	wrong    []string       // what must not be
}

func (s *sums) accuse(format string, args ...any) {
	s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
}

// judge compares the schedules, the table of runs and the witness. A node that was
// frozen may speak after it was overtaken, but make no effect; no other may.
func judge(all []owed, until time.Time, runs []run, said []testimony, zombie func(node string) bool) sums {
	s := sums{outcomes: map[string]int{}}
	rows := s.rows(runs)
	s.schedules(all, until, rows)
	begun, done := s.listen(said, rows, zombie)
	for at, r := range rows {
		switch {
		case r.Outcome == "succeeded" && (!begun[at] || !done[at]):
			s.accuse("%s succeeded, and the witness has not seen it begin and make its effect", at)
		case r.Outcome == "running":
			s.accuse("%s is still said to be running", at)
		}
	}
	slices.Sort(s.wrong)
	return s
}

// rows makes sure that a slot has one row, and sums up.
func (s *sums) rows(runs []run) map[slot]run {
	rows := make(map[slot]run, len(runs))
	for _, r := range runs {
		if _, twice := rows[r.slot()]; twice {
			s.accuse("%s has two rows", r.slot())
		}
		rows[r.slot()] = r
		if r.Late != nil {
			s.worst = max(s.worst, *r.Late)
		}
		if r.Asked {
			s.asked++
			continue
		}
		s.slots++
		s.outcomes[r.Outcome]++
		if !r.acted() {
			s.missed = append(s.missed, r)
		}
	}
	return rows
}

// schedules makes sure that the rows are those of the grids.
func (s *sums) schedules(all []owed, until time.Time, rows map[slot]run) {
	grids := map[string]owed{}
	for _, o := range all {
		grids[o.job] = o
		for _, at := range o.slots(orLatest(until, o.job, rows)) {
			if _, there := rows[at]; !there {
				s.accuse("%s has no row", at)
			}
		}
	}
	for at, r := range rows {
		if o, ours := grids[at.job]; ours && !r.Asked && !o.has(at) {
			s.accuse("%s has a row and is no slot of its schedule", at)
		}
	}
}

// orLatest is the latest slot of a job that has a row, where no instant is known
// up to which all must have one: then there must at least be no gap.
func orLatest(until time.Time, job string, rows map[slot]run) time.Time {
	if !until.IsZero() {
		return until
	}
	for at, r := range rows {
		if at.job == job && !r.Asked && r.Due.After(until) {
			until = r.Due
		}
	}
	return until
}

// listen makes sure that what the witness saw is what the table says. It returns
// the slots that were begun, and those whose effect was made.
func (s *sums) listen(said []testimony, rows map[slot]run, zombie func(string) bool) (begun, done map[slot]bool) {
	begun, done = map[slot]bool{}, map[slot]bool{}
	newest := map[string]int64{}   // by job: the highest token so far
	open := map[string]testimony{} // by job: the run that has begun and not made its effect
	for _, t := range said {
		at := t.slot()
		s.recognise(t, rows)
		if t.Says == saysRefused {
			s.refused++
			continue
		}
		if t.Token < newest[t.Job] {
			if !zombie(t.Node) {
				s.accuse("%s: %s said %q with token %d after token %d had been there", at, t.Node, t.Says, t.Token, newest[t.Job])
			}
			continue // it counts for nothing
		}
		newest[t.Job] = t.Token
		switch t.Says {
		case saysStart:
			if begun[at] {
				s.accuse("%s was begun twice", at)
			}
			if other, busy := open[t.Job]; busy && other.Token == t.Token && !s.ended(rows[other.slot()]) {
				s.accuse("%s was begun while %s was open", at, other.slot())
			}
			begun[at], open[t.Job] = true, t
		case saysDone:
			if done[at] {
				s.accuse("%s made its effect twice", at)
			}
			if !begun[at] {
				s.accuse("%s made its effect and was never begun", at)
			}
			done[at] = true
			delete(open, t.Job)
		}
	}
	return begun, done
}

// recognise makes sure that the table knows of what was said.
func (s *sums) recognise(t testimony, rows map[slot]run) {
	r, known := rows[t.slot()]
	switch {
	case !known:
		s.accuse("%s was begun by %s, and has no row", t.slot(), t.Node)
	case !r.acted():
		s.accuse("%s was begun by %s, and its row says %s", t.slot(), t.Node, r.Outcome)
	case r.Node != t.Node || r.Token != t.Token:
		s.accuse("%s was begun by %s with token %d, and its row says %s with token %d", t.slot(), t.Node, t.Token, r.Node, r.Token)
	}
}

// ended tells whether a run that made no effect has ended all the same.
func (s *sums) ended(r run) bool {
	return slices.Contains([]string{"failed", "timed_out", "lost", "cancelled"}, r.Outcome)
}

// enough makes sure that the demo has shown something.
func (s *sums) enough(all []owed, takeovers int) {
	if s.outcomes["succeeded"] < 2*len(all) {
		s.accuse("only %d runs succeeded: too few to show anything", s.outcomes["succeeded"])
	}
	if takeovers == 0 {
		s.accuse("no lease was taken over: nothing was shown")
	}
}

// outcomesLine lists outcomes in the order of importance.
func (s *sums) outcomesLine() string {
	var parts []string
	for _, o := range []string{"succeeded", "failed", "timed_out", "lost", "cancelled", "skipped", "missed", "running"} {
		if n := s.outcomes[o]; n > 0 || o == "succeeded" || o == "skipped" || o == "missed" {
			parts = append(parts, fmt.Sprintf("%d %s", n, strings.ReplaceAll(o, "_", " ")))
		}
	}
	return strings.Join(parts, ", ")
}
