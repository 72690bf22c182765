package keystore

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"slices"
	"testing"
	"time"
)

// noon is when the certificates of these tests are looked at.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// pair is a key with a certificate, or what issues others.
type pair struct {
	key  any
	cert *x509.Certificate
}

func public(key any) any {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return k.Public()
	case *ecdsa.PrivateKey:
		return k.Public()
	}
	return key.(ed25519.PrivateKey).Public()
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue makes a certificate; by nil it signs itself.
func issue(t testing.TB, name string, key any, by *pair, change func(*x509.Certificate)) *pair {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(1, 0, 0), DNSNames: []string{name}, BasicConstraintsValid: true,
	}
	if change != nil {
		change(c)
	}
	parent, signer := c, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, public(key), signer)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &pair{key, made}
}

func authority(c *x509.Certificate) {
	c.IsCA, c.KeyUsage, c.DNSNames = true, x509.KeyUsageCertSign, nil
}

// holding is a store with one key under an alias.
func holding(t testing.TB, alias string, key any, chain ...*pair) *Store {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	e := Entry{Alias: alias, Kind: Key, Key: der}
	for _, p := range chain {
		e.Chain = append(e.Chain, Certificate{DER: p.cert.Raw, X509: p.cert})
	}
	return &Store{Format: PKCS12, Entries: []Entry{e}}
}

func TestAStoreThatServersAndClientsTakeHasNoFault(t *testing.T) {
	root := issue(t, "Root", newKey(t), nil, authority)
	mid := issue(t, "Mid", newKey(t), root, authority)
	leaf := issue(t, "app.example.org", newKey(t), mid, nil)
	s := holding(t, "tomcat", leaf.key, leaf, mid, root)
	if faults := Check(s, Want{Alias: "Tomcat", Hosts: []string{"app.example.org"}, Now: noon}); len(faults) > 0 {
		t.Errorf("got %v", faults)
	}
}

func TestWhatServersOrClientsWouldRefuseIsNamed(t *testing.T) {
	root := issue(t, "Root", newKey(t), nil, authority)
	mid := issue(t, "Mid", newKey(t), root, authority)
	other := newKey(t)
	leaf := func(change func(*x509.Certificate)) *pair { return issue(t, "app.example.org", newKey(t), mid, change) }
	good := leaf(nil)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	short := issue(t, "app.example.org", weak, mid, nil)
	expired := leaf(func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Hour) })
	soonOver := leaf(func(c *x509.Certificate) { c.NotAfter = noon.Add(7 * 24 * time.Hour) })
	tomorrow := leaf(func(c *x509.Certificate) { c.NotBefore = noon.Add(24 * time.Hour) })
	nameless := leaf(func(c *x509.Certificate) { c.DNSNames = nil })
	client := leaf(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	signing := leaf(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign })
	impostor := issue(t, "Mid", newKey(t), root, authority)
	oldMid := issue(t, "Mid", mid.key, root, func(c *x509.Certificate) { authority(c); c.NotAfter = noon.Add(-time.Hour) })
	unreadable := holding(t, "tomcat", good.key, good)
	unreadable.Entries[0].Chain[0].X509 = nil
	sealed := holding(t, "tomcat", good.key, good, mid)
	sealed.Entries[0].Key, sealed.Entries[0].sealed = nil, []byte{1}
	lonely := holding(t, "tomcat", good.key)
	shout := holding(t, "Tomcat", good.key, good, mid)
	shout.Format = JKS
	legacy := holding(t, "tomcat", good.key, good, mid)
	legacy.warn("RC2")
	two := holding(t, "tomcat", good.key, good, mid)
	two.Entries = append(two.Entries, holding(t, "next", good.key, good, mid).Entries...)

	for name, c := range map[string]struct {
		store *Store
		want  Want
		rule  string
		grave Grave
	}{
		"no such alias":            {holding(t, "tomcat", good.key, good, mid), Want{Alias: "jetty"}, RuleNoKey, Fatal},
		"two keys and no alias":    {two, Want{}, RuleNoKey, Fatal},
		"no key at all":            {&Store{}, Want{}, RuleNoKey, Fatal},
		"key of another":           {holding(t, "tomcat", other, good, mid), Want{}, RuleMismatch, Fatal},
		"key that is closed":       {sealed, Want{}, RuleSealed, Fatal},
		"key without certificate":  {lonely, Want{}, RuleNoCert, Fatal},
		"certificate unreadable":   {unreadable, Want{}, RuleUnreadable, Fatal},
		"chain out of order":       {holding(t, "tomcat", good.key, good, root, mid), Want{}, RuleChain, Fatal},
		"chain with a gap":         {holding(t, "tomcat", good.key, good, root), Want{}, RuleChain, Fatal},
		"chain in a circle":        {holding(t, "tomcat", good.key, good, mid, root, root), Want{}, RuleChain, Fatal},
		"chain of an impostor":     {holding(t, "tomcat", good.key, good, impostor), Want{}, RuleChain, Fatal},
		"intermediate missing":     {holding(t, "tomcat", good.key, good), Want{}, RuleIncomplete, Notice},
		"intermediate expired":     {holding(t, "tomcat", good.key, good, oldMid, root), Want{Now: noon}, RuleExpired, Fatal},
		"expired":                  {holding(t, "tomcat", expired.key, expired, mid), Want{Now: noon}, RuleExpired, Fatal},
		"expires soon":             {holding(t, "tomcat", soonOver.key, soonOver, mid), Want{Now: noon}, RuleExpiresSoon, Notice},
		"not yet valid":            {holding(t, "tomcat", tomorrow.key, tomorrow, mid), Want{Now: noon}, RuleNotYet, Fatal},
		"no names":                 {holding(t, "tomcat", nameless.key, nameless, mid), Want{}, RuleNoNames, Fatal},
		"name of another":          {holding(t, "tomcat", good.key, good, mid), Want{Hosts: []string{"www.example.org"}}, RuleName, Fatal},
		"address of another":       {holding(t, "tomcat", good.key, good, mid), Want{Hosts: []string{"10.0.0.1"}}, RuleName, Fatal},
		"RSA of 1024 bits":         {holding(t, "tomcat", weak, short, mid), Want{}, RuleWeak, Fatal},
		"for clients only":         {holding(t, "tomcat", client.key, client, mid), Want{}, RuleUsage, Fatal},
		"for revocation only":      {holding(t, "tomcat", signing.key, signing, mid), Want{}, RuleUsage, Fatal},
		"alias with a slash":       {holding(t, "a/b", good.key, good, mid), Want{}, RuleAlias, Fatal},
		"alias in capitals in JKS": {shout, Want{}, RuleAlias, Fatal},
		"old protection":           {legacy, Want{}, RuleProtection, Notice},
	} {
		faults := Check(c.store, c.want)
		if !slices.ContainsFunc(faults, func(f Fault) bool { return f.Rule == c.rule && f.Grave == c.grave }) {
			t.Errorf("%s: got %v, want %s", name, faults, c.rule)
		}
		if c.grave == Notice && len(Unfit(faults)) > 0 {
			t.Errorf("%s: got %v", name, Unfit(faults))
		}
	}
}

// A signature of SHA-1 is found in a real certificate: Go makes none.
func TestASignatureOfSHA1IsWeak(t *testing.T) {
	leaf := issue(t, "app.example.org", newKey(t), issue(t, "Mid", newKey(t), nil, authority), nil)
	leaf.cert.SignatureAlgorithm = x509.ECDSAWithSHA1
	if faults := Check(holding(t, "tomcat", leaf.key, leaf), Want{}); !slices.ContainsFunc(faults, func(f Fault) bool { return f.Rule == RuleWeak }) {
		t.Errorf("got %v", faults)
	}
}
