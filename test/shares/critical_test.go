//go:build linux

package shares

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

// Nodes that listen to no kernel look at what is critical again and again: what
// anybody changes there is in the journal, once, though both have seen it.
func TestWhatIsCriticalIsInTheJournalWithoutAScan(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	for _, name := range []string{"a", "b"} {
		c.Add(name, cluster.NodeOptions{Env: []string{"COTERIE_APPDATA_CRITICAL=conf,keys/server.keystore"}}).Start()
	}
	c.AwaitReady()
	share := c.Nodes[0].Share()
	write(t, filepath.Join(share, "keys/server.keystore"), "one")
	write(t, filepath.Join(share, "var/log"), "x")
	if out, code := c.Run("-c", filepath.Join(c.Dir, "admin.yaml"), "appdata", "scan"); code != 0 {
		t.Fatalf("scan: exit %d:\n%s", code, out)
	}
	for _, n := range c.Nodes {
		awaitWatch(t, c, n)
	}
	var took []time.Duration
	write(t, filepath.Join(share, "var/log"), "nobody looks here")
	times := map[string]int{}
	for i, name := range []string{"keys/server.keystore", "conf/new", "conf/new", "keys/server.keystore", "conf/other"} {
		write(t, filepath.Join(share, name), fmt.Sprint("text ", i))
		begun := time.Now()
		const told = `SELECT count(*) = $2 FROM coterie.appdata_changes WHERE path = $1 AND source = 'watch'`
		times[name]++
		for !cluster.Get[bool](c, told, name, times[name]) {
			if time.Since(begun) > 30*time.Second {
				t.Fatalf("%s is not in the journal: %v", name, cluster.All[string](c, `SELECT concat_ws(' ', seq, change, path, source, seen_by) FROM coterie.appdata_changes ORDER BY seq`))
			}
			c.Elapse(20 * time.Millisecond)
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	t.Logf("FIGURE a foreign change of a critical file is in the journal after %v", took)
	if half := took[len(took)/2]; half > 2500*time.Millisecond {
		t.Errorf("half of them took more than %v, of 2.5 s", half)
	}
	if n := cluster.Get[int](c, `SELECT count(*) FROM coterie.appdata_changes WHERE path = 'var/log'`); n != 0 {
		t.Errorf("%d changes of what is not critical", n)
	}
}
