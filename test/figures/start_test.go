//go:build linux

package figures

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

// Agents that come at the same moment to an empty database make its schema
// once, and all of them work.
func TestEightAgentsStartOnAnEmptyDatabase(t *testing.T) {
	beside(t)
	var got sample
	for i := range tries(1, 20) {
		t.Run(strconv.Itoa(i), func(t *testing.T) { // whose end is that of its cluster
			got = append(got, startEight(t))
		})
	}
	got.hold(t, "from the start of 8 agents on an empty database until all are ready", 1500*time.Millisecond)
}

func startEight(t *testing.T) time.Duration {
	c := cluster.Start(t, cluster.Options{Empty: true})
	for i := range 8 {
		c.Add(fmt.Sprintf("n%d", i), cluster.NodeOptions{AutoMigrate: true})
	}
	begun := time.Now()
	for _, n := range c.Nodes {
		n.Start()
	}
	c.AwaitTable("coterie.cluster")
	c.Await(`SELECT count(*) = 1 FROM coterie.cluster`)
	c.Mark()
	c.AwaitReady()
	took := time.Since(begun)
	if once := cluster.Get[bool](c, `SELECT count(*) = count(DISTINCT version) AND count(DISTINCT applied_by) = 1 FROM coterie.schema_versions`); !once {
		t.Error("the schema was applied more than once")
	}
	return took
}

// Somebody who asks how things are does not wait, neither while agents start on
// the same processors and open their connections nor later.
func TestStatusAnswersAtOnce(t *testing.T) {
	beside(t)
	c := crew(t, cluster.Options{}, 3, 30)
	ask := func(tries int) (got sample) {
		for range tries {
			begun := time.Now()
			out, code := c.Run("-c", c.Nodes[0].Config(), "status")
			got = append(got, time.Since(begun))
			if code != 0 && code != 3 { // 3: something needs attention
				t.Fatalf("exit code %d: %s", code, out)
			}
		}
		return got
	}
	ask(tries(5, 100)).hold(t, "coterie status, from exec to exit, while the agents start", 100*time.Millisecond)
	c.Elapse(5 * time.Second)
	ask(tries(5, 100)).hold(t, "coterie status, from exec to exit", 100*time.Millisecond)
}
