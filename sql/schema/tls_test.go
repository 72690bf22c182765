package schema_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/sql/schema"
)

// certificate is self-signed for one host name, with its own file of roots.
func certificate(t *testing.T, host string) (cert tls.Certificate, roots string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	roots = filepath.Join(t.TempDir(), "root.crt")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// front stands before the server and speaks TLS, or with no certificate says,
// as an attacker would, that it cannot. It returns its port, and what came to
// it in the clear.
func front(t *testing.T, cert *tls.Certificate) (port int, clear *sync.Map) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	clear = new(sync.Map)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go relay(c, cert, clear)
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, clear
}

func relay(c net.Conn, cert *tls.Certificate, clear *sync.Map) {
	defer c.Close()
	request := make([]byte, 8)
	if _, err := io.ReadFull(c, request); err != nil {
		return
	}
	if cert == nil {
		if _, err := io.WriteString(c, "N"); err != nil {
			return
		}
		// Whatever follows a refusal was sent in the clear.
		b := make([]byte, 100)
		if n, _ := c.Read(b); n > 0 {
			clear.Store(string(b[:n]), true)
		}
		return
	}
	if _, err := io.WriteString(c, "S"); err != nil {
		return
	}
	inside := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*cert}})
	behind, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", server.Port))
	if err != nil {
		return
	}
	defer behind.Close()
	done := make(chan struct{}, 2)
	pipe := func(to, from net.Conn) {
		_, _ = io.Copy(to, from) // ends with either side
		done <- struct{}{}
	}
	go pipe(inside, behind)
	go pipe(behind, inside)
	<-done
}

func TestTheServerMustProveWhoItIs(t *testing.T) {
	t.Setenv("HOME", t.TempDir()) // no certificates of the user
	cert, roots := certificate(t, "localhost")
	wrong, wrongRoots := certificate(t, "elsewhere.example")
	good, _ := front(t, &cert)
	bad, _ := front(t, &wrong)
	stripped, clear := front(t, nil)
	dsn := func(port int, roots string) string {
		d := fmt.Sprintf("host=localhost hostaddr=127.0.0.1 port=%d dbname=postgres user=postgres password=x", port)
		if roots != "" {
			d += " sslrootcert=" + roots
		}
		return d
	}
	for name, c := range map[string]struct {
		dsn  string
		want error
	}{
		"known and so named":          {dsn(good, roots), nil},
		"of an unknown authority":     {dsn(good, wrongRoots), schema.ErrTLS},
		"not in the system's roots":   {dsn(good, ""), schema.ErrTLS},
		"named otherwise":             {dsn(bad, wrongRoots), schema.ErrTLS},
		"without TLS, by an attacker": {dsn(stripped, roots), schema.ErrTLS},
	} {
		t.Run(name, func(t *testing.T) {
			db, err := schema.Open(t.Context(), schema.Options{DSN: c.dsn, Connect: 2 * time.Second})
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if err == nil {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	clear.Range(func(said, _ any) bool {
		t.Errorf("sent in the clear: %q", said)
		return true
	})
}

func TestAStatementEndsWithinItsBudgetThroughTLS(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	cert, roots := certificate(t, "localhost")
	port, _ := front(t, &cert)
	c := within(t, schema.Options{DSN: fmt.Sprintf("host=localhost hostaddr=127.0.0.1 port=%d dbname=postgres user=postgres sslrootcert=%s", port, roots)})
	if _, err := c.ExecContext(context.Background(), "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	ends(t, c, "SELECT pg_sleep(10)")
}
