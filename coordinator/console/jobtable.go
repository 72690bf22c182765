package console

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

func (s Snapshot) jobTable(most int) table {
	t, ok := s.begin("jobs", "Jobs", "No job is defined.")
	if ok {
		t.Heads = heads("Job", "Schedule", "Runner", "Last", "#Took", "#Next", "Recent", "Message")
	}
	now := s.now()
	list := rows[jobRow](s.Docs["jobs"])
	slices.SortStableFunc(list, func(a, b jobRow) int {
		return cmp.Or(cmp.Compare(a.trouble(now), b.trouble(now)), cmp.Compare(a.Name, b.Name))
	})
	recent := s.recent()
	if len(recent) > 0 {
		t.Legend = legend()
	}
	return fill(t, list, most, func(j jobRow) []cell {
		schedule := string(j.Schedule)
		if j.TimeZone != "" && j.TimeZone != "UTC" {
			schedule += " " + string(j.TimeZone)
		}
		last := word(j.LastOutcome)
		if at := ago(j.LastDueAt, now); j.LastOutcome != "" && at.Text != "-" {
			last.Text, last.Title = last.Text+" "+at.Text, at.Title
		}
		return []cell{
			name(j.Name), roomy(clip(schedule, 60)), name(j.Runner), last,
			{Text: took(j.LastTook), Class: "num"}, j.next(now), {Marks: recent[j.Name], Class: "marks"}, wrap(j.message()),
		}
	})
}

// trouble sorts what someone must look at before what goes well.
func (j jobRow) trouble(now time.Time) int {
	switch {
	case j.late(now) > 0:
		return 0
	case classOf(string(j.LastOutcome)) == "bad":
		return 1
	case j.LastOutcome == "running":
		return 2
	case j.Enabled == "false":
		return 4
	}
	return 3
}

func (j jobRow) message() text {
	if n := j.FailuresInRow; n != "" && n != "0" && n != "1" {
		return joined(": ", n+" failures in a row", j.Message)
	}
	return j.Message
}

func (j jobRow) next(now time.Time) cell {
	due := j.NextDueAt.time()
	c := cell{Text: "-", Class: "num"}
	if !due.IsZero() {
		c.Title = stamp(due)
	}
	switch late := j.late(now); {
	case j.Enabled == "false":
		c.Text = "paused"
	case late > 0:
		c.Text, c.Class = "overdue "+brief(late), "num bad"
	case due.IsZero():
	case due.After(now):
		c.Text = "in " + brief(due.Sub(now))
	default:
		c.Text = "due"
	}
	return c
}

// marked are the outcomes of runs and the letters that stand for them, also for
// readers who tell no colours apart.
var marked = []cell{
	{"S", "good", "succeeded", "", nil}, {"F", "bad", "failed", "", nil}, {"T", "bad", "timed_out", "", nil},
	{"L", "bad", "lost", "", nil}, {"M", "bad", "missed", "", nil}, {"K", "warn", "skipped", "", nil},
	{"C", "warn", "cancelled", "", nil}, {"R", "", "running", "", nil},
}

func legend() []cell {
	words := []cell{{Text: "Recent", Title: "slots, newest last:"}}
	for _, m := range marked {
		words = append(words, cell{Text: m.Text, Title: strings.ReplaceAll(m.Title, "_", " ")})
	}
	return words
}

// recentRuns is how many slots of each job are shown.
const recentRuns = 10

// recent are the last slots of each job, newest last.
func (s Snapshot) recent() map[text][]cell {
	list := rows[runRow](s.Docs["runs"])
	slices.SortStableFunc(list, func(a, b runRow) int { return b.DueAt.time().Compare(a.DueAt.time()) })
	recent := map[text][]cell{}
	for _, r := range list {
		i := slices.IndexFunc(marked, func(c cell) bool { return c.Title == string(r.Outcome) })
		if i >= 0 && len(recent[r.Job]) < recentRuns {
			recent[r.Job] = append(recent[r.Job], cell{Text: marked[i].Text, Class: marked[i].Class})
		}
	}
	for _, cells := range recent {
		slices.Reverse(cells)
	}
	return recent
}
