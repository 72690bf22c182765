//go:build linux

package figures

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

// The program says when it was started, by itself: the clock of this machine is also
// that of the database. Fork, exec and the supervisor between are all counted.
const dateActions = "actions:\n  - name: tick\n    command: [/bin/date, +%s%N]\n"

func TestChildrenStartWhenTheirSlotsAreDue(t *testing.T) {
	beside(t)
	jobs := tries(20, 100)
	c := cluster.Start(t, cluster.Options{Terms: terms()})
	for n := range 4 {
		c.Add(fmt.Sprintf("n%d", n), cluster.NodeOptions{Actions: dateActions, AutoMigrate: n == 0}).Start()
	}
	c.AwaitReady()
	t.Logf("the same program started by nobody but this test, %d a second beside agents at rest: %v", jobs, bareStarts(t, jobs, time.Duration(tries(1, 10))*time.Second))
	for _, load := range []struct {
		what, jitter string
		promise      time.Duration
	}{
		{"each at its own moment of the second", ", jitter: 999ms", 15 * time.Millisecond},
		{"all at the same moment", "", 0}, // as quick as so many processes can be made
	} {
		var file strings.Builder
		file.WriteString("jobs:\n")
		for n := range jobs {
			fmt.Fprintf(&file, "  - {name: tick-%03d, schedule: \"@every 1s\", action: tick%s}\n", n, load.jitter)
		}
		name := filepath.Join(c.Dir, "jobs.yaml")
		if err := os.WriteFile(name, []byte(file.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, code := c.Run("-c", c.Nodes[0].Config(), "jobs", "apply", "-f", name, "-y"); code != 0 {
			t.Fatalf("jobs apply: exit %d:\n%s", code, out)
		}
		c.AwaitHeld()
		c.Elapse(2 * time.Second) // what was late because nobody was there is over
		begun := cluster.Get[time.Time](c, `SELECT coterie.clock()`)
		c.Elapse(time.Duration(tries(3, 30)) * time.Second)
		var late sample
		for _, ns := range cluster.All[int64](c, `
			SELECT log_tail::bigint - (extract(epoch FROM due_at) * 1000000000)::bigint FROM coterie.runs
			WHERE outcome = 'succeeded' AND due_at > $1 AND log_tail ~ '^[0-9]+$'`, begun) {
			late = append(late, time.Duration(ns))
		}
		if len(late) < jobs {
			t.Fatalf("%s: only %d runs", load.what, len(late))
		}
		what := fmt.Sprintf("start of a program after its slot was due, %d jobs of each second on four nodes, %s", jobs, load.what)
		if load.promise == 0 {
			t.Logf("%s: %v", what, late)
			continue
		}
		late.hold(t, what, load.promise)
	}
}

// bareStarts is what the machine itself needs: a process each so many a second, at
// even distances, until the program knows what time it is.
func bareStarts(t *testing.T, each int, span time.Duration) sample {
	t.Helper()
	var (
		late     sample
		mu       sync.Mutex
		children sync.WaitGroup
	)
	tick := time.NewTicker(time.Second / time.Duration(each))
	defer tick.Stop()
	for begun := time.Now(); time.Since(begun) < span; {
		due := <-tick.C
		children.Go(func() {
			out, err := exec.Command("/bin/date", "+%s%N").Output()
			ns, bad := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
			if err := errors.Join(err, bad); err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			late = append(late, time.Unix(0, ns).Sub(due))
		})
	}
	children.Wait()
	return late
}
