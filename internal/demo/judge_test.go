package demo

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// fixture is a demo that went well: a job of every two seconds that app-a ran, and
// app-b from its third slot on, after app-a had been killed in its second.
type fixture struct {
	owed  []owed
	until time.Time
	runs  []run
	said  []testimony
	slept string
}

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func at(n int) time.Time { return noon.Add(time.Duration(2*n) * time.Second) }

func healthy() *fixture {
	f := &fixture{
		owed:  []owed{{job: "j", every: 2 * time.Second, since: noon.Add(-time.Second)}},
		until: at(4).Add(time.Second),
		runs: []run{
			{Job: "j", Due: at(0), Node: "app-a", Token: 1, Outcome: "succeeded"},
			{Job: "j", Due: at(1), Node: "app-a", Token: 1, Outcome: "lost"},
			{Job: "j", Due: at(2), Token: 2, Outcome: "missed", Reason: "nobody was there"},
			{Job: "j", Due: at(3), Node: "app-b", Token: 2, Outcome: "succeeded"},
			{Job: "j", Due: at(4), Node: "app-b", Token: 2, Outcome: "succeeded"},
		},
	}
	for _, r := range f.runs {
		if r.acted() {
			f.say(saysStart, r)
		}
		if r.Outcome == "succeeded" {
			f.say(saysDone, r)
		}
	}
	return f
}

func (f *fixture) say(what string, r run) {
	f.said = append(f.said, testimony{Says: what, Job: r.Job, Due: r.Due, Token: r.Token, Node: r.Node, PID: 1})
}

func (f *fixture) judge() sums {
	return judge(f.owed, f.until, f.runs, f.said, func(node string) bool { return node == f.slept })
}

func TestADemoThatWentWellIsFoundWell(t *testing.T) {
	s := healthy().judge()
	if len(s.wrong) > 0 {
		t.Errorf("accused without a reason: %q", s.wrong)
	}
	if got, want := s.outcomesLine(), "3 succeeded, 1 lost, 0 skipped, 1 missed"; got != want || s.slots != 5 {
		t.Errorf("got %d slots: %s, want 5: %s", s.slots, got, want)
	}
}

func TestTheJudgeSeesWhatMustNotBe(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*fixture)
		want  string
	}{
		"a slot without a row":          {func(f *fixture) { f.runs, f.said = f.runs[:4], f.said[:5] }, "12:00:08.000 has no row"},
		"a gap, no end known":           {func(f *fixture) { f.until = time.Time{}; f.runs = append(f.runs[:2], f.runs[3:]...) }, "12:00:04.000 has no row"},
		"two rows for a slot":           {func(f *fixture) { f.runs = append(f.runs, f.runs[2]) }, "has two rows"},
		"a row beside the grid":         {func(f *fixture) { f.runs[2].Due = f.runs[2].Due.Add(time.Second) }, "is no slot of its schedule"},
		"a slot begun twice":            {func(f *fixture) { f.say(saysStart, f.runs[4]) }, "was begun twice"},
		"an effect made twice":          {func(f *fixture) { f.say(saysDone, f.runs[4]) }, "made its effect twice"},
		"an effect from nowhere":        {func(f *fixture) { f.said = append(f.said[:1], f.said[2:]...) }, "12:00:02.000 was begun while"},
		"an effect without a beginning": {func(f *fixture) { f.said = f.said[1:] }, "was never begun"},
		"a run that the table does not know": {func(f *fixture) {
			f.say(saysStart, run{Job: "j", Due: at(5), Node: "app-b", Token: 2})
		}, "has no row"},
		"a run of a slot that was missed": {func(f *fixture) {
			f.say(saysStart, run{Job: "j", Due: at(2), Node: "app-b", Token: 2})
		}, "its row says missed"},
		"a run by another node": {func(f *fixture) { f.said[0].Node = "app-c" }, "was begun by app-c"},
		"two runs at once": {func(f *fixture) {
			f.said[4], f.said[5] = f.said[5], f.said[4] // the next begins before this one is done
		}, "was begun while j of 12:00:06.000 was open"},
		"a late word of a dead node": {func(f *fixture) { f.say(saysDone, f.runs[1]) }, "with token 1 after token 2"},
		"success without a witness":  {func(f *fixture) { f.said = f.said[:len(f.said)-1] }, "the witness has not seen"},
		"a run without an end":       {func(f *fixture) { f.runs[4].Outcome = "running" }, "still said to be running"},
	} {
		t.Run(name, func(t *testing.T) {
			f := healthy()
			c.spoil(f)
			if wrong := strings.Join(f.judge().wrong, "\n"); !strings.Contains(wrong, c.want) {
				t.Errorf("got %q, want %q among it", wrong, c.want)
			}
		})
	}
}

func TestANodeThatWasFrozenMaySpeakLateButNotAct(t *testing.T) {
	f := healthy()
	f.slept = "app-a"
	f.say(saysDone, f.runs[1]) // its effect was made before anybody could refuse it: it counts for nothing
	f.say(saysRefused, f.runs[1])
	s := f.judge()
	if len(s.wrong) > 0 || s.refused != 1 {
		t.Errorf("got %d refused, accused of %q", s.refused, s.wrong)
	}
	f = healthy()
	f.slept = "app-a"
	f.runs[1].Outcome = "succeeded"
	f.say(saysDone, f.runs[1])
	if s := f.judge(); len(s.wrong) == 0 {
		t.Error("an effect under an old token made a run succeed")
	}
}

func TestADemoThatShowedTooLittleFails(t *testing.T) {
	s := healthy().judge()
	s.enough([]owed{{}}, 1)
	if len(s.wrong) > 0 {
		t.Errorf("accused without a reason: %q", s.wrong)
	}
	s.enough([]owed{{}, {}}, 0)
	if len(s.wrong) != 2 {
		t.Errorf("too few runs and no take-over: accused of %q", s.wrong)
	}
}

func TestSlotsAreWholeMultiplesOfTheirWidth(t *testing.T) {
	o := owed{job: "j", every: 3 * time.Second, since: noon.Add(time.Millisecond), until: noon.Add(9 * time.Second)}
	if got, want := fmt.Sprint(o.slots(noon.Add(time.Hour))), "[j of 12:00:03.000 j of 12:00:06.000 j of 12:00:09.000]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
