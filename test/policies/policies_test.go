//go:build linux

package policies

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/test/cluster"
)

func TestMain(m *testing.M) { cluster.Main(m) }

// The programs: one takes its time to end, one never does by itself.
const actions = `actions:
  - {name: ok, command: [/bin/true]}
  - {name: gentle, command: [/bin/sh, -c, 'trap "kill \$! 2>/dev/null; sleep 1; echo ended well; exit 7" TERM; sleep 30 & wait']}
  - {name: sleep, command: [/bin/sleep, "1000"]}
`

const jobsFile = `
jobs:
  - {name: plain, schedule: "@every 1s", action: ok}
  - {name: tagged, schedule: "@every 1s", action: ok, requires: [big]}
  - {name: patient, schedule: "@every 10m", action: gentle, timeout: 300ms, stop_grace: 20s, misfire: skip}
  - {name: hasty, schedule: "@every 10m", action: gentle, timeout: 300ms, misfire: skip}
  - {name: forever, schedule: "@every 24h", action: sleep, misfire: skip}
`

func TestJobsGoWhereTheyMayAndEndAsTheySay(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Terms: cluster.Fast})
	c.Add("front", cluster.NodeOptions{Actions: actions, Node: "candidate: false, tags: [big]"}).Start()
	small := c.Add("small", cluster.NodeOptions{Actions: actions, AutoMigrate: true})
	small.Start()
	c.AwaitReady()
	file := filepath.Join(c.Dir, "jobs.yaml")
	if err := os.WriteFile(file, []byte(jobsFile), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(want int, args ...string) string {
		t.Helper()
		out, code := c.Run(append([]string{"-c", small.Config()}, args...)...)
		if code != want {
			t.Fatalf("coterie %s: exit %d, want %d:\n%s", strings.Join(args, " "), code, want, out)
		}
		return out
	}
	run(0, "jobs", "apply", "-f", file, "-y")

	// The front end has the action and the tag, and still nothing runs there.
	c.Await(`SELECT count(*) >= 2 FROM coterie.runs WHERE job = 'plain' AND outcome = 'succeeded'`)
	if n := cluster.Get[int](c, `SELECT count(*) FROM coterie.runs WHERE node = 'front' OR job = 'tagged'`); n > 0 {
		t.Errorf("%d runs where none may be", n)
	}
	if told := run(0, "jobs", "tagged"); !strings.Contains(told, "no ready node has the action ok and the tags big") {
		t.Errorf("it is not told why tagged does not run:\n%s", told)
	}

	// Asked to end, the program may take the time that its job gives it, and no more.
	run(0, "run", "patient")
	run(0, "run", "hasty")
	c.Await(`SELECT count(*) = 2 FROM coterie.runs WHERE job IN ('patient', 'hasty') AND outcome = 'timed_out'`)
	if tail := cluster.Get[string](c, `SELECT coalesce(log_tail, '') FROM coterie.runs WHERE job = 'patient'`); tail != "ended well" {
		t.Errorf("the patient one said %q", tail)
	}
	if tail := cluster.Get[string](c, `SELECT coalesce(log_tail, '') FROM coterie.runs WHERE job = 'hasty'`); tail != "" {
		t.Errorf("the hasty one said %q", tail)
	}

	// A front end that is ready still serves, so the only node that runs jobs may be drained; then nobody is left.
	big := c.Add("big", cluster.NodeOptions{Actions: actions, Node: "tags: [big, red], max_runs: 1"})
	big.Start()
	c.Await(`SELECT count(*) >= 2 FROM coterie.runs WHERE job = 'tagged' AND node = 'big' AND outcome = 'succeeded'`)
	steps := run(0, "drain", "small", "-y", "--deadline", "20s")
	for _, step := range []string{"draining", "gave back job/", "drained"} {
		if !strings.Contains(steps, step) {
			t.Errorf("drain does not tell %q:\n%s", step, steps)
		}
	}
	run(0, "drain", "front", "-y", "--deadline", "20s")
	if out := run(int(problem.ExitRefused), "drain", "big", "-y"); !strings.Contains(out, "last ready node") {
		t.Errorf("got %s", out)
	}
	run(0, "resume", "small")
	c.Await(`SELECT count(DISTINCT holder) = 2 FROM coterie.leases WHERE name LIKE 'job/%' AND valid`)

	// What does not end by itself is stopped at the deadline, when the operator says so.
	run(0, "run", "forever")
	c.Await(`SELECT count(*) = 1 FROM coterie.runs WHERE job = 'forever' AND outcome = 'running'`)
	at := cluster.Get[string](c, `SELECT node FROM coterie.runs WHERE job = 'forever'`)
	other := map[string]string{"small": "big", "big": "small"}[at]
	if out := run(0, "drain", at, "-y", "--deadline", "1s", "--stop"); !strings.Contains(out, "the deadline has passed: stopping job/forever, which goes to "+other) {
		t.Errorf("got %s", out)
	}
	if got := cluster.Get[string](c, `SELECT outcome FROM coterie.runs WHERE job = 'forever'`); got != "cancelled" {
		t.Errorf("forever is %s", got)
	}
	run(0, "resume", at, "--deadline", "20s")

	// Nothing is begun of what is paused.
	run(0, "pause", "plain", "-m", "trial")
	c.Elapse(300 * 1e6)
	before := cluster.Get[int](c, `SELECT count(*) FROM coterie.runs WHERE job = 'plain'`)
	c.Elapse(2500 * 1e6)
	if after := cluster.Get[int](c, `SELECT count(*) FROM coterie.runs WHERE job = 'plain'`); after != before {
		t.Errorf("%d runs in a pause", after-before)
	}
	if n := cluster.Get[int](c, `SELECT count(*) FROM coterie.findings WHERE code = 'COT-514' AND subject = 'plain' AND text LIKE '%: trial'`); n != 1 {
		t.Errorf("the pause is found %d times", n)
	}
	run(0, "unpause", "plain")
	c.Await(`SELECT count(*) >= 2 FROM coterie.runs WHERE job = 'plain' AND outcome = 'skipped' AND reason LIKE '%paused it from%(trial)'`)
}
