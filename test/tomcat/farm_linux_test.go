package tomcat

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/coterie-ha/coterie/keystore"
	"github.com/coterie-ha/coterie/test/cluster"
)

// instance is a Tomcat with its keystore, and the agent beside it.
type instance struct {
	*server
	*cluster.Node
	file          string
	port, manager int
	path          string
}

// boot starts the Tomcat on what is in place.
func (i *instance) boot(t *testing.T) {
	t.Helper()
	i.server = start(t, i.path, fmt.Sprintf("%d\t%s\tpkcs12\tchangeit\t\ttomcat\n\n", i.port, i.file), fmt.Sprint(i.manager))
}

// farm is three Tomcats with an agent each, and one database.
type farm struct {
	*cluster.Cluster
	t     *testing.T
	admin string // configuration
	pass  string // file with the password
	nodes []*instance
	copy  string // of the active version, on the share
	first string // digest of what was there before any version
	next  int
}

func newFarm(t *testing.T) *farm {
	t.Helper()
	path := compiled(t, classpath(t))
	first, _ := fresh(t, 0)
	f := &farm{Cluster: cluster.Start(t, cluster.Options{Durable: true}), t: t, first: digest(first)}
	f.admin, f.pass = filepath.Join(f.Dir, "admin.yaml"), filepath.Join(f.Dir, "password")
	write600(t, f.pass, []byte("changeit\n"))
	ports := freePorts(t, 6)
	var all sync.WaitGroup
	for n := range 3 {
		i := &instance{file: filepath.Join(f.Dir, fmt.Sprintf("tomcat-%d.keystore", n)), port: ports[2*n], manager: ports[2*n+1], path: path}
		write600(t, i.file, first)
		f.nodes = append(f.nodes, i)
		all.Go(func() { i.boot(t) })
		i.Node = f.Add(fmt.Sprintf("app-%c", 'a'+n), cluster.NodeOptions{Actions: fmt.Sprintf(`keystore:
  file: %s
  address: 127.0.0.1:%d
  reload: manager
  url: http://127.0.0.1:%d/manager/text/sslReload
  check_every: 1s
  patience: 10s
  copy: conf/server.keystore
`, i.file, i.port, i.manager)})
	}
	all.Wait()
	f.copy = filepath.Join(f.nodes[0].Share(), "conf", "server.keystore")
	if err := os.Mkdir(filepath.Dir(f.copy), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, i := range f.nodes {
		i.Start()
	}
	f.AwaitReady()
	f.Await(`SELECT count(*) = 3 FROM coterie.keystore_recipients`)
	return f
}

func write600(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// stage stages a new version, and returns its fingerprint.
func (f *farm) stage() string {
	f.t.Helper()
	f.next++
	data, fingerprint := fresh(f.t, f.next)
	f.stageFile(data, f.pass)
	return fingerprint
}

func (f *farm) stageFile(data []byte, pass string) {
	f.t.Helper()
	file := filepath.Join(f.Dir, "next.keystore")
	write600(f.t, file, data)
	if out, code := f.Run("-c", f.admin, "keystore", "stage", file, "--password-file", pass, "-y"); code != 0 {
		f.t.Fatalf("stage: exit code %d: %s", code, out)
	}
}

// stageForeign stages a version that every node opens, and whose password is not the
// one that the servers' own configuration has.
func (f *farm) stageForeign() {
	f.t.Helper()
	f.next++
	data, _ := fresh(f.t, f.next)
	s, err := keystore.Read(data, keystore.Passwords{Store: "changeit"})
	if err != nil {
		f.t.Fatal(err)
	}
	if data, err = keystore.Write(s, keystore.PKCS12, "another"); err != nil {
		f.t.Fatal(err)
	}
	pass := filepath.Join(f.Dir, "another")
	write600(f.t, pass, []byte("another\n"))
	f.stageFile(data, pass)
}
