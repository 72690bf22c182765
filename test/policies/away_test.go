//go:build linux

package policies

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

// What ends only when it is told to; then it says whether it was asked to end before.
const awayActions = `actions:
  - name: patient
    command: [/bin/sh, -c, 'trap "echo asked" TERM; echo $$ > $0/pid.$$; mv $0/pid.$$ $0/began-$COTERIE_JOB; while [ ! -e $0/go ]; do sleep 0.05; done; echo finished', "HERE"]
`

const awayFile = `
jobs:
  - {name: fenced, schedule: "@every 24h", action: patient, while_away: finish_fenced, misfire: skip}
  - {name: plain, schedule: "@every 24h", action: patient, misfire: skip}
`

// The database stands still for longer than a session is trusted.
func TestARunWhoseEffectsAreFencedFinishesWhileTheDatabaseIsFrozen(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Terms: cluster.Fast})
	began := func(job string) string { return filepath.Join(c.Dir, "began-"+job) }
	n := c.Add("app-a", cluster.NodeOptions{Actions: strings.ReplaceAll(awayActions, "HERE", c.Dir), AutoMigrate: true})
	n.Start()
	c.AwaitReady()
	file := filepath.Join(c.Dir, "jobs.yaml")
	if err := os.WriteFile(file, []byte(awayFile), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"jobs", "apply", "-f", file, "-y"}, {"run", "fenced"}, {"run", "plain"}} {
		if out, code := c.Run(append([]string{"-c", n.Config()}, args...)...); code != 0 {
			t.Fatalf("coterie %v: exit %d:\n%s", args, code, out)
		}
	}
	for _, job := range []string{"fenced", "plain"} {
		c.Await(`SELECT count(*) = 1 FROM coterie.runs WHERE job = $1 AND outcome = 'running'`, job)
		for patience := 500; ; patience-- {
			if _, err := os.Stat(began(job)); err == nil {
				break
			} else if patience == 0 {
				t.Fatalf("the program of %s did not begin: %v", job, err)
			}
			c.Elapse(20 * time.Millisecond)
		}
	}

	thaw := cluster.FreezeTree(c.Server.PID())
	c.Elapse(3 * time.Second)
	for job, want := range map[string]bool{"fenced": true, "plain": false} {
		if runs := !gone(t, began(job)); runs != want {
			t.Errorf("while the database stands still, the program of %s runs: %v", job, runs)
		}
	}
	thaw()
	c.Await(`SELECT count(*) = 1 FROM coterie.runs WHERE job = 'plain' AND outcome = 'lost'`)
	if err := os.WriteFile(filepath.Join(c.Dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.Await(`SELECT count(*) = 1 FROM coterie.runs WHERE job = 'fenced' AND outcome = 'succeeded' AND log_tail = 'finished'`)
	if n := cluster.Get[int](c, `SELECT count(*) FROM coterie.runs WHERE job = 'fenced'`); n != 1 {
		t.Errorf("fenced has %d rows, want the one", n)
	}
}

// gone tells whether the process is whose number a file has.
func gone(t *testing.T, file string) bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return cluster.Gone(pid)
}
