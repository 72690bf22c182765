package migrate

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/coterie-ha/coterie/test/cluster"
)

// manyFiles take an agent some time to read that reads only so many a second.
const manyFiles = 2000

// moved is a cluster in which the server of node a was moved to the share.
type moved struct {
	*site
	*cluster.Cluster
	t *testing.T
}

// newMoved makes nodes, each but the first on a host of its own, as far as a host is
// known by its machine id.
func newMoved(t *testing.T, nodes ...string) *moved {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("NOT SHOWN: another host needs a machine id of its own, and only root can give one to a process")
	}
	c := cluster.Start(t, cluster.Options{Program: binary})
	c.Mark()
	for i, name := range nodes {
		var inside []string
		if i > 0 {
			id := filepath.Join(c.Dir, name+".machine-id")
			if err := os.WriteFile(id, fmt.Appendf(nil, "%032d\n", i), 0o644); err != nil {
				t.Fatal(err)
			}
			inside = []string{"unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc/machine-id && exec "$@"`, id}
		}
		var env []string
		if name == "b" {
			env = []string{"COTERIE_READ_FILES=100"}
		}
		c.Add(name, cluster.NodeOptions{Inside: inside, Env: env})
	}
	m := &moved{Cluster: c, t: t}
	m.site = &site{layout: Upgraded, dir: c.Dir, install: filepath.Join(c.Dir, "server"), plan: filepath.Join(c.Dir, "plan.json")}
	if err := m.layout.Make(m.install); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *moved) appdata() string { return m.Nodes[0].Share() }

// says runs the program on the host of the server.
func (m *moved) says(exit int, want string, args ...string) {
	m.t.Helper()
	out, code := m.Run(append([]string{"-c", m.Nodes[0].Config()}, args...)...)
	if code != exit || !strings.Contains(out, want) {
		m.t.Fatalf("coterie %v: exit code %d, want %d and %q\n%s\n%s", args, code, exit, want, out, m.Picture())
	}
}

func (m *moved) apply() {
	m.t.Helper()
	m.says(0, "plan written", "migrate", "plan", m.install, "--to", m.appdata(), "--accept", "local-disk,unseen-processes", "--out", m.plan)
	m.says(0, "another node's agent reads all of it back", "migrate", "apply", m.plan, "-y")
}

func TestAnotherNodesAgentReadsBackWhatWasMoved(t *testing.T) {
	m := newMoved(t, "a", "b")
	a, b := m.Nodes[0], m.Nodes[1]
	a.Start()
	m.Await(`SELECT state = 'ready' FROM coterie.nodes WHERE name = 'a'`)
	m.apply()
	// Node a is of the host that has moved it: its word would not count, and it gives none.
	m.says(0, "No other node's agent is at work", "migrate", "verify", m.plan)
	m.says(5, "COT-409", "migrate", "finish", m.plan, "-y")
	// A file is not what was proved, though it looks so.
	bad := filepath.Join(m.appdata(), "var/sa/auth")
	tamper := func(text string) {
		m.write(t, bad, text)
		if err := os.Chtimes(bad, then, then); err != nil {
			t.Fatal(err)
		}
	}
	tamper("SA")
	b.Start()
	m.Await(`SELECT reading = 'bad' AND reader = 'b' AND reading_message LIKE '%var/sa/auth: has another content%' AND NOT read_by @> '{b}' FROM coterie.migrations`)
	m.says(5, "COT-409", "migrate", "finish", m.plan, "-y")
	tamper("sa")
	m.says(0, "Node b has read 14 files", "migrate", "verify", m.plan)
	m.Await(`SELECT reading = 'well' AND files_read = 14 AND read_by @> '{b}' FROM coterie.migrations`)
	// Its word counts also where it could not leave it on the share.
	if err := os.RemoveAll(filepath.Join(m.appdata(), ".coterie/migrations", cluster.Get[string](m.Cluster, `SELECT plan FROM coterie.migrations`), "readings")); err != nil {
		t.Fatal(err)
	}
	m.says(0, "The originals are deleted", "migrate", "finish", m.plan, "-y")
	if _, err := os.Stat(filepath.Join(m.install, "var/repository")); err == nil {
		t.Error("originals are left")
	}
}

func TestAReadingThatIsKilledGoesOnHereAndBeginsElsewhere(t *testing.T) {
	m := newMoved(t, "a", "b", "c")
	for i := range manyFiles {
		m.write(t, filepath.Join(m.install, fmt.Sprintf("var/repository/many/%02d/%d", i%40, i)), fmt.Sprint(i))
	}
	a, b := m.Nodes[0], m.Nodes[1]
	a.Start()
	b.Start()
	m.Await(`SELECT count(*) = 2 FROM coterie.nodes WHERE state = 'ready'`)
	m.apply()
	m.Await(`SELECT reading = 'reading' AND reader = 'b' AND files_read > 0 FROM coterie.migrations`)
	b.Signal(b.Agent(), syscall.SIGKILL)
	b.Reaped()
	was := cluster.Get[int](m.Cluster, `SELECT files_read FROM coterie.migrations`)
	b.Start()
	m.Await(`SELECT detail->>'on' = 'true' FROM coterie.events WHERE kind = 'migration.reading' ORDER BY id DESC LIMIT 1`)
	if now := cluster.Get[int](m.Cluster, `SELECT files_read FROM coterie.migrations`); now < was || was < 256 {
		t.Errorf("%d files were read, and after a kill %d", was, now)
	}
	m.says(7, "COT-414", "migrate", "verify", m.plan, "--timeout", "6s")
	// A host that stands still: another one begins anew, since it has another mount.
	thaw := b.Freeze()
	m.Nodes[2].Start()
	m.Await(`SELECT reader = 'c' FROM coterie.migrations`)
	m.says(0, "Node c has read", "migrate", "verify", m.plan)
	m.Await(`SELECT reading = 'well' AND files_read = $1 AND read_by @> '{c}' FROM coterie.migrations`, manyFiles+14)
	// Who comes back has nothing more to say.
	thaw()
	m.Await(`SELECT state = 'ready' AND expires_in > '0' FROM coterie.nodes WHERE name = 'b'`)
	m.Await(`SELECT reading = 'well' AND reader = 'c' AND NOT read_by @> '{b}' FROM coterie.migrations`)
	m.says(0, "All is as it was", "migrate", "rollback", m.plan, "-y")
	m.Await(`SELECT reading IS NULL FROM coterie.migrations`)
}
