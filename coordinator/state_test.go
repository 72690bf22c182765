package coordinator_test

import (
	"cmp"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/coterie-ha/coterie/coordinator"
	"github.com/coterie-ha/coterie/sql/sqltest"
)

var states = []coordinator.State{
	coordinator.Joining, coordinator.Ready, coordinator.Draining, coordinator.Drained,
	coordinator.Leaving, coordinator.Left, coordinator.Evicted,
}

// everyFact lists all combinations of facts.
func everyFact() []coordinator.Facts {
	var all []coordinator.Facts
	for _, stopping := range []bool{false, true} {
		for _, goal := range []coordinator.Goal{coordinator.GoalReady, coordinator.GoalDrained} {
			for _, proved := range []bool{false, true} {
				for _, held := range []int{0, 3} {
					all = append(all, coordinator.Facts{Stopping: stopping, Goal: goal, Proved: proved, Held: held})
				}
			}
		}
	}
	return all
}

func TestNextFollowsOnlyEdgesAndUsesEachOfThem(t *testing.T) {
	used := map[[2]coordinator.State]bool{}
	for _, s := range states {
		for _, f := range everyFact() {
			if next := s.Next(f); next != s {
				used[[2]coordinator.State{s, next}] = true
			}
		}
	}
	for _, e := range coordinator.Edges() {
		if e.To == coordinator.Joining {
			continue // the start of the process, not Next
		}
		if !used[[2]coordinator.State{e.From, e.To}] {
			t.Errorf("no facts lead from %s to %s", e.From, e.To)
		}
		delete(used, [2]coordinator.State{e.From, e.To})
	}
	for edge := range used {
		t.Errorf("Next goes from %s to %s, which is not an edge", edge[0], edge[1])
	}
}

func TestEveryFactsLeadToRestInAFewSteps(t *testing.T) {
	for _, s := range states {
		for _, f := range everyFact() {
			at := s
			for range 4 {
				at = at.Next(f)
			}
			if at != at.Next(f) {
				t.Errorf("from %s with %+v the state never rests", s, f)
			}
		}
	}
}

func TestEachStateIsReachedFromJoiningByEdges(t *testing.T) {
	for _, to := range states {
		at := coordinator.Joining
		way := at.Way(to)
		if way[len(way)-1] != to {
			t.Errorf("the way to %s is %v", to, way)
		}
		if to == coordinator.Joining || to == coordinator.Evicted {
			continue // nothing to report; nobody's own word
		}
		for _, next := range way {
			if !slices.ContainsFunc(coordinator.Edges(), func(e coordinator.Edge) bool { return e.From == at && e.To == next }) {
				t.Errorf("the way to %s is %v, but %s may not follow %s", to, way, next, at)
			}
			at = next
		}
	}
}

func TestANodeThatWasToldToStopLeavesFromEverywhere(t *testing.T) {
	for _, s := range states {
		at := s
		for range 4 {
			at = at.Next(coordinator.Facts{Stopping: true})
		}
		if want := coordinator.Left; s != coordinator.Evicted && at != want {
			t.Errorf("from %s a stopping node ends in %s, want %s", s, at, want)
		}
	}
}

func TestNothingIsTakenButWhenReady(t *testing.T) {
	for _, s := range states {
		if got, want := s.Takes(), s == coordinator.Ready; got != want {
			t.Errorf("%s takes leases: %v, want %v", s, got, want)
		}
	}
}

func TestStatesAndEdgesAreThoseOfTheDatabase(t *testing.T) {
	db := sqltest.New(t)
	var inSQL []coordinator.State
	if err := db.Select(&inSQL, `SELECT unnest(enum_range(NULL::coterie.node_state))::text`); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(inSQL, states); diff != "" {
		t.Errorf("states (-SQL +Go):\n%s", diff)
	}
	var goals []coordinator.Goal
	if err := db.Select(&goals, `SELECT unnest(enum_range(NULL::coterie.node_goal))::text`); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(goals, []coordinator.Goal{coordinator.GoalReady, coordinator.GoalDrained}); diff != "" {
		t.Errorf("goals (-SQL +Go):\n%s", diff)
	}
	var edges []coordinator.Edge
	if err := db.Select(&edges, `SELECT from_state, to_state, rule FROM coterie.transitions WHERE machine = 'node'`); err != nil {
		t.Fatal(err)
	}
	order := func(a, b coordinator.Edge) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) }
	want := coordinator.Edges()
	slices.SortFunc(edges, order)
	slices.SortFunc(want, order)
	if diff := gocmp.Diff(edges, want); diff != "" {
		t.Errorf("edges (-SQL +Go):\n%s", diff)
	}
}
