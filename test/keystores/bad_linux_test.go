package keystores

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/keystore"
	"github.com/coterie-ha/coterie/test/cluster"
	"github.com/coterie-ha/coterie/test/served"
)

// bad is a keystore that must reach nobody, and what is said of it.
type bad struct {
	data []byte
	pass string // changeit unless set
	args []string
	want string // code
}

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../keystore/testdata/files", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// kinds are bad in all ways that are known by the file alone.
func kinds(t *testing.T) map[string]bad {
	t.Helper()
	good := usual(t)
	flipped := bytes.Clone(good)
	flipped[len(flipped)/2] ^= 1
	leaf, other := served.Issue(t, nil, nil), served.Issue(t, nil, nil)
	root := served.Issue(t, nil, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	})
	signed := served.Issue(t, root, nil)
	past := served.Issue(t, nil, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	future := served.Issue(t, nil, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) })
	nameless := served.Issue(t, nil, func(c *x509.Certificate) { c.DNSNames = nil })
	client := served.Issue(t, nil, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	endless := binary.BigEndian.AppendUint32([]byte{0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2}, 1<<32-1)
	return map[string]bad{
		"an empty file":                     {data: nil, want: "COT-901"},
		"one byte":                          {data: []byte{0x30}, want: "COT-902"},
		"some text":                         {data: []byte("password: changeit\n"), want: "COT-901"},
		"a certificate by itself":           {data: fixture(t, "der-cert.cer"), want: "COT-901"},
		"a key by itself":                   {data: fixture(t, "der-key.der"), want: "COT-901"},
		"PEM":                               {data: fixture(t, "pem-chain.pem"), want: "COT-905"},
		"certificates as PEM":               {data: fixture(t, "pem-certs.pem"), want: "COT-905"},
		"JCEKS":                             {data: fixture(t, "jceks-ec.ks"), want: "COT-905"},
		"half of a file":                    {data: good[:len(good)/2], want: "COT-902"},
		"something behind its end":          {data: append(bytes.Clone(good), 0), want: "COT-902"},
		"copied as text":                    {data: bytes.ReplaceAll(good, []byte{0}, nil), want: "COT-902"},
		"one bit is another":                {data: flipped, want: "COT-903"},
		"too long":                          {data: append(bytes.Clone(good), make([]byte, 4<<20)...), want: "COT-904"},
		"four billion entries":              {data: append(endless, make([]byte, 30)...), want: "COT-903"},
		"nothing proves it whole":           {data: fixture(t, "kt-nomac.p12"), want: "COT-906"},
		"another password":                  {data: good, pass: "changeme\n", want: "COT-903"},
		"no password":                       {data: good, pass: "\n", want: "COT-903"},
		"a password with a byte order mark": {data: good, pass: "\xef\xbb\xbfchangeit\n", want: "COT-910"},
		"a password of two lines":           {data: good, pass: "changeit\nchangeit\n", want: "COT-910"},
		"a key with its own password":       {data: fixture(t, "jks-keypass.ks"), want: "COT-913"},
		"trusted certificates alone":        {data: fixture(t, "pkcs12-trust.ks"), want: "COT-913"},
		"a secret key alone":                {data: fixture(t, "pkcs12-secret.ks"), want: "COT-913"},
		"several keys":                      {data: fixture(t, "pkcs12-three.ks"), want: "COT-908"},
		"an alias that is not there":        {data: good, args: []string{"--alias", "jetty"}, want: "COT-913"},
		"for another host":                  {data: good, args: []string{"--host", "www.example.org"}, want: "COT-913"},
		"key and certificate are no pair":   {data: served.Keystore(t, keystore.PKCS12, "tomcat", other.Key, leaf), want: "COT-913"},
		"the chain is out of order":         {data: served.Keystore(t, keystore.JKS, "tomcat", signed.Key, signed, other, root), want: "COT-913"},
		"a certificate twice in the chain":  {data: served.Keystore(t, keystore.JKS, "tomcat", signed.Key, signed, signed, root), want: "COT-913"},
		"a certificate that has ended":      {data: holding(t, "tomcat", past), want: "COT-913"},
		"a certificate of tomorrow":         {data: holding(t, "tomcat", future), want: "COT-913"},
		"a certificate that names no host":  {data: holding(t, "tomcat", nameless), want: "COT-913"},
		"a certificate for clients":         {data: holding(t, "tomcat", client), want: "COT-913"},
		"RSA of 1,024 bits":                 {data: weak(t), want: "COT-913"},
		"a key without a certificate":       {data: fixture(t, "ossl-key.p12"), want: "COT-913"},
		"certificates without a key":        {data: fixture(t, "ossl-certs.p12"), want: "COT-913"},
		"an alias with a slash":             {data: holding(t, "a/b", leaf), want: "COT-913"},
		"an issuer twice, in a circle":      {data: served.Keystore(t, keystore.JKS, "tomcat", signed.Key, signed, root, root), want: "COT-913"},
		"signed with SHA-1":                 {data: signedSHA1(t), want: "COT-913"},
		"a password that is none of its":    {data: fixture(t, "jks-keypass.ks"), args: []string{"--key-password-file", "changeit"}, want: "COT-913"},
		"a key of DSA":                      {data: fixture(t, "jks-dsa.ks"), want: "COT-913"},
	}
}

// weak is a keystore with a key that anybody can compute.
func weak(t *testing.T) []byte {
	t.Helper()
	return ofRSA(t, 1024, func(der []byte) []byte { return der })
}

// signedSHA1 is one whose certificate says that it is signed with SHA-1: Go makes none.
func signedSHA1(t *testing.T) []byte {
	t.Helper()
	algorithm := []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11}
	old := []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5}
	return ofRSA(t, 2048, func(der []byte) []byte { return bytes.ReplaceAll(der, algorithm, old) })
}

func ofRSA(t *testing.T, bits int, change func(der []byte) []byte) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	c := served.Issue(t, nil, nil).Certificate
	c.SignatureAlgorithm, c.PublicKey = x509.SHA256WithRSA, nil
	issuer := &x509.Certificate{Subject: pkix.Name{CommonName: "issuer"}}
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	data, err := keystore.Write(&keystore.Store{Entries: []keystore.Entry{
		{Alias: "tomcat", Kind: keystore.Key, Key: pkcs8, Chain: []keystore.Certificate{{DER: change(der)}}},
	}}, keystore.PKCS12, "changeit")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestNoBadKeystoreReachesANode(t *testing.T) {
	p := newPair(t, "")
	all := kinds(t)
	var slowest time.Duration
	try := func(name, file string, b bad) {
		pass := p.pass
		if b.pass != "" {
			pass = filepath.Join(p.Dir, "odd")
			p.write(pass, []byte(b.pass))
		}
		begun := time.Now()
		if len(b.args) == 2 && b.args[0] == "--key-password-file" {
			b.args[1] = p.pass
		}
		out, code := p.command(append([]string{"stage", file, "--password-file", pass, "-y"}, b.args...)...)
		slowest = max(slowest, time.Since(begun))
		if code == 0 || !strings.HasPrefix(errorsOf(out), b.want+" ") || !strings.Contains(out, "remedy") {
			t.Errorf("%s: exit code %d, want %s: %s", name, code, b.want, out)
		}
	}
	for name, b := range all {
		file := filepath.Join(p.Dir, "bad.keystore")
		p.write(file, b.data)
		try(name, file, b)
	}
	// What is no file is not read as one.
	pipe := filepath.Join(p.Dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	try("a folder", p.Dir, bad{want: "COT-901"})
	try("a pipe", pipe, bad{want: "COT-901"})
	try("nothing", filepath.Join(p.Dir, "none"), bad{want: "COT-214"})
	if n := cluster.Get[int](p.Cluster, `SELECT (SELECT count(*) FROM coterie.keystores) + (SELECT count(*) FROM coterie.events WHERE kind = 'keystore.staged')`); n != 0 {
		t.Errorf("%d versions were staged", n)
	}
	p.untouched("after all of them")
	p.expiry()
	t.Logf("%d kinds of bad keystore, none staged; refused after %v at most", len(all)+3, slowest.Round(time.Millisecond))
}

// expiry has the database's clock be a day ahead of this host's: it is the one by which
// a certificate has ended.
func (p *pair) expiry() {
	p.t.Helper()
	soon := served.Issue(p.t, nil, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(12 * time.Hour) })
	file := filepath.Join(p.Dir, "soon.keystore")
	p.write(file, holding(p.t, "tomcat", soon))
	ahead := func(of string) {
		p.Exec(`CREATE OR REPLACE FUNCTION coterie.clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$ SELECT pg_catalog.clock_timestamp() + interval '` + of + `' $$`)
	}
	ahead("1 day")
	out, code := p.command("stage", file, "--password-file", p.pass, "-n")
	ahead("0")
	if code != 5 || !strings.HasPrefix(errorsOf(out), "COT-913 ") {
		p.t.Errorf("a certificate that has ended by the database's clock: exit code %d, want COT-913: %s", code, out)
	}
	if out, code := p.command("stage", file, "--password-file", p.pass, "-n"); code != 10 {
		p.t.Errorf("one that has not: exit code %d: %s", code, out)
	}
}

// untouched says that both nodes have what they had.
func (p *pair) untouched(when string) {
	p.t.Helper()
	for _, i := range p.nodes {
		if data, err := os.ReadFile(i.file); err != nil || !bytes.Equal(data, p.before) {
			p.t.Errorf("%s: %s has another file, %v", when, i.Name, err)
		}
	}
}
