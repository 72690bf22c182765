package migrate

import (
	"errors"
	"slices"
	"testing"
)

// journalOf is a journal in which steps were done, the last one perhaps only begun.
func journalOf(begun bool, steps ...Step) Journal {
	var j Journal
	for i, s := range steps {
		j.Records = append(j.Records, Record{Step: s})
		if i < len(steps)-1 || !begun {
			j.Records = append(j.Records, Record{Step: s, Done: true})
		}
	}
	return j
}

func TestTheStepsComeInTheirOrderAndOnce(t *testing.T) {
	for goal, want := range map[Goal][]Step{
		Apply:    {Begin, Copy, Prove, Publish, Cut},
		Rollback: {Restore, Withdraw, Sweep},
		Finish:   {Clear},
	} {
		j := Journal{}
		if goal != Apply {
			j = journalOf(false, Begin, Copy, Prove, Publish, Cut)
		}
		var took []Step
		for {
			s, err := Next(goal, false, j)
			if err != nil {
				t.Fatal(err)
			}
			if s == "" {
				break
			}
			// A run that is killed within a step does it again.
			j.Records = append(j.Records, Record{Step: s})
			if again, err := Next(goal, false, j); again != s || err != nil {
				t.Errorf("%s was begun, and then comes %s, %v", s, again, err)
			}
			j.Records = append(j.Records, Record{Step: s, Done: true})
			took = append(took, s)
		}
		if !slices.Equal(took, want) {
			t.Errorf("%s takes %v, want %v", goal, took, want)
		}
	}
}

func TestFromEachPointOneCanGoBackUntilOriginalsAreDeleted(t *testing.T) {
	way := []Step{Begin, Copy, Prove, Publish, Cut}
	for n := 1; n <= len(way); n++ {
		for _, begun := range []bool{true, false} {
			j := journalOf(begun, way[:n]...)
			s, err := Next(Rollback, false, j)
			if s != Restore || err != nil {
				t.Errorf("after %v (begun %v): %s, %v", way[:n], begun, s, err)
			}
		}
	}
	for _, begun := range []bool{true, false} {
		if _, err := Next(Rollback, false, journalOf(begun, append(way, Clear)...)); !errors.Is(err, ErrCleared) {
			t.Errorf("after originals were deleted: %v", err)
		}
	}
	if s, err := Next(Rollback, false, Journal{}); s != "" || err != nil {
		t.Errorf("nothing was begun: %s, %v", s, err)
	}
}

func TestNothingGoesForwardOnTheWayBackAndNothingIsDeletedBeforeTheCut(t *testing.T) {
	for _, goal := range []Goal{Apply, PreCopy, Finish} {
		if _, err := Next(goal, false, journalOf(true, Begin, Copy, Restore)); !errors.Is(err, ErrGoingBack) {
			t.Errorf("%s: %v", goal, err)
		}
	}
	for _, j := range []Journal{{}, journalOf(false, Begin, Copy, Prove, Publish), journalOf(true, Begin, Copy, Prove, Publish, Cut)} {
		if _, err := Next(Finish, false, j); !errors.Is(err, ErrNotCut) {
			t.Errorf("%s: %v", Phase(j), err)
		}
	}
}

func TestAServerThatJoinsMovesNothing(t *testing.T) {
	j := Journal{}
	for _, want := range []Step{Begin, Cut, ""} {
		s, err := Next(Apply, true, j)
		if s != want || err != nil {
			t.Fatalf("%s, %v; want %s", s, err, want)
		}
		j.Records = append(j.Records, Record{Step: s, Done: true})
	}
}

func TestAShareThatKnowsLessIsNotTheShare(t *testing.T) {
	here := journalOf(false, Begin, Copy)
	for name, c := range map[string]struct {
		there Journal
		want  bool
	}{
		"the same":         {journalOf(false, Begin, Copy), true},
		"one record ahead": {journalOf(true, Begin, Copy, Prove), true},
		"older":            {journalOf(true, Begin, Copy), false},
		"empty":            {Journal{}, false},
		"another plan's":   {Journal{Plan: "x", Records: here.Records}, false},
	} {
		if got := c.there.Covers(here); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestWhatWasTakenUpAgainIsNotDone(t *testing.T) {
	j := journalOf(false, Begin, Copy, Prove)
	j.Records = append(j.Records, Record{Step: Prove})
	if j.Done(Prove) || !j.Begun(Prove) {
		t.Error("a step that was taken up again counts as done")
	}
	if s, err := Next(Apply, false, j); s != Prove || err != nil {
		t.Errorf("%s, %v", s, err)
	}
}
