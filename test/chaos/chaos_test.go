//go:build linux

package chaos

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

var (
	duration = flag.Duration("duration", 8*time.Second, "how long a trial hurts the cluster")
	seed     = flag.Uint64("seed", 0, "choices of the nemesis; 0 for new ones")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	cluster.Main(m)
}

// usual terms leave a supervisor time to end programs on a machine that is busy.
var usual = cluster.Terms{TTL: 1500 * time.Millisecond, Heartbeat: 250 * time.Millisecond, Margin: 500 * time.Millisecond}

func TestAHurtClusterKeepsItsPromises(t *testing.T) {
	beside(t)
	t.Logf("again with: go test ./test/chaos -run %s -duration %v -seed %d", t.Name(), *duration, *seed)
	h, found := trial{seed: *seed, lasts: *duration, terms: usual}.run(t)
	for _, v := range found {
		t.Error(v)
	}
	enough(t, h)
}

// afterLoss are faults that move leases in the moments that a standby misses.
var afterLoss = []string{FailOver, "kill agent", "kill host", "terminate", "cut both ways", "freeze agent", "freeze host"}

// A standby that takes over has missed the last moments: who held what then is
// unknown to it, and yet nobody begins before all others have stopped.
func TestAFailoverThatLosesWritesKeepsHoldersApart(t *testing.T) {
	beside(t)
	t.Logf("again with: go test ./test/chaos -run %s -duration %v -seed %d", t.Name(), *duration, *seed)
	lasts := *duration
	if lasts > time.Minute {
		lasts /= 4
	}
	h, found := trial{seed: *seed, lasts: lasts, terms: usual, only: afterLoss, lossy: true}.run(t)
	for _, v := range found {
		t.Error(v)
	}
	eras := 0
	for _, e := range h.Events {
		if e.Kind == "era.began" {
			eras++
		}
	}
	t.Logf("%d eras, %d claims, %d testimonies", eras, len(h.Events), len(h.Testimonies))
	if eras == 0 {
		t.Error("too little happened: no new era")
	}
}

// trial is a cluster that is hurt for a while.
type trial struct {
	program string        // "" for the one of this module
	seed    uint64        // choices of the nemesis
	lasts   time.Duration // without the healing
	only    []string      // kinds of faults
	terms   cluster.Terms
	atOnce  int  // nodes that are hurt at one time
	skewed  bool // the program's wall clocks are wrong
	lossy   bool // the database fails over
}

// run returns what was written down, and what is wrong with it.
func (tr trial) run(t *testing.T) (*History, []Violation) {
	t.Helper()
	c := cluster.Start(t, cluster.Options{Program: tr.program, Terms: tr.terms})
	// Programs that are short and on time, and programs that outlast a session.
	witness := func(d time.Duration) cluster.Witness {
		return cluster.Witness{For: d, Step: 10 * time.Millisecond, Hold: 15 * time.Millisecond}
	}
	actions := c.WitnessActions(map[string]cluster.Witness{
		"brief": witness(300 * time.Millisecond), "usual": witness(700 * time.Millisecond), "long": witness(2500 * time.Millisecond),
	})
	for i, misfire := range []string{"all", "once", "skip", "once", "skip", "once"} {
		c.Apply(cluster.Job{
			Name: fmt.Sprintf("job-%d", i), Action: []string{"brief", "usual", "long"}[i%3], Every: time.Second, Misfire: misfire,
		})
	}
	for i := range 4 {
		o := cluster.NodeOptions{Actions: actions}
		if tr.skewed {
			o.Env = []string{fmt.Sprintf("%s=%d", skewEnv, []int{3600, -3600, 90, -7}[i])}
		}
		c.Add(fmt.Sprintf("n%d", i), o).Start()
	}
	c.AwaitReady()
	c.AwaitHeld()
	if tr.skewed {
		wrongClocks(t, c)
	}
	if tr.lossy {
		if err := c.Follow(t.Context()); err != nil {
			t.Fatal(err)
		}
	}

	w := &Watcher{DSN: c.DSN("postgres")}
	watching, stop := context.WithCancel(t.Context())
	defer stop()
	var all sync.WaitGroup
	all.Go(func() {
		if err := w.Run(watching); err != nil {
			t.Error(err)
		}
	})
	n := &Nemesis{Cluster: c, Seed: tr.seed, Only: tr.only, AtOnce: tr.atOnce, Lossy: tr.lossy}
	hurting, end := context.WithTimeout(t.Context(), tr.lasts)
	defer end()
	if err := n.Run(hurting); err != nil {
		t.Fatal(err)
	}
	early, err := ledgerOf(c)
	if err != nil {
		t.Fatal(err)
	}
	ill := violations(n.Stuck())
	(&History{Events: early, Faults: n.Faults()}).eras(&ill)
	if len(ill) == 0 { // else nothing heals that
		ill = healed(c, len(c.Nodes))
	}
	stop()
	all.Wait()
	for _, node := range c.Nodes { // so that nothing is written any more
		if node.Alive() { // else it never healed
			node.Freeze()
		}
	}
	h, err := Gather(c, w, n.Faults())
	if err != nil {
		t.Fatal(err)
	}
	h.Lossy = tr.lossy
	return h, append(ill, h.Check()...)
}

// well are conditions of a cluster that is whole. The last one must always hold.
var well = map[string]string{
	"every node is ready":     `SELECT count(*) = $1 FROM coterie.nodes WHERE state = 'ready' AND expires_in > '0'`,
	"every lease is held":     `SELECT bool_and(valid) FROM coterie.leases`,
	slotsDone:                 `SELECT count(*) = 0 FROM coterie.jobs WHERE name LIKE 'job-%' AND coalesce(last_due_at < coterie.clock() - interval '3s', true)`,
	"there are no violations": `SELECT count(*) = 0 FROM coterie.violations`,
}

// slotsDone may take longer than the rest: a job that makes up for all its slots has
// a hundred of them to run after a long trial.
const slotsDone = "every slot is accounted for"

// healed waits until all is well again.
func healed(c *cluster.Cluster, nodes int) (ill []Violation) {
	late := func() bool {
		return *duration > time.Minute && len(ill) == 1 && strings.Contains(ill[0].Text, slotsDone)
	}
	for begun := time.Now(); time.Since(begun) < 30*time.Second || late() && time.Since(begun) < 2*time.Minute; c.Elapse(50 * time.Millisecond) {
		for _, node := range c.Nodes {
			node.Keep()
		}
		ill = nil
		for what, query := range well {
			var args []any
			if strings.Contains(query, "$1") {
				args = append(args, nodes)
			}
			if ok := cluster.Get[sql.NullBool](c, query, args...); !ok.Bool {
				ill = append(ill, Violation{"healing", "long after the last fault it is not so that " + what + "\n" + c.Picture()})
			}
		}
		if len(ill) == 0 {
			return nil
		}
	}
	return ill
}

// beside lets short trials run at the same time: most of each is waiting.
func beside(t *testing.T) {
	if *duration < 30*time.Second {
		t.Parallel()
	}
}

// enough fails when too little happened for the trial to prove anything.
func enough(t *testing.T, h *History) {
	t.Helper()
	count := map[string]int{}
	for _, f := range h.Faults {
		count[f.Kind]++
	}
	for _, e := range h.Events {
		count[e.Kind]++
	}
	for _, w := range h.Testimonies {
		count["effect "+string(w.Deed)]++
	}
	for _, r := range h.Runs {
		count["run "+r.Outcome]++
	}
	count["read"], count["fault"] = len(h.Reads), len(h.Faults)
	for _, what := range sorted(count) {
		t.Logf("%6d %s", count[what], what)
	}
	// For each ten seconds; and in a trial of half a minute each fault comes at least once.
	tens := int(*duration/(10*time.Second)) + 1
	least := map[string]int{
		"fault": 5 * tens, "lease.claimed": 6 + 4*tens, "session.ended": 2 * tens,
		"effect accepted": 100 * tens, "run succeeded": 8 * tens, "read": 500 * tens,
	}
	if tens > 3 {
		least["effect unknown"] = tens
		if tens > 50 {
			least["effect refused"] = 1 // rare: a program is seldom alive when its token is old
		}
		for kind := range nodeFaults {
			least[kind] = 1
		}
		for kind := range databaseFaults {
			least[kind] = 1
		}
	}
	for what, n := range least {
		if count[what] < n {
			t.Errorf("too little happened: %d times %s, want %d at least", count[what], what, n)
		}
	}
}
