//go:build linux

package shares

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

var watches = cluster.NodeOptions{Env: []string{"COTERIE_APPDATA_WATCH=true"}}

// watched is a cluster of two nodes that watch, and a share that was scanned.
func watched(t *testing.T, nodes ...string) (c *cluster.Cluster, run func(...string) string) {
	t.Helper()
	c = cluster.Start(t, cluster.Options{})
	for _, name := range nodes {
		c.Add(name, watches).Start()
	}
	c.AwaitReady()
	run = func(args ...string) string {
		t.Helper()
		out, code := c.Run(append([]string{"-c", filepath.Join(c.Dir, "admin.yaml")}, args...)...)
		if code != 0 {
			t.Fatalf("coterie %s: exit %d:\n%s", strings.Join(args, " "), code, out)
		}
		return out
	}
	run("appdata", "scan")
	for _, n := range c.Nodes {
		awaitWatch(t, c, n)
	}
	return c, run
}

func awaitWatch(t *testing.T, c *cluster.Cluster, n *cluster.Node) {
	t.Helper()
	for begun := time.Now(); !strings.Contains(logOf(t, n), "watching the share"); c.Elapse(20 * time.Millisecond) {
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("%s does not watch:\n%s", n.Name, logOf(t, n))
		}
	}
}

func logOf(t *testing.T, n *cluster.Node) string {
	t.Helper()
	text, err := os.ReadFile(n.LogFile())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Both nodes hear of each change, since both look at one disk; each is in the
// journal once, none is missed, and somebody who looks on sees them at once.
func TestWhatAHostChangesIsInTheJournalAtOnce(t *testing.T) {
	c, run := watched(t, "a", "b")
	share := c.Nodes[0].Share()

	told := follow(t, c)

	const files = 300
	for i := range files {
		write(t, filepath.Join(share, fmt.Sprintf("conf/%02d/file%03d", i%10, i)), "x")
	}
	c.Await(`SELECT count(*) = $1 FROM coterie.appdata_changes WHERE change = 'created' AND kind = 'file'`, files)
	if err := os.Rename(filepath.Join(share, "conf/00"), filepath.Join(share, "moved")); err != nil {
		t.Fatal(err)
	}
	// A look that had begun before may have seen one half of it: then it is a deletion and a creation.
	c.Await(`SELECT count(*) = $1 FROM coterie.appdata_changes WHERE kind = 'file' AND path LIKE 'moved/%' AND change IN ('renamed', 'created')`, files/10)
	c.Await(`SELECT count(*) = $1 FROM coterie.appdata_changes WHERE kind = 'file' AND (from_path LIKE 'conf/00/%' OR change = 'deleted' AND path LIKE 'conf/00/%')`, files/10)
	write(t, filepath.Join(share, "conf/01/file001"), "y")
	if err := os.Remove(filepath.Join(share, "conf/02/file002")); err != nil {
		t.Fatal(err)
	}
	c.Await(`SELECT count(*) = 2 FROM coterie.appdata_changes WHERE path IN ('conf/01/file001', 'conf/02/file002') AND change IN ('modified', 'deleted')`)

	out2 := run("appdata", "scan")
	if !strings.Contains(out2, "nothing changed") {
		t.Errorf("the scan found what was missed: %s\n%s", out2, run("appdata", "changes"))
	}
	if twice := cluster.All[string](c, `SELECT path FROM coterie.appdata_changes WHERE kind = 'file' GROUP BY path, change, from_path HAVING count(*) > 1`); len(twice) > 0 {
		t.Errorf("in the journal twice: %v", twice)
	}
	t.Logf("latency of what the watch told: %s", cluster.Get[string](c, `SELECT concat_ws(' ', 'p50', latency_p50, 'p99', latency_p99) FROM coterie.appdata_sources WHERE source = 'watch'`))

	if n := cluster.Get[int](c, `SELECT count(*) FROM coterie.appdata_changes WHERE source <> 'watch'`); n != 0 {
		t.Errorf("%d changes were not told by the watch", n)
	}
	told.all(t, cluster.Get[int](c, `SELECT count(*) FROM coterie.appdata_changes`))
}

// A watch that was lost leads to a scan, which finds what nobody heard.
func TestALostWatchLeadsToAScan(t *testing.T) {
	c, run := watched(t, "a")
	file := filepath.Join(c.Dir, "jobs.yaml")
	write(t, file, "jobs:\n  - {name: verify, schedule: \"@every 24h\", action: coterie.verify-manifest, misfire: skip}\n")
	run("jobs", "apply", "-f", file, "-y")
	c.AwaitHeld()
	killed := 0
	for _, pid := range c.Nodes[0].Descendants() {
		if argv, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && strings.HasSuffix(string(argv), "\x00worker\x00") {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			killed++
		}
	}
	if killed == 0 {
		t.Fatal("nobody to kill")
	}
	write(t, filepath.Join(c.Nodes[0].Share(), "conf/unheard"), "x")
	c.Await(`SELECT EXISTS (SELECT FROM coterie.appdata_changes WHERE path = 'conf/unheard' AND source = 'scan')`)
	c.Await(`SELECT doubt IS NULL AND doubts > 0 FROM coterie.appdata_trees WHERE name = 'share'`)
	write(t, filepath.Join(c.Nodes[0].Share(), "conf/heard"), "x")
	c.Await(`SELECT EXISTS (SELECT FROM coterie.appdata_changes WHERE path = 'conf/heard' AND source = 'watch')`)
}
