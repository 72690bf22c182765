//go:build linux

package figures

import (
	"syscall"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

// A lost host is noticed by the end of its session alone.
func TestALostHostIsFollowedWithinItsTerms(t *testing.T) {
	beside(t)
	t.Run("fast terms", func(t *testing.T) {
		got := lostHosts(t, cluster.Fast, tries(3, 100))
		got.hold(t, "take-over after the loss of a host, ttl 1.5 s, heartbeat 0.3 s", 2*time.Second)
	})
	if !*long {
		return
	}
	t.Run("default terms", func(t *testing.T) {
		terms := cluster.Default
		got := lostHosts(t, terms, 50)
		got.hold(t, "take-over after the loss of a host, ttl 6 s, heartbeat 1.5 s", terms.TTL+terms.Heartbeat+time.Second/2)
	})
}

// lostHosts kills nodes, several at a time at moments of their own, and
// measures from each death until its last lease is claimed.
func lostHosts(t *testing.T, terms cluster.Terms, n int) sample {
	const nodes, atOnce = 5, 3
	c := crew(t, cluster.Options{Terms: terms}, nodes, 3*nodes)
	var got sample
	for len(got) < n {
		var victims []*cluster.Node
		var died []time.Time
		var lost []int
		for _, node := range c.Nodes[:atOnce] {
			phase(c)
			lost = append(lost, held(c, node.Name))
			died = append(died, time.Now())
			node.KillHost()
			victims = append(victims, node)
		}
		for i, node := range victims {
			got = append(got, claimed(c, node.Name, lost[i], died[i]).Sub(died[i]))
		}
		for _, node := range victims {
			node.Start()
		}
		settled(c)
		c.Nodes = append(c.Nodes[atOnce:], c.Nodes[:atOnce]...)
	}
	return got
}

// A node that is told to stop hands over, with the notification as a hint or
// without it.
func TestANodeThatLeavesHandsOverAtOnce(t *testing.T) {
	beside(t)
	for name, hinted := range map[string]bool{"hinted": true, "without hints": false} {
		t.Run(name, func(t *testing.T) {
			c := crew(t, cluster.Options{Terms: terms()}, 3, 9)
			promise, allowed := 100*time.Millisecond, 100*time.Millisecond
			if !hinted {
				c.Exec(`ALTER TABLE coterie.event DISABLE TRIGGER event_hint`)
				promise = c.Terms.Heartbeat + 100*time.Millisecond
				allowed = promise + 100*time.Millisecond
			}
			var free, whole sample
			for i := range tries(1, map[bool]int{true: 50, false: 20}[hinted]) {
				node := c.Nodes[i%len(c.Nodes)]
				phase(c)
				lost, told := held(c, node.Name), time.Now()
				node.Signal(node.Supervisor(), syscall.SIGTERM)
				whole = append(whole, claimed(c, node.Name, lost, told).Sub(told))
				took := cluster.Get[float64](c, `SELECT max(extract(epoch FROM took)) FROM coterie.takeovers
					WHERE from_node = $1 AND claimed_at > $2 AND cause = 'release'`, node.Name, told)
				free = append(free, time.Duration(took*float64(time.Second)))
				node.Reaped()
				node.Start()
				settled(c)
			}
			free.hold(t, "from giving a lease back until another node has it, "+name, promise)
			whole.hold(t, "from SIGTERM until another node has it, "+name, allowed)
		})
	}
}
