//go:build unix

package keystore

import (
	"crypto/x509"
	"errors"
	"strings"
	"testing"
)

func TestWeakProtectionIsReadAndTold(t *testing.T) {
	for name, want := range map[string]string{
		"ossl-legacy.p12": "RC2", "ossl-rc2-128.p12": "RC2", "ossl-rc4-128.p12": "RC4", "ossl-rc4-40.p12": "RC4", "ossl-3des.p12": "3DES", "ossl-2des.p12": "3DES",
		"kt-legacy.p12": "3DES", "ossl-plainkey.p12": "not encrypted", "kt-nomac-trust.p12": "no MAC", "ossl-certs.p12": "Java does not see it",
	} {
		f := sampleOf(t, name)
		s, err := Read(f.bytes(t), f.pass)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(strings.Join(s.Warnings, "\n"), want) {
			t.Errorf("%s: told %q, want %s", name, s.Warnings, want)
		}
	}
	for _, name := range []string{"pkcs12-three.ks", "ossl-default.p12", "jks-three.ks"} {
		f := sampleOf(t, name)
		if s, err := Read(f.bytes(t), f.pass); err != nil || len(s.Warnings) > 0 {
			t.Errorf("%s: told %v, %v", name, s, err)
		}
	}
}

// twins is a PKCS12 file of one key, and certificates that all have the key's id.
func twins(t *testing.T, key []byte, aliases []string, certs ...*pair) []byte {
	t.Helper()
	id := attribute(oidLocalKeyID, octets([]byte("id")))
	bags := [][]byte{sequence(identifier(oidKeyBag), element(tagContext0, key), element(tagSet, attribute(oidFriendlyName, bmp("tomcat")), id))}
	for i, c := range certs {
		bags = append(bags, certBag(Certificate{DER: c.cert.Raw}, attribute(oidFriendlyName, bmp(aliases[i])), id))
	}
	return macP12(oidSHA256, number(1), sequence(dataSafe(bags...)))
}

// Java takes the certificate of the same id and alias, or else the last of the same
// id. A server would show that one, so that one is judged.
func TestOfCertificatesWithOneIDJavasChoiceCounts(t *testing.T) {
	right, wrong := issue(t, "app.example.org", newKey(t), nil, nil), issue(t, "old.example.org", newKey(t), nil, nil)
	key, err := x509.MarshalPKCS8PrivateKey(right.key)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		aliases []string
		certs   []*pair
		fits    bool
	}{
		"the alias tells":  {[]string{"Tomcat", "old"}, []*pair{right, wrong}, true},
		"the other way":    {[]string{"old", "tomcat"}, []*pair{right, wrong}, false},
		"the last of them": {[]string{"x", "y"}, []*pair{wrong, right}, true},
		"and not another":  {[]string{"x", "y"}, []*pair{right, wrong}, false},
	} {
		s, err := Read(twins(t, key, c.aliases, c.certs...), Passwords{Store: "changeit"})
		if err != nil {
			t.Fatal(err)
		}
		e, err := s.Served("tomcat")
		if err != nil || e.Facts().Matches != c.fits {
			t.Errorf("%s: %v, %v", name, e.Facts().Subject, err)
		}
	}
}

// The type that a server's configuration says is no proof of what the file is.
func TestTheContentTellsTheFormat(t *testing.T) {
	for _, f := range samples(t) {
		want := map[string]Format{"jks": JKS, "jce": JCEKS, "pem": PEM}[f.name[:3]]
		if want == "" {
			want = PKCS12
		}
		if strings.HasSuffix(f.name, ".jks") {
			want = JKS
		}
		if got, err := Detect(f.bytes(t)); err == nil && got != want || err != nil && !errors.Is(f.fails, ErrFormat) {
			t.Errorf("%s: %s, %v", f.name, got, err)
		}
	}
}
