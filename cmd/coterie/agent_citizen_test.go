package main

import (
	"testing"
	"time"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/coordinator"
	"github.com/coterie-ha/coterie/coordinator/attest"
)

func TestOnlyANodeThatJoinsExplainsThatItsLifeIsNotToldYet(t *testing.T) {
	a := &agent{started: time.Now().Add(-time.Hour)}
	k := memory{looked: true, share: appdata.Condition{State: appdata.OK, Readable: true, Writable: true}, proof: attest.Verdict{State: appdata.OK, Waiting: "telling", Untold: true}}
	unseen := k
	unseen.proof.Waiting, unseen.proof.Untold = "app-b does not see it", false
	for _, c := range []struct {
		state coordinator.State
		k     memory
		want  string
	}{
		{coordinator.Joining, k, "telling"},
		{coordinator.Ready, k, ""},
		{coordinator.Joining, unseen, "app-b does not see it"},
		{coordinator.Ready, unseen, "app-b does not see it"},
	} {
		c.k.state = c.state
		if got := a.message(c.k); got != c.want {
			t.Errorf("%s says %q, want %q", c.state, got, c.want)
		}
	}
}
