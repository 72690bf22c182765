package keystores

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/coterie-ha/coterie/keystore"
	"github.com/coterie-ha/coterie/test/cluster"
	"github.com/coterie-ha/coterie/test/served"
)

func TestMain(m *testing.M) { cluster.Main(m) }

// holding is a keystore with a key and its chain.
func holding(t *testing.T, alias string, chain ...*served.Certificate) []byte {
	t.Helper()
	return served.Keystore(t, keystore.PKCS12, alias, chain[0].Key, chain...)
}

// usual is a keystore that servers and clients take.
func usual(t *testing.T) []byte {
	t.Helper()
	return holding(t, "tomcat", served.Issue(t, nil, nil))
}

// instance is a server that shows what its file has at each handshake, unless it is
// stuck with what it had, and the agent beside it.
type instance struct {
	*cluster.Node
	file, properties string
	stuck            atomic.Pointer[tls.Certificate]
}

func (i *instance) listen(t *testing.T) string {
	t.Helper()
	return served.Listen(t, func() (*tls.Certificate, error) {
		if c := i.stuck.Load(); c != nil {
			return c, nil
		}
		return served.Load(i.file)
	})
}

// pair is two nodes with a server each.
type pair struct {
	*cluster.Cluster
	t           *testing.T
	admin, pass string
	nodes       []*instance
	before      []byte
}

func newPair(t *testing.T, more string) *pair {
	t.Helper()
	p := addPair(t, more, cluster.NodeOptions{})
	p.start()
	return p
}

// addPair makes two nodes that are not started yet.
func addPair(t *testing.T, more string, o cluster.NodeOptions) *pair {
	t.Helper()
	p := &pair{Cluster: cluster.Start(t, cluster.Options{}), t: t, before: usual(t)}
	p.admin, p.pass = filepath.Join(p.Dir, "admin.yaml"), filepath.Join(p.Dir, "password")
	p.write(p.pass, []byte("changeit\n"))
	for _, name := range []string{"a", "b"} {
		i := &instance{file: filepath.Join(p.Dir, name, "tomcat.keystore"), properties: filepath.Join(p.Dir, name, "installed.properties")}
		if err := os.Mkdir(filepath.Dir(i.file), 0o755); err != nil {
			t.Fatal(err)
		}
		p.write(i.file, p.before)
		p.write(i.properties, []byte("tomcat.key.alias=tomcat\n"))
		o.Actions = fmt.Sprintf(`keystore:
  file: %s
  properties: %s
  address: %s
  reload: command
  command: [/bin/true]
  patience: 3s
%s`, i.file, i.properties, i.listen(t), more)
		i.Node = p.Add(name, o)
		p.nodes = append(p.nodes, i)
	}
	return p
}

func (p *pair) start() {
	p.t.Helper()
	for _, i := range p.nodes {
		i.Start()
	}
	p.AwaitReady()
	p.Await(`SELECT count(*) = 2 FROM coterie.keystore_recipients`)
}

func (p *pair) write(file string, data []byte) {
	p.t.Helper()
	tmp := file + ".new" // whoever reads it sees the old one or the new one
	if err := errors.Join(os.WriteFile(tmp, data, 0o600), os.Rename(tmp, file)); err != nil {
		p.t.Fatal(err)
	}
}

// command runs coterie keystore as an administrator does.
func (p *pair) command(args ...string) (out string, code int) {
	return p.Run(append([]string{"-c", p.admin, "keystore"}, args...)...)
}

// stage stages a keystore that is good.
func (p *pair) stage(data []byte) {
	p.t.Helper()
	file := filepath.Join(p.Dir, "next.keystore")
	p.write(file, data)
	if out, code := p.command("stage", file, "--password-file", p.pass, "-y"); code != 0 {
		p.t.Fatalf("stage: exit code %d: %s", code, out)
	}
}

// activate brings it to both nodes.
func (p *pair) activate() {
	p.t.Helper()
	if out, code := p.command("activate", "-y"); code != 0 {
		p.t.Fatalf("activate: exit code %d: %s\n%s", code, out, p.Picture())
	}
}
