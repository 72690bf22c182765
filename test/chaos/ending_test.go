//go:build linux

package chaos

import (
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

// Who is told to stop and does not is told of, and is taken away, so that the trial goes on;
// who stops is not.
func TestANodeThatDoesNotEndIsNoticed(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Terms: usual})
	node := c.Add("n0", cluster.NodeOptions{})
	node.Start()
	c.AwaitReady()
	n := &Nemesis{Cluster: c}
	n.terminate(node)
	if stuck := n.Stuck(); len(stuck) > 0 {
		t.Fatalf("it ended, and yet: %v", stuck)
	}
	node.Agent()
	node.Freeze() // what is frozen hears no word
	n.Ending = 500 * time.Millisecond
	n.terminate(node)
	if stuck := n.Stuck(); len(stuck) != 1 || stuck[0].Promise != "ending" {
		t.Errorf("it did not end: %v", stuck)
	}
	if !node.Alive() {
		t.Error("it was not started again")
	}
}
