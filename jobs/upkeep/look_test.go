package upkeep

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/keystore"
	"github.com/coterie-ha/coterie/test/nobody"
)

// made is a certificate of its own, valid for so many days.
func made(t *testing.T, name string, days int) (der, pkcs8 []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	plan := &x509.Certificate{SerialNumber: big.NewInt(int64(days + 1000)), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(0, 0, days)}
	if der, err = x509.CreateCertificate(rand.Reader, plan, plan, &key.PublicKey, key); err != nil {
		t.Fatal(err)
	}
	if pkcs8, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
		t.Fatal(err)
	}
	return der, pkcs8
}

func put(t *testing.T, data []byte, parts ...string) string {
	t.Helper()
	name := filepath.Join(parts...)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func asPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// told is what was seen, without the places' folder and the days.
func told(seen []Sight, dir string) string {
	var b strings.Builder
	for _, s := range seen {
		fmt.Fprintf(&b, "%s|%s|%s|", strings.TrimPrefix(s.Place, dir+"/"), s.Alias, s.Subject)
		if s.Until != nil {
			fmt.Fprintf(&b, "%d days", int(math.Round(time.Until(*s.Until).Hours()/24)))
		}
		fmt.Fprintf(&b, "|%s\n", s.Trouble)
	}
	return b.String()
}

func TestCertificatesOfFilesFoldersAndKeystoresAreSeen(t *testing.T) {
	dir := t.TempDir()
	one, _ := made(t, "one.example", 10)
	two, key := made(t, "two.example", -3)
	put(t, one, dir, "a.der")
	put(t, append(asPEM("CERTIFICATE", one), asPEM("CERTIFICATE", two)...), dir, "certs", "chain.pem")
	put(t, asPEM("PRIVATE KEY", key), dir, "certs", "key.pem") // a file of keys has none
	put(t, []byte("notes"), dir, "certs", "README")
	put(t, []byte("-----BEGIN CERTIFICATE-----\nhalf"), dir, "certs", "deep", "torn.crt")
	put(t, []byte("no certificate\n"), dir, "notes.txt")
	store := &keystore.Store{Entries: []keystore.Entry{{Alias: "tomcat", Kind: keystore.Key, Key: key, Chain: []keystore.Certificate{{DER: two, X509: parsed(t, two)}}}}}
	for name, format := range map[string]keystore.Format{"k.p12": keystore.PKCS12, "k.jks": keystore.JKS} {
		data, err := keystore.Write(store, format, "secret-words")
		if err != nil {
			t.Fatal(err)
		}
		put(t, data, dir, "stores", name)
	}
	got := told(Look(t.Context(), Places{
		Files:     []string{filepath.Join(dir, "a.der"), filepath.Join(dir, "certs"), filepath.Join(dir, "notes.txt"), filepath.Join(dir, "none.pem"), filepath.Join(dir, "stores"), filepath.Join(dir, "stores")},
		Passwords: []string{"wrong-words", "secret-words"},
	}), dir)
	for _, want := range []string{
		"a.der|1|CN=one.example|10 days|\n",
		"|CN=one.example|10 days|\n", "|CN=two.example|-3 days|\n",
		"certs/deep/torn.crt||||", "none.pem||||no such file or directory\n", "notes.txt||||",
		"stores/k.jks|tomcat|CN=two.example|-3 days|\n", "stores/k.p12|tomcat|CN=two.example|-3 days|\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q was not seen in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "\n"); n != 8 {
		t.Errorf("%d sights, want 8:\n%s", n, got)
	}
	closed := told(Look(t.Context(), Places{Files: []string{filepath.Join(dir, "stores")}, Passwords: []string{"other"}}), dir)
	if strings.Count(closed, "password") != 2 || strings.Contains(closed, "days") || strings.Contains(closed, "other") {
		t.Errorf("keystores without their password:\n%s", closed)
	}
}

func parsed(t *testing.T, der []byte) *x509.Certificate {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestWhatAnAddressServesIsSeen(t *testing.T) {
	der, pkcs8 := made(t, "localhost", 5)
	key, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.(*tls.Conn).Handshake() // the client hangs up
			_ = conn.Close()
		}
	}()
	refuses := nobody.Address(t).String()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	seen := Look(t.Context(), Places{Endpoints: []string{"localhost:" + port, "127.0.0.1:" + port, refuses}})
	if len(seen) != 3 {
		t.Fatalf("seen: %v", seen)
	}
	for _, s := range seen {
		switch {
		case s.Place == refuses && (s.Until != nil || !strings.Contains(s.Trouble, "refused")):
			t.Errorf("of a closed port: %v", s)
		case s.Place == "localhost:"+port && (s.Until == nil || s.Trouble != ""):
			t.Errorf("of its own name: %v", s)
		case s.Place == "127.0.0.1:"+port && (s.Until == nil || !strings.Contains(s.Trouble, "127.0.0.1")):
			t.Errorf("of an address that it is not for: %v", s)
		}
	}
}
