package trust

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/served"
)

// make1 makes a self-signed certificate for an address, or for a name.
func make1(t *testing.T, subject, name string, ends time.Duration) *served.Certificate {
	t.Helper()
	return served.Issue(t, nil, func(c *x509.Certificate) {
		c.Subject.CommonName, c.DNSNames, c.NotAfter = subject, nil, time.Now().Add(ends)
		if ip := net.ParseIP(name); ip != nil {
			c.IPAddresses = []net.IP{ip}
		} else {
			c.DNSNames = []string{name}
		}
	})
}

// server is an application's server: it speaks TLS, and its certificate can be
// replaced while it runs.
type server struct {
	address string
	cert    atomic.Pointer[served.Certificate]
	hangs   atomic.Bool
}

func serve(t *testing.T, subject string) *server {
	t.Helper()
	s := &server{}
	s.cert.Store(make1(t, subject, "127.0.0.1", 24*time.Hour))
	s.address = served.Listen(t, func() (*tls.Certificate, error) {
		for s.hangs.Load() {
			time.Sleep(10 * time.Millisecond)
		}
		return s.cert.Load().TLS(), nil
	})
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
