package trust

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/keystore"
	"github.com/coterie-ha/coterie/test/cluster"
)

// storeWith is a keystore with a certificate and its key.
func storeWith(t *testing.T, m made) []byte {
	t.Helper()
	pkcs8, err := x509.MarshalPKCS8PrivateKey(m.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	data, err := keystore.Write(&keystore.Store{Entries: []keystore.Entry{{Alias: "tomcat", Kind: keystore.Key, Key: pkcs8,
		Chain: []keystore.Certificate{{DER: m.Certificate.Certificate[0]}}}}}, keystore.PKCS12, "changeit")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// serveFile is a server that reads its keystore for every handshake.
func serveFile(t *testing.T, path string) *server {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		data, err := keystore.ReadFile(path)
		if err != nil {
			return nil, err
		}
		s, err := keystore.Read(data, keystore.Passwords{Store: "changeit"})
		if err != nil {
			return nil, err
		}
		e, err := s.Entry("tomcat")
		if err != nil {
			return nil, err
		}
		key, err := e.Signer()
		return &tls.Certificate{Certificate: [][]byte{e.Chain[0].DER}, PrivateKey: key}, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				go func() {
					defer conn.Close()
					_ = conn.(*tls.Conn).Handshake() // what came of it the client says
				}()
			}
		}
	}()
	return &server{address: l.Addr().String()}
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
		p := &pair{server: serveFile(t, b.path(name+".keystore"))}
		p.Node = b.Add(name, cluster.NodeOptions{More: fmt.Sprintf(`keystore: {file: %s, address: %q, reload: command, command: [/usr/bin/touch, %q], check_every: 1s, patience: 6s}
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
	b.unwilling()
}

// unwilling has a node that cannot write whom it trusts: a version whose certificate
// it would refuse is shown by nobody.
func (b *band) unwilling() {
	b.t.Helper()
	served := b.pairs["app-a"].shown(b.t)
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
		if got := p.shown(b.t); got != served {
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
