//go:build linux

package shares

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

var changes = flag.Int("changes", 3000, "files that are written, modified or removed under nodes that watch; 100,000 is what is promised")

// However many changes come at once, more than the kernel's queue holds, each file is in
// the journal as it is now, whoever looks on is told of each, and a scan finds nothing that
// nobody had told.
func TestNoAnnouncedChangeIsLost(t *testing.T) {
	c, run := watched(t, "a", "b")
	share := c.Nodes[0].Share()
	told := follow(t, c)
	name := func(i int) string { return fmt.Sprintf("var/%03d/file%06d", i%500, i) }
	begun := time.Now()
	for i := range *changes {
		write(t, filepath.Join(share, name(i)), "one")
	}
	wrote := time.Since(begun)
	settled(t, c, *changes)
	// Deletions at once of very many would wait for an operator, so each tenth is modified.
	modified := 0
	for i := 0; i < *changes; i += 10 {
		write(t, filepath.Join(share, name(i)), "another")
		modified++
	}
	const isThere = `SELECT count(*) FROM coterie.appdata_files WHERE kind = 'file' AND size = $1 AND path LIKE 'var/%'`
	awaitCount(t, c, modified, isThere, len("another"))

	if said := run("appdata", "scan"); !strings.Contains(said, "nothing changed") {
		t.Errorf("the scan found what nobody had told:\n%s", said)
	}
	bySource := cluster.All[string](c, `SELECT concat_ws(' ', source, count(*)) FROM coterie.appdata_changes WHERE kind = 'file' GROUP BY source ORDER BY source`)
	t.Logf("FIGURE %d changes, the first %d written in %v; in the journal %v; %s", *changes+modified, *changes, wrote.Round(time.Millisecond), bySource,
		cluster.Get[string](c, `SELECT concat_ws(' ', 'from the kernel until the journal: p50', latency_p50, 'p99', latency_p99) FROM coterie.appdata_sources WHERE source = 'watch'`))
	if twice := cluster.All[string](c, `SELECT path FROM coterie.appdata_changes WHERE kind = 'file' AND change = 'created' GROUP BY path HAVING count(*) <> 1`); len(twice) > 0 {
		t.Errorf("created more than once: %v", twice[:min(10, len(twice))])
	}
	if n := cluster.Get[int](c, `SELECT count(DISTINCT path) FROM coterie.appdata_changes WHERE kind = 'file' AND change = 'created'`); n != *changes {
		t.Errorf("%d files were created by the journal, of %d", n, *changes)
	}
	told.all(t, cluster.Get[int](c, `SELECT count(*) FROM coterie.appdata_changes`))
}

// settled waits until the manifest has that many files.
func settled(t *testing.T, c *cluster.Cluster, want int) {
	t.Helper()
	awaitCount(t, c, want, `SELECT count(*) FROM coterie.appdata_files WHERE kind = 'file' AND path LIKE 'var/%'`)
}

// awaitCount waits for a count for as long as it still rises.
func awaitCount(t *testing.T, c *cluster.Cluster, want int, query string, args ...any) {
	t.Helper()
	last, since := -1, time.Now()
	for {
		n := cluster.Get[int](c, query, args...)
		switch {
		case n == want:
			return
		case n != last:
			last, since = n, time.Now()
		case time.Since(since) > time.Minute:
			t.Fatalf("%d of %d, for a minute", n, want)
		}
		c.Elapse(100 * time.Millisecond)
	}
}

// follower is somebody who looks on.
type follower struct {
	cmd   *exec.Cmd
	lines chan string
}

// follow begins to look on at what changes.
func follow(t *testing.T, c *cluster.Cluster) follower {
	t.Helper()
	f := follower{cmd: exec.CommandContext(t.Context(), c.Program(), "-c", filepath.Join(c.Dir, "admin.yaml"), "appdata", "watch", "-o", "jsonl"), lines: make(chan string, 1<<20)}
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			f.lines <- s.Text()
		}
		close(f.lines)
	}()
	c.Await(`SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'coterie watch')`)
	return f
}

// all reads that many lines, each with another number, and then ends the looking on.
func (f follower) all(t *testing.T, want int) {
	t.Helper()
	seen := map[int64]bool{}
	for len(seen) < want {
		select {
		case line, on := <-f.lines:
			var one struct{ Seq int64 }
			if err := json.Unmarshal([]byte(line), &one); !on || err != nil || one.Seq == 0 || seen[one.Seq] {
				t.Fatalf("after %d of %d: %q, %v", len(seen), want, line, err)
			}
			seen[one.Seq] = true
		case <-time.After(time.Minute):
			t.Fatalf("who looks on was told %d of %d", len(seen), want)
		}
	}
	if err := f.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for line := range f.lines {
		t.Errorf("more than there is: %s", line)
	}
	if err := f.cmd.Wait(); err != nil {
		t.Errorf("stopped, it says %v", err)
	}
}
