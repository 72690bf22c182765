package trust

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/cluster"
	"github.com/coterie-ha/coterie/test/served"
)

func TestMain(m *testing.M) { cluster.Main(m) }

var changes = flag.Int("changes", 1, "certificates that are replaced while clients call")

// pair is a node with the server beside it.
type pair struct {
	*cluster.Node
	*server
}

// band is a cluster whose servers trust one another.
type band struct {
	*cluster.Cluster
	t     *testing.T
	admin string
	pairs map[string]*pair
}

func newBand(t *testing.T, names ...string) *band {
	t.Helper()
	b := &band{Cluster: cluster.Start(t, cluster.Options{}), t: t, pairs: map[string]*pair{}}
	b.admin = filepath.Join(b.Dir, "admin.yaml")
	b.write("password", []byte("changeit\n"))
	for _, name := range names {
		b.add(name)
		b.pairs[name].Start()
	}
	b.AwaitReady()
	return b
}

func (b *band) add(name string) {
	b.t.Helper()
	p := &pair{server: serve(b.t, name)}
	p.Node = b.Add(name, cluster.NodeOptions{Node: fmt.Sprintf("state_dir: %q", b.path(name+".state")), More: fmt.Sprintf(`trust:
  address: %s
  certificates: [%s]
  pem: %s
  pkcs12: %s
  jks: %s
  password_file: %s
  check_every: 1s
  test_every: 1s
`, p.address, b.path(name+".next.pem"), b.bundle(name), b.path(name+".p12"), b.path(name+".jks"), b.path("password"))})
	b.write(name+".next.pem", p.cert.Load().PEM())
	b.pairs[name] = p
}

func (b *band) path(name string) string   { return filepath.Join(b.Dir, name) }
func (b *band) bundle(name string) string { return b.path(name + ".pem") }

func (b *band) write(name string, data []byte) {
	b.t.Helper()
	if err := os.WriteFile(b.path(name), data, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *band) has(name string, m *served.Certificate) bool {
	b.t.Helper()
	text, err := os.ReadFile(b.bundle(name))
	if err != nil {
		b.t.Fatal(err)
	}
	return bytes.Contains(text, m.PEM())
}

// coterie runs a command of the administrator's.
func (b *band) coterie(code int, args ...string) string {
	b.t.Helper()
	out, got := b.Run(append([]string{"-c", b.admin}, args...)...)
	if got != code {
		b.t.Fatalf("coterie %s: exit code %d, want %d: %s\n%s", strings.Join(args, " "), got, code, out, b.known())
	}
	return out
}

func (b *band) known() string {
	return strings.Join(cluster.All[string](b.Cluster, `
		SELECT concat_ws(' ', 'rendering', node, version, newest, state, error) FROM coterie.trust_renderings
		UNION ALL SELECT concat_ws(' ', 'pair', from_node, to_node, result, version, reason) FROM coterie.trusts
		UNION ALL SELECT concat_ws(' ', 'entry', alias, version) FROM coterie.trust_entries
		UNION ALL SELECT concat_ws(' ', 'certificate', node, version, state, trusted) FROM coterie.trust_certificates
		UNION ALL SELECT concat_ws(' ', 'node', name, state, message) FROM coterie.nodes
		UNION ALL SELECT concat_ws(' ', 'approval', node, state, how) FROM coterie.approvals`), "\n")
}

// together waits until every server trusts every one, by real connections.
func (b *band) together(pairs int) {
	b.t.Helper()
	out := b.coterie(0, "trusts", "--wait", "30s", "-o", "csv", "--columns", "from_node,to_node,result")
	if got := strings.Count(out, ",ok"); got != pairs {
		b.t.Fatalf("%d pairs are ok, want %d:\n%s", got, pairs, out)
	}
}

// A cluster's life, and nobody copies a file.
func TestServersTrustOneAnotherAndNoFileIsCopied(t *testing.T) {
	b := newBand(t, "app-a", "app-b", "app-c")
	b.together(9)
	t.Log("published, rendered, and called: 9 pairs of 9")
	if *changes > 1 {
		b.hanging()
	}
	for _, step := range []func(){b.byHand, b.proxy, b.newcomer, b.changeWithoutAFailure, b.wrongCertificate, b.leaving} {
		step()
	}
}

// hanging has a server take connections and say nothing: that is told, nobody's session
// suffers, and the server's certificate is not given up.
func (b *band) hanging() {
	b.t.Helper()
	const lives = `SELECT string_agg(node || ' ' || incarnation, ', ' ORDER BY node) FROM coterie.session`
	before := cluster.Get[string](b.Cluster, lives)
	p := b.pairs["app-c"]
	p.hangs.Store(true)
	b.Await(`SELECT count(*) = 3 FROM coterie.trusts WHERE to_node = 'app-c' AND result = 'timeout'`)
	if after := cluster.Get[string](b.Cluster, lives); after != before || !b.has("app-a", p.cert.Load()) {
		b.t.Errorf("sessions were %s and are %s", before, after)
	}
	p.hangs.Store(false)
	b.together(9)
}

// byHand has somebody edit a file: it is put right, and told.
func (b *band) byHand() {
	b.t.Helper()
	stranger := make1(b.t, "stranger", "stranger.example.org", time.Hour)
	text, err := os.ReadFile(b.bundle("app-b"))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.Chmod(b.bundle("app-b"), 0o640); err != nil {
		b.t.Fatal(err)
	}
	b.write("app-b.pem", append(stranger.PEM(), text...))
	b.Await(`SELECT count(*) = 1 FROM coterie.events WHERE kind = 'trust.mended' AND node = 'app-b' AND reason LIKE '%CN=stranger%not in the trust store%'`)
	again, err := os.ReadFile(b.bundle("app-b"))
	info, stat := os.Stat(b.bundle("app-b"))
	if err != nil || !bytes.Equal(again, text) || stat != nil || info.Mode().Perm() != 0o640 {
		b.t.Errorf("the file is not as it was: %v %v", err, stat)
	}
	if kept, err := os.ReadFile(b.path("app-b.state/trust.edited.app-b.pem")); err != nil || !bytes.Contains(kept, stranger.PEM()) {
		b.t.Errorf("what somebody wrote is lost: %v", err)
	}
}

// proxy exports to a server that is no node, and has the nodes trust its certificate.
func (b *band) proxy() {
	b.t.Helper()
	b.coterie(0, "trust", "export", "--to", "pem", "--out", b.path("proxy.pem"), "-y")
	if out := b.coterie(0, "trust", "export", "--to", "pem", "--out", b.path("proxy.pem"), "-y"); !strings.Contains(out, "nothing to do") {
		b.t.Errorf("it was written again: %s", out)
	}
	for name, p := range b.pairs {
		if err := shake(b.t, b.path("proxy.pem"), p.server); err != nil {
			b.t.Errorf("the proxy to %s: %v", name, err)
		}
	}
	proxy := make1(b.t, "proxy", "127.0.0.1", time.Hour)
	b.write("proxy.cer", proxy.PEM())
	b.coterie(0, "trust", "add", "proxy", b.path("proxy.cer"), "-y", "-m", "it calls us")
	b.coterie(5, "trust", "add", "other", b.path("proxy.cer"), "-y")
	b.Await(`SELECT bool_and(ok) AND count(*) = 3 FROM coterie.trust_renderings`)
	for name := range b.pairs {
		if !b.has(name, proxy) {
			b.t.Errorf("%s does not trust what was added", name)
		}
	}
	b.coterie(0, "trust", "remove", "proxy", "-y")
	b.coterie(4, "trust", "remove", "proxy", "-y")
	b.Await(`SELECT bool_and(ok) AND count(*) = 3 FROM coterie.trust_renderings`)
}

// newcomer lets a node join that must be approved, and measures how soon all trust it.
func (b *band) newcomer() {
	b.t.Helper()
	b.coterie(0, "nodes", "approval", "on", "-y")
	b.add("app-d")
	d := b.pairs["app-d"]
	d.Start()
	b.Await(`SELECT EXISTS (SELECT FROM coterie.findings WHERE code = 'COT-942' AND subject = 'app-d')`)
	b.Await(`SELECT state = 'joining' AND message LIKE 'waits for approval; its fingerprint is %' FROM coterie.nodes WHERE name = 'app-d'`)
	b.Await(`SELECT count(*) = 1 FROM coterie.trust_certificates WHERE node = 'app-d' AND NOT trusted`)
	for name := range b.pairs {
		if name != "app-d" && b.has(name, d.cert.Load()) {
			b.t.Errorf("%s trusts a node that nobody approved", name)
		}
	}
	out, code := b.Run("-c", d.Config(), "join", "--json")
	if code != 0 || !strings.Contains(out, `"state": "pending"`) {
		b.t.Fatalf("join: %d %s", code, out)
	}
	fingerprint := cluster.Get[string](b.Cluster, `SELECT id FROM coterie.approvals WHERE node = 'app-d'`)
	if !strings.Contains(out, fingerprint) {
		b.t.Errorf("join does not show %s: %s", fingerprint, out)
	}
	b.coterie(2, "nodes", "approve", "app-d", "-y")
	b.coterie(5, "nodes", "approve", "app-d", "--fingerprint", strings.Repeat("0", 32), "-y")
	begun := time.Now()
	b.coterie(0, "nodes", "approve", "app-d", "--fingerprint", fingerprint, "-y")
	b.Await(`SELECT bool_and(ok) AND count(*) = 4 FROM coterie.trust_renderings`)
	rendered := time.Since(begun)
	b.together(16)
	b.t.Logf("from the approval until 4 nodes had rendered it %v, until all 16 pairs had called %v", rendered.Round(time.Millisecond), time.Since(begun).Round(time.Millisecond))
	b.AwaitReady()
}

// changeWithoutAFailure replaces certificates while clients call: the next one is
// announced, and shown when everybody trusts it.
func (b *band) changeWithoutAFailure() {
	b.t.Helper()
	b.coterie(0, "settings", "set", "trust_overlap", "1s")
	p := b.pairs["app-b"]
	calls := map[string]*server{}
	for name := range b.pairs {
		calls[name] = p.server
	}
	stop := b.clients(calls)
	defer stop()
	for range *changes {
		old, next := p.cert.Load(), make1(b.t, "app-b", "127.0.0.1", 24*time.Hour)
		b.write("app-b.next.pem", next.PEM())
		b.Await(`SELECT coterie.trust_known('app-b', $1) = ''`, next.Fingerprint())
		if !b.has("app-a", old) || !b.has("app-a", next) {
			b.t.Error("the old one and the next are not both trusted")
		}
		p.cert.Store(next)
		b.Await(`SELECT alias = 'app-b' FROM coterie.trust_entries WHERE fingerprint = $1`, next.Fingerprint())
		b.Await(`SELECT NOT EXISTS (SELECT FROM coterie.trust_entries WHERE fingerprint = $1)`, old.Fingerprint())
		b.Await(`SELECT bool_and(ok) FROM coterie.trust_renderings`)
		if b.has("app-a", old) {
			b.t.Error("the old one is trusted for ever")
		}
	}
	stop()
	b.together(16)
}

// clients call servers by the files of nodes, over and over, until stop, which judges
// that none of their handshakes failed.
func (b *band) clients(calls map[string]*server) (stop func()) {
	var shaken, failed atomic.Int64
	over := make(chan struct{})
	var all sync.WaitGroup
	for from, to := range calls {
		all.Go(func() {
			for {
				select {
				case <-over:
					return
				case <-time.After(2 * time.Millisecond):
				}
				if err := shake(b.t, b.bundle(from), to); err != nil {
					if failed.Add(1) < 10 {
						b.t.Logf("%s: %v", from, err)
					}
				}
				shaken.Add(1)
			}
		})
	}
	return sync.OnceFunc(func() {
		b.t.Helper()
		close(over)
		all.Wait()
		b.t.Logf("certificates replaced under load, %d times: %d of %d handshakes failed", *changes, failed.Load(), shaken.Load())
		if failed.Load() > 0 || shaken.Load() < 50 {
			b.t.Errorf("%d of %d handshakes failed", failed.Load(), shaken.Load())
		}
	})
}

// wrongCertificate gives a server one that its clients refuse: every node says so.
func (b *band) wrongCertificate() {
	b.t.Helper()
	p := b.pairs["app-c"]
	right := p.cert.Load()
	for _, c := range []struct {
		*served.Certificate
		result, words string
	}{
		{make1(b.t, "elsewhere", "elsewhere.example.org", time.Hour), "name_mismatch", "its certificate is for elsewhere.example.org, not for 127.0.0.1"},
		{make1(b.t, "app-c", "127.0.0.1", -time.Hour), "expired", "its certificate ended on "},
	} {
		p.cert.Store(c.Certificate)
		b.Await(`SELECT count(*) = 4 FROM coterie.trusts WHERE to_node = 'app-c' AND result = $1 AND reason LIKE $2 || '%'`, c.result, c.words)
		b.Await(`SELECT count(*) = 4 FROM coterie.findings WHERE code = 'COT-940' AND subject LIKE '% to app-c'`)
		if out := b.coterie(3, "trusts", "app-c"); !strings.Contains(out, "COT-940") {
			b.t.Errorf("trusts: %s", out)
		}
	}
	p.cert.Store(right)
	b.together(16)
	b.Await(`SELECT count(*) = 0 FROM coterie.findings WHERE code = 'COT-940'`)
}

// leaving stops a node: its server goes on and is trusted for a while; evicted, it is
// not, and does not come back by itself.
func (b *band) leaving() {
	b.t.Helper()
	a := b.pairs["app-a"]
	out := b.coterie(5, "evict", "app-a", "-y")
	if !strings.Contains(out, "COT-948") {
		b.t.Errorf("evict: %s", out)
	}
	a.Signal(a.Supervisor(), syscall.SIGTERM)
	a.Reaped()
	if !b.has("app-b", a.cert.Load()) {
		b.t.Error("an agent that stopped took the server's certificate with it")
	}
	b.coterie(0, "settings", "set", "trust_linger", "1s")
	b.Await(`SELECT count(*) = 0 FROM coterie.trust_entries WHERE node = 'app-a'`)
	b.Await(`SELECT bool_and(ok) AND count(*) = 3 FROM coterie.trust_renderings`)
	if b.has("app-b", a.cert.Load()) {
		b.t.Error("a node that left is trusted")
	}
	b.together(9)
	b.coterie(0, "evict", "app-a", "-y", "-m", "sold")
	a.Start()
	a.Reaped()
	text, err := os.ReadFile(a.LogFile())
	if err != nil || !strings.Contains(string(text), "evicted") {
		b.t.Errorf("it came back: %v %s", err, text)
	}
	id := cluster.Get[string](b.Cluster, `SELECT id FROM coterie.nodes WHERE name = 'app-a'`)
	b.coterie(0, "nodes", "approve", "app-a", "--fingerprint", id, "-y")
	// It was away, and cannot catch up: it must not be ready.
	b.coterie(0, "trust", "add", "proxy", b.path("proxy.cer"), "-y")
	if err := errors.Join(os.Remove(b.bundle("app-a")), os.Mkdir(b.bundle("app-a"), 0o755)); err != nil {
		b.t.Fatal(err)
	}
	a.Start()
	b.Await(`SELECT state = 'joining' AND message LIKE 'version % of the trust store is not in place: %app-a.pem%' FROM coterie.nodes WHERE name = 'app-a'`)
	b.Await(`SELECT EXISTS (SELECT FROM coterie.findings WHERE code = 'COT-941' AND subject = 'app-a')`)
	if err := os.Remove(b.bundle("app-a")); err != nil {
		b.t.Fatal(err)
	}
	b.together(16)
	b.AwaitReady()
}
