package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/keystore/trust"
)

// made is a certificate with its key.
type made struct {
	tls.Certificate
	fingerprint string
}

// make1 makes a self-signed certificate for an address, or for a name.
func make1(t *testing.T, subject, name string, ends time.Duration) made {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: subject}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(ends)}
	if ip := net.ParseIP(name); ip != nil {
		c.IPAddresses = []net.IP{ip}
	} else {
		c.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return made{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, trust.Fingerprint(der)}
}

func (m made) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.Certificate.Certificate[0]})
}

// server is an application's server: it speaks TLS, and its certificate can be
// replaced while it runs.
type server struct {
	address string
	cert    atomic.Pointer[made]
	hangs   atomic.Bool
}

func serve(t *testing.T, subject string) *server {
	t.Helper()
	s := &server{}
	m := make1(t, subject, "127.0.0.1", 24*time.Hour)
	s.cert.Store(&m)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return &s.cert.Load().Certificate, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
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
					for s.hangs.Load() {
						time.Sleep(10 * time.Millisecond)
					}
					_ = conn.(*tls.Conn).Handshake() // what came of it the client says
				}()
			}
		}
	}()
	return s
}

// shake makes a full handshake with a server, as a client that trusts what a bundle has.
func shake(t *testing.T, bundle string, s *server) error {
	t.Helper()
	text, err := os.ReadFile(bundle)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	conn, err := (&tls.Dialer{Config: &tls.Config{RootCAs: pool}}).DialContext(t.Context(), "tcp", s.address)
	if err != nil {
		return err
	}
	return conn.Close()
}
