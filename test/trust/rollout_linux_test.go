package trust

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/keystore"
	"github.com/coterie-ha/coterie/test/cluster"
	"github.com/coterie-ha/coterie/test/served"
)

// storeWith is a keystore with a certificate and its key.
func storeWith(t *testing.T, c *served.Certificate) []byte {
	t.Helper()
	return served.Keystore(t, keystore.PKCS12, "tomcat", c.Key, c)
}

// The keystore of all servers is replaced by a rollout: each certificate is trusted
// everywhere before the first server shows it, and no client notices.
func TestARolloutShowsNoCertificateThatNotAllTrust(t *testing.T) {
	b := &band{Cluster: cluster.Start(t, cluster.Options{}), t: t, pairs: map[string]*pair{}}
	b.admin = filepath.Join(b.Dir, "admin.yaml")
	b.write("password", []byte("changeit\n"))
	first := storeWith(t, make1(t, "version 0", "127.0.0.1", 24*time.Hour))
	var names []string
	for n := range 3 {
		name := fmt.Sprintf("app-%c", 'a'+n)
		names = append(names, name)
		b.write(name+".keystore", first)
		p := &pair{server: &server{address: served.Listen(t, func() (*tls.Certificate, error) { return served.Load(b.path(name + ".keystore")) })}}
		p.Node = b.Add(name, cluster.NodeOptions{Env: []string{"COTERIE_HTTP_SOCKET=" + b.path(name+".sock")}, More: fmt.Sprintf(`keystore: {file: %s, address: %q, reload: command, command: [/usr/bin/touch, %q], check_every: 1s, patience: 6s}
trust: {address: %[2]q, pem: %[4]q, reload: true, check_every: 1s, test_every: 5s}
`, b.path(name+".keystore"), p.address, b.path(name+".read"), b.bundle(name))})
		b.pairs[name] = p
		p.Start()
	}
	b.AwaitReady()
	b.together(9)
	for _, name := range names {
		if _, err := os.Stat(b.path(name + ".read")); err != nil {
			t.Errorf("the server of %s was not asked to read its trust store anew: %v", name, err)
		}
	}
	b.Await(`SELECT count(*) = 3 FROM coterie.keystore_recipients`)
	calls := map[string]*server{}
	for i, from := range names {
		calls[from] = b.pairs[names[(i+1)%3]].server
	}
	stop := b.clients(calls)
	defer stop()
	for n := range *changes {
		b.write("next.keystore", storeWith(t, make1(t, fmt.Sprintf("version %d", n+1), "127.0.0.1", 24*time.Hour)))
		b.coterie(0, "keystore", "stage", b.path("next.keystore"), "--password-file", b.path("password"), "-y")
		b.coterie(0, "keystore", "activate", "-y")
	}
	stop()
	b.together(9)
	b.metrics()
	b.refused()
	b.unwilling()
}

// metrics has an agent tell programs what it knows of trust.
func (b *band) metrics() {
	b.t.Helper()
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", b.path("app-b.sock"))
	}}}
	defer client.CloseIdleConnections()
	answer, err := client.Get("http://app-b/metrics")
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, want := range []string{
		`coterie_trust_ok{coterie_cluster="`, `coterie_trust_expiry_timestamp_seconds{alias="app-c",`, `,peer="app-a"} 1`, `,peer="app-b"} 1`, `,peer="app-c"} 1`,
	} {
		if !strings.Contains(string(body), want) {
			b.t.Errorf("metrics lack %s", want)
		}
	}
}

// refused has a node vote against a version whose certificate the others have published
// already: nobody trusts it any more when the overlap is over, and the one that is served
// stays trusted.
func (b *band) refused() {
	b.t.Helper()
	b.coterie(0, "settings", "set", "trust_overlap", "1s")
	shown := b.pairs["app-a"].shown(b.t)
	if err := os.Chmod(b.path("app-c.keystore"), 0o644); err != nil {
		b.t.Fatal(err)
	}
	next := make1(b.t, "refused", "127.0.0.1", 24*time.Hour)
	b.write("next.keystore", storeWith(b.t, next))
	b.coterie(0, "keystore", "stage", b.path("next.keystore"), "--password-file", b.path("password"), "-y")
	b.Await(`SELECT count(*) = 3 FROM coterie.trust_certificates WHERE fingerprint = $1 AND state = 'announced' AND trusted`, next.Fingerprint())
	if out := b.coterie(5, "keystore", "activate", "-y"); !strings.Contains(out, "COT-923") {
		b.t.Errorf("activate: %s", out)
	}
	b.Await(`SELECT count(*) = 3 FROM coterie.trust_certificates WHERE fingerprint = $1 AND state = 'dropped' AND NOT trusted`, next.Fingerprint())
	b.Await(`SELECT count(*) = 3 FROM coterie.trust_entries WHERE fingerprint = $1`, shown)
	b.Await(`SELECT bool_and(ok) AND count(*) = 3 FROM coterie.trust_renderings`)
	for name := range b.pairs {
		if b.has(name, next) {
			b.t.Errorf("%s trusts what no server will show", name)
		}
	}
	if err := os.Chmod(b.path("app-c.keystore"), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.together(9)
}

// unwilling has a node that cannot write whom it trusts: a version whose certificate
// it would refuse is shown by nobody.
func (b *band) unwilling() {
	b.t.Helper()
	shown := b.pairs["app-a"].shown(b.t)
	if err := errors.Join(os.Remove(b.bundle("app-c")), os.Mkdir(b.bundle("app-c"), 0o755)); err != nil {
		b.t.Fatal(err)
	}
	b.Await(`SELECT count(*) = 1 FROM coterie.findings WHERE code = 'COT-941' AND subject = 'app-c'`)
	b.coterie(3, "trust", "status")
	b.write("next.keystore", storeWith(b.t, make1(b.t, "too early", "127.0.0.1", 24*time.Hour)))
	b.coterie(0, "keystore", "stage", b.path("next.keystore"), "--password-file", b.path("password"), "-y")
	if out := b.coterie(1, "keystore", "activate", "-y"); !strings.Contains(out, "not all nodes trust the new certificate yet: app-c") {
		b.t.Errorf("activate: %s", out)
	}
	for name, p := range b.pairs {
		if got := p.shown(b.t); got != shown {
			b.t.Errorf("%s shows %.16s", name, got)
		}
	}
}

// shown is the fingerprint of what the server shows.
func (s *server) shown(t *testing.T) string {
	t.Helper()
	chain, err := keystore.Shown(t.Context(), s.address, "")
	if err != nil {
		t.Fatal(err)
	}
	return chain[0].Fingerprint()
}
