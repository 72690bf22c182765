// Package served makes certificates, keystores that hold them, and servers that show
// them, for tests of keystores and of trust.
package served

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/keystore"
)

// Password is that of all keystores that are made here.
const Password = "changeit"

// Certificate is one with its key.
type Certificate struct {
	*x509.Certificate
	Key *ecdsa.PrivateKey
}

// Issue makes a certificate for app.example.org, or as it is changed to be, signed by
// another's key, or by its own.
func Issue(t testing.TB, by *Certificate, change func(*x509.Certificate)) *Certificate {
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
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(100 * 24 * time.Hour),
	}
	if change != nil {
		change(c)
	}
	parent, signer := c, key
	if by != nil {
		parent, signer = by.Certificate, by.Key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &Certificate{parsed, key}
}

// PEM is the certificate without its key.
func (c *Certificate) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// Fingerprint is its SHA-256.
func (c *Certificate) Fingerprint() string {
	return keystore.Certificate{DER: c.Raw}.Fingerprint()
}

// TLS is what a server shows.
func (c *Certificate) TLS() *tls.Certificate {
	return &tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: c.Key}
}

// Keystore is one with a key and its chain: in JKS the chain is as it was written, in
// PKCS12 Java puts it together itself.
func Keystore(t testing.TB, format keystore.Format, alias string, key *ecdsa.PrivateKey, chain ...*Certificate) []byte {
	t.Helper()
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	e := keystore.Entry{Alias: alias, Kind: keystore.Key, Key: pkcs8}
	for _, one := range chain {
		e.Chain = append(e.Chain, keystore.Certificate{DER: one.Raw})
	}
	data, err := keystore.Write(&keystore.Store{Entries: []keystore.Entry{e}}, format, Password)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Load is what a server shows that reads this file.
func Load(file string) (*tls.Certificate, error) {
	data, err := keystore.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s, err := keystore.Read(data, keystore.Passwords{Store: Password})
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

// Listen has a server show, at each handshake, what it is told to then; it returns its
// address.
func Listen(t testing.TB, show func() (*tls.Certificate, error)) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return show() },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return // the test is over
			}
			if err == nil {
				go func() {
					defer conn.Close()
					_ = conn.(*tls.Conn).Handshake() // what came of it the client says
				}()
			}
		}
	}()
	return l.Addr().String()
}
