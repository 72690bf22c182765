//go:build linux

package shares

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
)

var takes = flag.Int("takes", 3, "files brought from node to node, while an agent or the command is killed")

// Whoever is killed while a node takes a file from another, the file is the old one or
// the new one; said again, it is the new one, and no copy is left in the share.
func TestAKillLeavesATakenFileOldOrNew(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	roots := map[string]string{}
	for _, name := range []string{"a", "b"} {
		roots[name] = filepath.Join(c.Dir, "root-"+name)
		c.Add(name, cluster.NodeOptions{More: fmt.Sprintf("equal: {root: %q, paths: [patches], watch: true}\n", roots[name])})
	}
	const name = "patches/big.jar"
	content := func(node string, round int) []byte {
		return bytes.Repeat(fmt.Appendf(nil, "%s%d ", node, round), 1<<20)
	}
	put := func(node string, round int) {
		write(t, filepath.Join(roots[node], name+".new"), string(content(node, round)))
		if err := os.Rename(filepath.Join(roots[node], name+".new"), filepath.Join(roots[node], name)); err != nil {
			t.Fatal(err)
		}
	}
	put("a", 0)
	put("b", 0)
	for _, n := range c.Nodes {
		n.Start()
	}
	c.AwaitReady()
	said := []string{"-c", filepath.Join(c.Dir, "admin.yaml"), "appdata", "diff", "b", "--take-from", "a", "-y"}
	got := func() []byte {
		text, err := os.ReadFile(filepath.Join(roots["b"], name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for round := 1; round <= *takes; round++ {
		put("a", round)
		put("b", round)
		old, text := content("b", round), content("a", round)
		// Both have told what they have now.
		for node, has := range map[string][]byte{"a": text, "b": old} {
			c.Await(`SELECT count(*) = 1 FROM coterie.appdata_files WHERE tree = $1 AND path = $2 AND digest = encode(sha256($3), 'hex')`, "node/"+node, name, has)
		}
		c.Await(`SELECT count(*) > 0 FROM coterie.drifts WHERE node = 'b' AND path = $1`, name)
		ctx, cancel := context.WithCancel(t.Context())
		cmd := exec.CommandContext(ctx, c.Program(), said...)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		c.Elapse(rand.N(400 * time.Millisecond))
		switch victim := (round - 1) % 3; victim {
		case 2:
			cancel() // the command
		default:
			n := c.Nodes[victim]
			n.Signal(n.Agent(), syscall.SIGKILL)
			n.Reaped()
			n.Start() // as systemd does
		}
		err := cmd.Wait()
		cancel()
		if now := got(); !bytes.Equal(now, old) && !bytes.Equal(now, text) {
			t.Fatalf("round %d: %d bytes of neither (%v)\n%s", round, len(now), err, out.String())
		}
		t.Logf("round %d: %v", round, err)
		c.AwaitReady()
		if again, code := c.Run(said...); code != 0 {
			t.Fatalf("round %d: said again: exit %d\n%s", round, code, again)
		}
		c.Await(`SELECT count(*) = 0 FROM coterie.takes WHERE state IN ('asked', 'given')`)
		if now := got(); !bytes.Equal(now, text) {
			t.Fatalf("round %d: said again, b has %d bytes of another\n%s", round, len(now), c.Picture())
		}
		c.Await(`SELECT count(*) = 0 FROM coterie.drifts WHERE node = 'b'`)
	}
	for begun := time.Now(); ; c.Elapse(50 * time.Millisecond) {
		left, err := filepath.Glob(filepath.Join(c.Nodes[0].Share(), ".coterie", "take", "*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(left) == 0 {
			break
		}
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("copies are left: %v", left)
		}
	}
}
