package rollout

import (
	"context"
	"errors"
	"testing"
)

// A node that cannot go back says so, and goes on saying it: otherwise the others would
// wait for it without end.
func TestWhoCannotGoBackIsNotWaitedFor(t *testing.T) {
	v := View{
		Rollout: &Rollout{ID: 1, Version: 1, Phase: Back, Turn: 1},
		Members: []Member{{Node: "a", Fresh: true, Votes: []Vote{{Version: 1, OK: true, Serves: true}}}},
	}
	var turned []Turn
	tries := 0
	k := Keeper{Node: "a", Serves: true, Hands: Hands{
		Seen: func(context.Context, int64) Report {
			return Report{State: Drifted, Served: "old", Error: "what was there before is not back"}
		},
		Put: func(context.Context, Putting) error {
			tries++
			return errors.New("read-only file system")
		},
		Report: func(_ context.Context, r Report) error {
			v.Members[0].Report = &r
			return nil
		},
		Turn: func(_ context.Context, _ Rollout, turn Turn) error {
			turned = append(turned, turn)
			return nil
		},
	}}
	for range 3 {
		if _, err := k.Round(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		if r := v.Members[0].Report; r.State != Broken || r.Error != "read-only file system" {
			t.Fatalf("it says %+v", r)
		}
	}
	if tries != 1 || len(turned) == 0 || turned[0].To != Failed {
		t.Errorf("%d tries, turned %v", tries, turned)
	}
	k.Retry()
	if _, err := k.Round(t.Context(), v); err != nil || tries != 2 {
		t.Errorf("%d tries, %v", tries, err)
	}
}
