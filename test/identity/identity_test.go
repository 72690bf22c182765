//go:build linux

package identity

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/sql/pgserver"
	"github.com/coterie-ha/coterie/test/cluster"
)

func TestMain(m *testing.M) { cluster.Main(m) }

var terms = cluster.Terms{TTL: 2 * time.Second, Heartbeat: 400 * time.Millisecond, Margin: 500 * time.Millisecond}

// start is a cluster with two jobs that run all the time.
func start(t *testing.T) *cluster.Cluster {
	t.Helper()
	c := cluster.Start(t, cluster.Options{Terms: terms})
	c.Apply(cluster.Job{Name: "one", Every: time.Second}, cluster.Job{Name: "two", Every: time.Second})
	return c
}

func action(c *cluster.Cluster) cluster.NodeOptions {
	return cluster.NodeOptions{Actions: c.WitnessAction(cluster.Witness{})}
}

// copied is a second installation: the configuration and the state directory of
// the first, as a cloned machine or a copied folder has them.
func copied(t *testing.T, c *cluster.Cluster, n *cluster.Node, name string) string {
	t.Helper()
	state := strings.TrimSuffix(n.Config(), ".yaml") + ".state"
	twin := filepath.Join(c.Dir, "twin")
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", state, twin+".state").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(n.Config())
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "{name: "+n.Name+"}", "{name: "+name+", address: 192.0.2.7}", 1)
	if changed == string(text) {
		t.Fatalf("no name to change in %s", text)
	}
	if err := os.WriteFile(twin+".yaml", []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return twin + ".yaml"
}

// refused runs an agent that must end by itself.
func refused(t *testing.T, c *cluster.Cluster, config string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Program(), "-c", config, "agent")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	exit := new(exec.ExitError)
	if !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("the copy was not refused within %v (%v): %s", time.Since(begun), err, out)
	}
	t.Logf("refused after %v with exit code %d", time.Since(begun).Round(time.Millisecond), exit.ExitCode())
	return string(out)
}

// standing is who lives and holds what.
func standing(c *cluster.Cluster) string {
	return cluster.Get[string](c, `
		SELECT (SELECT string_agg(format('%s/%s since %s', node, incarnation, started_at), ', ' ORDER BY node) FROM coterie.session) || '; ' ||
		       (SELECT string_agg(format('%s: %s %s', name, holder, token), ', ' ORDER BY name) FROM coterie.leases)`)
}

// The copy is told by its beating original: nothing else tells them apart.
func TestACopyOfALivingNodeIsRefusedAndTheClusterGoesOn(t *testing.T) {
	t.Parallel()
	c := start(t)
	n := c.Add("app-a", action(c))
	n.Start()
	c.AwaitReady()
	c.AwaitHeld()
	address := cluster.Get[string](c, `SELECT address FROM coterie.nodes WHERE name = 'app-a'`)
	before, word := standing(c), wordOf(t, n)
	out := refused(t, c, copied(t, c, n, "app-a"))
	if !strings.Contains(out, "COT-601") {
		t.Errorf("it said %s", out)
	}
	if after := standing(c); after != before {
		t.Errorf("before: %s\n after: %s", before, after)
	}
	if now := wordOf(t, n); now != word {
		t.Errorf("it wrote its own word in the place of %s's on the share: %s, and %s before", n.Name, now, word)
	}
	if got := cluster.Get[int](c, `SELECT count(*) FROM coterie.events WHERE kind = 'node.refused' AND node = 'app-a' AND reason LIKE '%another process%'`); got != 1 {
		t.Errorf("%d rows in the ledger say that it was refused, want 1", got)
	}
	c.Await(`SELECT state = 'ready' AND address = $1 FROM coterie.nodes WHERE name = 'app-a'`, address)
}

// wordOf is the nonce that a node's word on the share has.
func wordOf(t *testing.T, n *cluster.Node) string {
	t.Helper()
	word, err := appdata.ReadWord(n.Share(), n.Name)
	if err != nil {
		t.Fatal(err)
	}
	return word.Nonce
}

func TestACopyUnderAnotherNameIsRefused(t *testing.T) {
	t.Parallel()
	c := start(t)
	n := c.Add("app-a", action(c))
	n.Start()
	c.AwaitReady()
	c.AwaitHeld()
	before := standing(c)
	out := refused(t, c, copied(t, c, n, "app-b"))
	if !strings.Contains(out, "COT-") {
		t.Errorf("it said %s", out)
	}
	if after := standing(c); after != before {
		t.Errorf("before: %s\n after: %s", before, after)
	}
	if got := cluster.Get[int](c, `SELECT count(*) FROM coterie.events WHERE kind = 'node.refused' AND node = 'app-b' AND reason LIKE '%copied%'`); got != 1 {
		t.Errorf("%d rows in the ledger say that it was refused, want 1", got)
	}
}

// An agent that was killed with all that belongs to it is back at once: it can
// prove that its former process is gone.
func TestTheSameInstallationNeedNotWaitForItsFormerLife(t *testing.T) {
	t.Parallel()
	c := start(t)
	n := c.Add("app-a", action(c))
	n.Start()
	c.AwaitReady()
	c.AwaitHeld()
	former := cluster.Get[int64](c, `SELECT incarnation FROM coterie.session`)
	n.KillHost()
	begun := time.Now()
	n.Start()
	c.Await(`SELECT EXISTS (SELECT FROM coterie.session WHERE incarnation <> $1)`, former)
	took := time.Since(begun)
	t.Logf("a new life after %v", took.Round(time.Millisecond))
	if took > terms.TTL {
		t.Errorf("it took %v: it waited for the end of its former life", took)
	}
	c.AwaitHeld()
}

// An agent that never was there begins on a database whose files were put back.
// Neither the database nor the agent knows what was given meanwhile; the share does.
func TestAnAgentLearnsFromTheShareThatTheDatabaseWasSetBack(t *testing.T) {
	t.Parallel()
	c := start(t)
	data, kept := filepath.Join(c.Server.Dir, "data"), filepath.Join(c.Server.Dir, "kept")
	down(t, c)
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", data, kept).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	up(t, c)

	first := c.Add("app-a", action(c))
	first.Start()
	c.AwaitReady()
	c.AwaitHeld()
	last := cluster.Get[int64](c, `SELECT max(token) FROM coterie.leases`)
	awaitFile(t, filepath.Join(c.Dir, "share", ".coterie", "tokens", "app-a"), fmt.Sprintf("%d\n", last))
	first.KillHost()
	down(t, c)
	if err := errors.Join(os.RemoveAll(data), os.Rename(kept, data)); err != nil {
		t.Fatal(err)
	}
	up(t, c)

	c.Exec(`CREATE ROLE login_app_a LOGIN IN ROLE coterie_agent`) // it was made after the copy
	c.Nodes = nil
	c.Add("app-b", cluster.NodeOptions{Actions: action(c).Actions}).Start()
	c.AwaitReady()
	c.AwaitHeld()
	if got := cluster.Get[int64](c, `SELECT min(token) FROM coterie.leases`); got <= last {
		t.Errorf("token %d was given again, up to %d had been", got, last)
	}
	reason := cluster.Get[string](c, `SELECT coalesce(string_agg(reason, '; '), '') FROM coterie.events WHERE kind = 'era.began'`)
	if !strings.HasPrefix(reason, fmt.Sprintf("a token %d was given", last)) {
		t.Errorf("the ledger says %q", reason)
	}
}

// A standby that takes over has missed the last moments, and a copy that was refused
// later has written over the row: the database is told again, whatever it says.
func TestANodePutsBackWhatTheDatabaseForgotOfIt(t *testing.T) {
	t.Parallel()
	c := start(t)
	for _, name := range []string{"app-a", "app-b"} {
		c.Add(name, action(c)).Start()
	}
	c.AwaitReady()
	c.Await(`SELECT count(DISTINCT holder) = 2 FROM coterie.leases`)
	before := standing(c)
	knows := func(state string) {
		t.Helper()
		c.Exec(`INSERT INTO coterie.event (node, kind, subject) VALUES ('app-a', 'trial.hint', 'app-a')`)
		c.Await(`SELECT count(*) = 1 FROM coterie.nodes WHERE name = 'app-a' AND state = $1`, state)
	}
	for _, state := range []string{"joining", "draining", "drained", "leaving", "left"} {
		c.Exec(`UPDATE coterie.node SET state = $1::coterie.node_state WHERE name = 'app-a'`, state)
		knows("ready")
	}
	c.Exec(`DELETE FROM coterie.node WHERE name = 'app-a'`)
	knows("ready")
	if after := standing(c); after != before {
		t.Errorf("before: %s\n after: %s", before, after)
	}

	c.Exec(`UPDATE coterie.node SET goal = 'drained' WHERE name = 'app-a'`)
	knows("drained")
	c.Exec(`UPDATE coterie.node SET state = 'ready' WHERE name = 'app-a'`)
	knows("drained")
	c.Exec(`DELETE FROM coterie.node WHERE name = 'app-a'`)
	knows("ready") // nobody remembers that it was to be drained
	c.Exec(`UPDATE coterie.node SET state = 'evicted' WHERE name = 'app-a'`)
	c.Elapse(3 * terms.Heartbeat)
	knows("evicted") // which is nobody's own word
}

func down(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	if err := c.Server.Halt(pgserver.Fast); err != nil {
		t.Fatal(err)
	}
}

func up(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	if err := c.Server.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func awaitFile(t *testing.T, name, want string) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(name)
		if err == nil && string(text) == want {
			return
		}
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("%s says %q, %v; want %q", name, text, err, want)
		}
	}
}
