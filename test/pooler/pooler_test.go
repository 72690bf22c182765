//go:build linux

package pooler

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/sql/pgserver"
	"github.com/coterie-ha/coterie/test/cluster"
)

func TestMain(m *testing.M) { cluster.Main(m) }

// Behind a pooler of transactions nobody hears what the others do; it is seen at
// the next heartbeat.
func TestAgentsWorkBehindAPooler(t *testing.T) {
	for _, how := range []pgserver.Pooling{pgserver.SessionPooling, pgserver.TransactionPooling} {
		t.Run(string(how), func(t *testing.T) {
			t.Parallel()
			terms := cluster.Terms{TTL: 3 * time.Second, Heartbeat: 800 * time.Millisecond, Margin: 600 * time.Millisecond}
			c := cluster.Start(t, cluster.Options{Terms: terms})
			c.Apply(cluster.Job{Name: "one", Every: time.Second}, cluster.Job{Name: "two", Every: time.Second})
			action := c.WitnessAction(cluster.Witness{})
			p := before(t, c, how, "login_app_a", "login_app_b")
			for _, name := range []string{"app-a", "app-b"} {
				through(t, c.Add(name, cluster.NodeOptions{Actions: action}), p)
			}
			c.AwaitReady()
			c.AwaitHeld()
			c.Await(`SELECT count(*) > 2 FROM coterie.runs WHERE outcome = 'succeeded'`)

			said, err := os.ReadFile(filepath.Join(c.Dir, "app-a.log"))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := strings.Contains(string(said), "a pooler shares connections"), how == pgserver.TransactionPooling; got != want {
				t.Errorf("it said that connections are shared: %t, want %t\n%s", got, want, said)
			}

			out, _ := c.Run("-c", c.Nodes[0].Config(), "doctor")
			if got, want := strings.Contains(out, "COT-227"), how == pgserver.TransactionPooling; got != want {
				t.Errorf("doctor notes a pooler: %t, want %t\n%s", got, want, out)
			}

			n := c.Nodes[0]
			n.Signal(n.Supervisor(), syscall.SIGTERM)
			n.Reaped()
			c.Await(`SELECT bool_and(valid AND holder = 'app-b') FROM coterie.leases`)
			took := cluster.Get[float64](c, `SELECT coalesce(max(extract(epoch FROM took)), 0)::float8 FROM coterie.takeovers WHERE cause = 'release' AND from_node = 'app-a'`)
			t.Logf("hand-overs took %.0f ms at most", took*1000)
			if limit := terms.Heartbeat + 400*time.Millisecond; took > limit.Seconds() {
				t.Errorf("a hand-over took %.0f ms, more than %v", took*1000, limit)
			}
		})
	}
}

func before(t *testing.T, c *cluster.Cluster, how pgserver.Pooling, logins ...string) *pgserver.Pooler {
	t.Helper()
	p, err := c.Server.Pool(t.Context(), how, logins, nil)
	if errors.Is(err, pgserver.ErrNoPooler) && os.Getenv("COTERIE_CI") == "" {
		t.Skipf("NO PGBOUNCER (%v): not tested; make pgbouncer installs it", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	keeping, enough := context.WithCancel(context.WithoutCancel(t.Context()))
	var kept sync.WaitGroup
	kept.Go(func() {
		revived, err := p.Keep(keeping)
		if err != nil {
			t.Error(err)
		}
		if revived > 0 {
			t.Logf("PgBouncer ended by itself and was started again %d times", revived)
		}
	})
	t.Cleanup(func() {
		enough()
		kept.Wait()
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// through starts a node that knows the pooler only.
func through(t *testing.T, n *cluster.Node, p *pgserver.Pooler) {
	t.Helper()
	text, err := os.ReadFile(n.Config())
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), fmt.Sprintf("port=%d", n.Link.Port), fmt.Sprintf("port=%d", p.Port), 1)
	if changed == string(text) {
		t.Fatalf("no port to change in %s", text)
	}
	if err := os.WriteFile(n.Config(), []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	n.Start()
}
