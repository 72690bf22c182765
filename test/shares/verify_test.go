//go:build linux

package shares

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

const verifyFile = `
jobs:
  - {name: verify, schedule: "@daily", action: coterie.verify-manifest, misfire: skip}
  - {name: hangs, schedule: "@daily", action: coterie.verify-manifest, timeout: 1s, misfire: skip}
  - {name: beside, schedule: "@every 1s", action: beside, misfire: skip}
`

// The share is held against its manifest while a part of it answers nobody, so that a
// kill does not help: the run is not called ended while its process is there, nothing
// counts as deleted, and the node and its other jobs go on.
func TestAVerificationThatHangsIsNeitherAnAnswerNorAHindrance(t *testing.T) {
	mounts(t)
	c := cluster.Start(t, cluster.Options{})
	a := c.Add("a", cluster.NodeOptions{AutoMigrate: true, Actions: "actions:\n  - {name: beside, command: [/bin/true]}\n"})
	a.Start()
	c.AwaitReady()
	conf := filepath.Join(a.Share(), "conf")
	for n := range 20 {
		write(t, filepath.Join(conf, fmt.Sprintf("file-%02d", n)), "as it was")
	}
	file := filepath.Join(c.Dir, "jobs.yaml")
	if err := os.WriteFile(file, []byte(verifyFile), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(want int, args ...string) string {
		t.Helper()
		out, code := c.Run(append([]string{"-c", a.Config()}, args...)...)
		if code != want {
			t.Fatalf("coterie %v: exit %d, want %d:\n%s", args, code, want, out)
		}
		return out
	}
	run(0, "jobs", "apply", "-f", file, "-y")
	c.AwaitHeld()
	run(0, "run", "verify", "--wait")
	before := threads(t, a)

	end := frozen(t, conf)
	ended := false
	t.Cleanup(func() {
		if !ended {
			end()
		}
	})
	run(0, "run", "hangs")
	c.Await(`SELECT count(*) = 1 FROM coterie.runs WHERE job = 'hangs' AND outcome = 'running'`)
	begun := time.Now()
	beside := func() int {
		return cluster.Get[int](c, `SELECT count(*) FROM coterie.runs WHERE job = 'beside' AND outcome = 'succeeded'`)
	}
	was := beside()
	for time.Since(begun) < 3500*time.Millisecond { // the timeout, and what a kill has
		c.Elapse(100 * time.Millisecond)
	}
	if n := beside(); n < was+2 {
		t.Errorf("meanwhile another job ran %d times", n-was)
	}
	if got := cluster.Get[string](c, `SELECT outcome FROM coterie.runs WHERE job = 'hangs' ORDER BY due_at DESC LIMIT 1`); got != "running" {
		t.Errorf("the run whose process cannot be killed is %s", got)
	}
	if after := threads(t, a); after > before+3 {
		t.Errorf("%d threads, %d before", after, before)
	}
	if out := run(0, "why", "hangs"); !strings.Contains(out, "running") {
		t.Errorf("why says:\n%s", out)
	}

	end() // the server is back
	ended = true
	c.Await(`SELECT outcome = 'timed_out' FROM coterie.runs WHERE job = 'hangs' ORDER BY due_at DESC LIMIT 1`)
	if n := cluster.Get[int](c, `SELECT count(*) FROM coterie.appdata_files WHERE path LIKE 'conf/file-%'`); n != 20 {
		t.Errorf("the manifest has %d files of 20", n)
	}
	if n := cluster.Get[int](c, `SELECT count(*) FROM coterie.events WHERE kind = 'session.ended'`); n != 0 {
		t.Errorf("%d sessions were lost", n)
	}
	run(0, "run", "verify", "--wait")
	if said := cluster.Get[string](c, `SELECT log_tail FROM coterie.runs WHERE job = 'verify' ORDER BY due_at DESC LIMIT 1`); !strings.Contains(said, "nothing changed") {
		t.Errorf("afterwards it says:\n%s", said)
	}
}
