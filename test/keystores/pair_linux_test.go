package keystores

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/keystore"
	"github.com/coterie-ha/coterie/test/cluster"
)

func TestMain(m *testing.M) { cluster.Main(m) }

// issued is a key with its certificate.
type issued struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// issue makes a certificate, by another's key or its own.
func issue(t *testing.T, by *issued, change func(*x509.Certificate)) *issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: fmt.Sprintf("certificate %d", serial)}, DNSNames: []string{"app.example.org"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(100 * 24 * time.Hour),
	}
	if change != nil {
		change(c)
	}
	parent, signer := c, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issued{key, parsed}
}

// holding is a keystore with a key and its chain.
func holding(t *testing.T, alias string, key *ecdsa.PrivateKey, chain ...*issued) []byte {
	t.Helper()
	return holdingAs(t, keystore.PKCS12, alias, key, chain...)
}

// holdingAs is one of a format: in JKS the chain is as it was written, in PKCS12 Java
// puts it together itself.
func holdingAs(t *testing.T, format keystore.Format, alias string, key *ecdsa.PrivateKey, chain ...*issued) []byte {
	t.Helper()
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	e := keystore.Entry{Alias: alias, Kind: keystore.Key, Key: pkcs8}
	for _, one := range chain {
		e.Chain = append(e.Chain, keystore.Certificate{DER: one.cert.Raw})
	}
	data, err := keystore.Write(&keystore.Store{Entries: []keystore.Entry{e}}, format, "changeit")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// usual is a keystore that servers and clients take.
func usual(t *testing.T) []byte {
	t.Helper()
	one := issue(t, nil, nil)
	return holding(t, "tomcat", one.key, one)
}

// instance is a server that shows what its file has at each handshake, unless it is
// stuck with what it had, and the agent beside it.
type instance struct {
	*cluster.Node
	file, properties string
	stuck            atomic.Pointer[tls.Certificate]
}

// loaded is what the file has.
func (i *instance) loaded() (*tls.Certificate, error) {
	data, err := os.ReadFile(i.file)
	if err != nil {
		return nil, err
	}
	s, err := keystore.Read(data, keystore.Passwords{Store: "changeit"})
	if err != nil {
		return nil, err
	}
	e, err := s.Served("")
	if err != nil {
		return nil, err
	}
	key, err := e.Signer()
	c := &tls.Certificate{PrivateKey: key}
	for _, one := range e.Chain {
		c.Certificate = append(c.Certificate, one.DER)
	}
	return c, err
}

func (i *instance) listen(t *testing.T) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		if c := i.stuck.Load(); c != nil {
			return c, nil
		}
		return i.loaded()
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			go func(conn net.Conn) {
				_ = conn.(*tls.Conn).Handshake() // what the client makes of it is judged
				conn.Close()
			}(conn)
		}
	}()
	return l.Addr().String()
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
		i.Node = p.Add(name, cluster.NodeOptions{Actions: fmt.Sprintf(`keystore:
  file: %s
  properties: %s
  address: %s
  reload: command
  command: [/bin/true]
  patience: 3s
%s`, i.file, i.properties, i.listen(t), more)})
		p.nodes = append(p.nodes, i)
		i.Start()
	}
	p.AwaitReady()
	p.Await(`SELECT count(*) = 2 FROM coterie.keystore_recipients`)
	return p
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
