//go:build linux

package shares

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-ha/coterie/test/cluster"
)

// A change by one host is acted upon by each node, once, when its own mount shows
// it; what the patterns do not name is nobody's business.
func TestAHookActsOnEachNodeOncePerChange(t *testing.T) {
	dir := t.TempDir()
	c := cluster.Start(t, cluster.Options{})
	for _, name := range []string{"a", "b"} {
		o := cluster.NodeOptions{More: fmt.Sprintf(`hooks:
  - name: reload
    files: ["conf/*.keystore", templates]
    command: [/bin/sh, -c, 'for p in $COTERIE_PATHS; do echo $p shown=$COTERIE_SHOWN >> %s/%s; done']
  - name: broken
    files: ["broken"]
    command: [/bin/false]
`, dir, name)}
		if name == "a" {
			o.Env = watches.Env
		}
		c.Add(name, o).Start()
	}
	c.AwaitReady()
	run := func(args ...string) string {
		out, code := c.Run(append([]string{"-c", filepath.Join(c.Dir, "admin.yaml")}, args...)...)
		if code != 0 {
			t.Fatalf("coterie %s: exit %d:\n%s", strings.Join(args, " "), code, out)
		}
		return out
	}
	share := c.Nodes[0].Share()
	write(t, filepath.Join(share, "conf/server.keystore"), "before anybody listened")
	run("appdata", "scan")
	c.Await(`SELECT count(*) = 4 AND bool_and(behind = 0) FROM coterie.appdata_hooks`)
	awaitWatch(t, c, c.Nodes[0])

	want := []string{}
	for i := range 20 {
		write(t, filepath.Join(share, "conf/server.keystore"), fmt.Sprint("key ", i))
		write(t, filepath.Join(share, "conf/other"), fmt.Sprint(i))
		write(t, filepath.Join(share, fmt.Sprintf("templates/deep/t%d", i)), "x")
		want = append(want, fmt.Sprintf("templates/deep/t%d shown=true", i))
		c.Await(`SELECT count(*) >= $1 FROM coterie.appdata_changes WHERE path = 'conf/server.keystore' AND change = 'modified'`, i+1)
	}
	c.Await(`SELECT bool_and(behind = 0) FROM coterie.appdata_hooks`)
	c.Await(`SELECT count(*) = 2 FROM coterie.appdata_hooks WHERE hook = 'reload' AND acted_at > heeded_at`)
	for _, node := range []string{"a", "b"} {
		text, err := os.ReadFile(filepath.Join(dir, node))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		count := map[string]int{}
		for _, line := range lines {
			count[line]++
		}
		for _, line := range want {
			if count[line] != 1 {
				t.Errorf("%s acted %d times: %s", node, count[line], line)
			}
		}
		if n := count["conf/server.keystore shown=true"]; n != 20 {
			t.Errorf("%s acted %d times upon 20 changes of the keystore", node, n)
		}
		for line := range count {
			if strings.HasPrefix(line, "conf/other") || strings.HasSuffix(line, "shown=false") {
				t.Errorf("%s acted upon %s", node, line)
			}
		}
	}

	// A restart repeats nothing, and what does not work is told, not tried again.
	write(t, filepath.Join(share, "broken"), "x")
	c.Await(`SELECT count(*) = 2 FROM coterie.findings WHERE code = 'COT-316' AND text LIKE '%broken did not work%'`)
	if n := cluster.Get[int](c, `SELECT count(*) FROM coterie.events WHERE kind = 'hook.failed'`); n != 2 {
		t.Errorf("%d failures are in the ledger", n)
	}
	before := cluster.Get[int](c, `SELECT sum(acted)::int FROM coterie.appdata_hooks`)
	c.Nodes[1].KillHost()
	c.Nodes[1].Start()
	c.AwaitReady()
	write(t, filepath.Join(share, "templates/last"), "x")
	c.Await(`SELECT sum(acted)::int = $1 FROM coterie.appdata_hooks`, before+2)
}
