//go:build linux

package figures

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

// busy starts a cluster in which every job has a program at work, for longer
// than the test takes.
func busy(t *testing.T, nodes int) *cluster.Cluster {
	t.Helper()
	c := cluster.Start(t, cluster.Options{Terms: terms()})
	action := c.WitnessAction(cluster.Witness{For: time.Hour, Step: 2 * time.Millisecond, Hold: 2 * time.Millisecond})
	var jobs []cluster.Job
	for _, name := range []string{"a", "b", "c", "d"}[:2*nodes] {
		jobs = append(jobs, cluster.Job{Name: name, Every: time.Second})
	}
	c.Apply(jobs...)
	for _, name := range []string{"n0", "n1", "n2"}[:nodes] {
		c.Add(name, cluster.NodeOptions{Actions: action}).Start()
	}
	atWork(t, c)
	return c
}

// atWork waits until each job's program has testified under the present token.
// Loads may differ: a holder yields only between runs.
func atWork(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	c.AwaitReady()
	c.AwaitHeld()
	c.Await(`SELECT bool_and(EXISTS (SELECT FROM coterie.runs r WHERE 'job/' || r.job = l.name AND r.token = l.token AND r.outcome = 'running'))
		FROM coterie.leases l`)
	for begun := time.Now(); ; c.Elapse(50 * time.Millisecond) {
		if !slices.ContainsFunc(gripsOf(t, c, ""), func(g grip) bool { return !g.Acting }) {
			return
		}
		if time.Since(begun) > 30*time.Second {
			t.Fatal("programs of runs that are open have not testified within 30 s")
		}
	}
}

// fuller is the node that holds most.
func fuller(t *testing.T, c *cluster.Cluster) *cluster.Node {
	t.Helper()
	name := cluster.Get[string](c, `SELECT holder FROM coterie.leases GROUP BY holder ORDER BY count(*) DESC LIMIT 1`)
	for _, n := range c.Nodes {
		if n.Name == name {
			return n
		}
	}
	t.Fatalf("%s holds most, and is no node of this cluster", name)
	return nil
}

// grip is a lease in the hands of a node before a fault.
type grip struct {
	Name   string
	Token  int64
	Acting bool // its program has testified
}

func grips(t *testing.T, c *cluster.Cluster, node string) []grip {
	t.Helper()
	all := gripsOf(t, c, node)
	if len(all) == 0 {
		t.Fatalf("%s holds nothing", node)
	}
	return all
}

// gripsOf are those of a node, or with "" of all.
func gripsOf(t *testing.T, c *cluster.Cluster, node string) []grip {
	t.Helper()
	testified := map[grip]bool{}
	for _, w := range c.Testimonies() {
		testified[grip{Name: "job/" + w.Job, Token: w.Token}] = true
	}
	var all []grip
	if err := c.DB.Select(&all, `SELECT name, token FROM coterie.leases WHERE $1 IN ('', holder)`, node); err != nil {
		t.Fatal(err)
	}
	for i, g := range all {
		all[i].Acting = testified[g]
	}
	return all
}

// deadBefore checks that what ran under the grips did nothing any more when
// their leases were claimed again, and never made an effect after that.
func deadBefore(t *testing.T, c *cluster.Cluster, lost []grip) {
	t.Helper()
	offset := time.Now().UnixNano() - cluster.Monotonic()
	all := c.Testimonies()
	for _, g := range lost {
		claim := cluster.Get[time.Time](c, `SELECT min(at) FROM coterie.event
			WHERE kind = 'lease.claimed' AND subject = $1 AND token > $2`, g.Name, g.Token).UnixNano() - offset
		seen := false
		for _, w := range all {
			if "job/"+w.Job != g.Name || w.Token != g.Token {
				continue
			}
			seen = true
			if w.At > claim {
				t.Errorf("%s with token %d: %s %v after the lease was claimed by another", g.Name, g.Token, w.Deed, time.Duration(w.At-claim))
				break
			}
		}
		if g.Acting && !seen {
			t.Errorf("%s with token %d left no testimony", g.Name, g.Token)
		}
	}
	if effects := cluster.Get[int](c, `SELECT count(*) FROM effect`); effects == 0 {
		t.Error("no effect was ever made")
	}
	if disorder := cluster.Get[int](c, `SELECT count(*) FROM (SELECT token, max(token) OVER (PARTITION BY job ORDER BY id) AS most FROM effect) AS e
		WHERE token < most`); disorder > 0 {
		t.Errorf("%d effects came after one with a higher token", disorder)
	}
}

// A killed agent hands over in an instant, and its jobs are dead by then.
func TestAKilledAgentIsFollowedAtOnce(t *testing.T) {
	beside(t)
	c := busy(t, 2)
	var got sample
	for range tries(2, 50) {
		node := fuller(t, c)
		phase(c)
		lost, killed := grips(t, c, node.Name), time.Now()
		node.Signal(node.Agent(), syscall.SIGKILL)
		got = append(got, claimed(c, node.Name, len(lost), killed).Sub(killed))
		node.Reaped()
		deadBefore(t, c, lost)
		if rule := cluster.Get[string](c, `SELECT rule FROM coterie.event WHERE kind = 'session.ended' AND subject = $1 ORDER BY id DESC LIMIT 1`, node.Name); rule != "its process is gone" {
			t.Errorf("the session ended because %q", rule)
		}
		node.Start()
		atWork(t, c)
	}
	got.hold(t, "from kill -9 of an agent until another node has its leases", 250*time.Millisecond)
}

// Without its supervisor an agent stops, and takes its jobs along.
func TestAnAgentDoesNotOutliveItsSupervisor(t *testing.T) {
	beside(t)
	c := busy(t, 2)
	var jobs, agents, everything, followed sample
	for range tries(2, 50) {
		node := fuller(t, c)
		phase(c)
		agent, lost := node.Agent(), grips(t, c, node.Name)
		programs, all := node.Jobs(), node.Descendants()
		killed := time.Now()
		node.Signal(node.Supervisor(), syscall.SIGKILL)
		gone(t, c, programs)
		jobs = append(jobs, time.Since(killed))
		gone(t, c, []int{agent})
		agents = append(agents, time.Since(killed))
		gone(t, c, all)
		everything = append(everything, time.Since(killed))
		followed = append(followed, claimed(c, node.Name, len(lost), killed).Sub(killed))
		node.Reaped()
		deadBefore(t, c, lost)
		node.Start()
		atWork(t, c)
	}
	jobs.hold(t, "from kill -9 of a supervisor until its jobs are gone", 100*time.Millisecond)
	agents.hold(t, "from kill -9 of a supervisor until its agent is gone", 250*time.Millisecond)
	everything.hold(t, "from kill -9 of a supervisor until nothing of it is left", 2*time.Second)
	followed.hold(t, "from kill -9 of a supervisor until another node has its leases", 250*time.Millisecond)
}

// gone waits until processes have ended.
func gone(t *testing.T, c *cluster.Cluster, pids []int) {
	t.Helper()
	for begun := time.Now(); slices.ContainsFunc(pids, func(pid int) bool { return !cluster.Gone(pid) }); c.Elapse(time.Millisecond) {
		if time.Since(begun) > 10*time.Second {
			t.Fatalf("still alive: %v", pids)
		}
	}
}

// An agent that is frozen for longer than its session lasts loses its jobs
// before others begin them, and when it wakes it does nothing in their name.
func TestAFrozenAgentDoesNothingWhenItWakes(t *testing.T) {
	beside(t)
	c := busy(t, 2)
	for range tries(1, 10) {
		node := fuller(t, c)
		phase(c)
		lost, frozen := grips(t, c, node.Name), time.Now()
		agent := node.Agent()
		node.Signal(agent, syscall.SIGSTOP)
		t.Logf("frozen: followed after %v", claimed(c, node.Name, len(lost), frozen).Sub(frozen).Round(time.Millisecond))
		c.Elapse(c.Terms.TTL / 2)
		node.Signal(agent, syscall.SIGCONT)
		c.AwaitReady()
		deadBefore(t, c, lost)
		for _, g := range lost {
			c.Await(`SELECT count(*) = 1 FROM coterie.runs WHERE 'job/' || job = $1 AND token = $2 AND outcome = 'lost'`, g.Name, g.Token)
		}
		atWork(t, c)
	}
}
