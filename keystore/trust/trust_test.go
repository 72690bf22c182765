package trust

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/keystore"
)

const clusterID = "6e3c"

// node is an installation with its identity.
type node struct {
	name string
	key  ed25519.PrivateKey
}

func newNode(t *testing.T, name string) node {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return node{name, key}
}

// entry is what the database has of a certificate of the node.
func (n node) entry(der []byte) Entry {
	public := n.key.Public().(ed25519.PublicKey)
	id := sha256.Sum256(public)
	return Entry{Alias: n.name, Node: n.name, Certificate: der, ID: hex.EncodeToString(id[:16]), Identity: public, Signature: Sign(n.key, clusterID, n.name, der)}
}

// certificate is a self-signed one, changed before it is signed.
func certificate(t *testing.T, subject string, change func(*x509.Certificate)) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: subject}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	if change != nil {
		change(c)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}

func storeOf(version int64, entries ...Entry) Store {
	return Store{Version: version, Digest: Digest(entries), Entries: entries}
}

func TestWhatTheIdentityOfTheNodeHasNotSignedIsNotBelieved(t *testing.T) {
	a, b := newNode(t, "app-a"), newNode(t, "app-b")
	der, _ := certificate(t, "app-a", nil)
	other, _ := certificate(t, "other", nil)
	ca, _ := certificate(t, "ca", nil)
	good := a.entry(der)
	added := Entry{Alias: "added:ca", Certificate: ca}
	if s, err := storeOf(1, good, added).Believed(clusterID); err != nil || len(s.Entries) != 2 {
		t.Fatalf("%d entries, %v", len(s.Entries), err)
	}
	for name, forge := range map[string]func(e *Entry){
		"another certificate": func(e *Entry) { e.Certificate = other },
		"another node's row":  func(e *Entry) { e.Alias, e.Node = "app-b", "app-b" },
		"another alias":       func(e *Entry) { e.Alias = "app-b" },
		"no signature":        func(e *Entry) { e.Signature = nil },
		"an identity of somebody's": func(e *Entry) {
			x := b.entry(other)
			e.Identity, e.Signature, e.Certificate = x.Identity, x.Signature, other
		},
		"short identity":             func(e *Entry) { e.Identity = e.Identity[:31] },
		"as if an operator added it": func(e *Entry) { e.Node = "" },
	} {
		forged := good
		forge(&forged)
		s, err := storeOf(1, forged, added).Believed(clusterID)
		if !errors.Is(err, ErrForged) || len(s.Entries) != 1 || s.Entries[0].Alias != "added:ca" {
			t.Errorf("%s: %v, %d entries", name, err, len(s.Entries))
		}
	}
	if _, err := storeOf(1, good).Believed("another cluster"); !errors.Is(err, ErrForged) {
		t.Errorf("the row of another cluster: %v", err)
	}
	if _, err := (Store{Version: 1, Digest: Digest([]Entry{good, added}), Entries: []Entry{good}}).Believed(clusterID); err == nil {
		t.Error("an entry that is missing is not noticed")
	}
}

func files(t *testing.T) *Files {
	t.Helper()
	dir := t.TempDir()
	return &Files{Memory: dir, Password: "changeit", List: []File{
		{filepath.Join(dir, "t.pem"), keystore.PEM}, {filepath.Join(dir, "t.p12"), keystore.PKCS12}, {filepath.Join(dir, "t.jks"), keystore.JKS},
	}}
}

func render(t *testing.T, f *Files, s Store) Outcome {
	t.Helper()
	done, err := f.Render(s)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestFilesAreWrittenOnlyWhenTheyHaveOtherEntries(t *testing.T) {
	a, b := newNode(t, "app-a"), newNode(t, "app-b")
	der, _ := certificate(t, "app-a", nil)
	other, _ := certificate(t, "app-b", nil)
	f := files(t)
	one, two := storeOf(1, a.entry(der)), storeOf(2, a.entry(der), b.entry(other))
	if done := render(t, f, one); len(done.Written) != 3 || len(done.Mended) != 0 {
		t.Errorf("at first: %+v", done)
	}
	if err := os.Chmod(f.List[1].Path, 0o600); err != nil {
		t.Fatal(err)
	}
	again := &Files{Memory: f.Memory, Password: f.Password, List: f.List} // another process
	for name, of := range map[string]*Files{"the same process": f, "another": again} {
		if done := render(t, of, one); len(done.Written) != 0 {
			t.Errorf("%s wrote what was there: %+v", name, done)
		}
	}
	if done := render(t, again, two); len(done.Written) != 3 || len(done.Mended) != 0 {
		t.Errorf("another version: %+v", done)
	}
	if info, err := os.Stat(f.List[1].Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mode is not kept: %v %v", info.Mode(), err)
	}
	for _, file := range f.List[1:] {
		s, err := keystore.Read(read(t, file.Path), keystore.Passwords{Store: "changeit"})
		if err != nil || s.Format != file.Format || len(s.Entries) != 2 || s.Entries[0].Alias != "app-a" || s.Entries[1].Alias != "app-b" {
			t.Errorf("%s: %+v %v", file.Path, s, err)
		}
	}
	if bytes.Count(read(t, f.List[0].Path), []byte("BEGIN CERTIFICATE")) != 2 {
		t.Error("the bundle has other certificates")
	}
	if done := render(t, again, storeOf(3)); len(done.Written) != 3 {
		t.Errorf("nobody is trusted: %+v", done)
	}
	if _, err := again.Roots(); err != nil {
		t.Errorf("an empty bundle: %v", err)
	}
}

func TestWhatSomebodyElseWroteIsNotDestroyed(t *testing.T) {
	a := newNode(t, "app-a")
	der, _ := certificate(t, "app-a", nil)
	stranger, _ := certificate(t, "stranger", nil)
	s := storeOf(1, a.entry(der))
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: stranger})
	f := files(t)
	f.List = f.List[:1]
	path := f.List[0].Path
	for name, before := range map[string][]byte{"a stranger's certificate": text, "no keystore at all": []byte("hello"), "a PKCS12 of another password": {0x30, 0x03, 0x02, 0x01, 0x03}} {
		if err := os.WriteFile(path, before, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := f.Render(s)
		if _, ok := errors.AsType[*ForeignError](err); !ok || !bytes.Equal(read(t, path), before) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	render(t, f, s) // all of it is known: it is ours from now on
	for name, c := range map[string]struct {
		edit func()
		said string
	}{
		"added":   {func() { write(t, path, text) }, "CN=stranger"},
		"emptied": {func() { write(t, path, nil) }, "app-a was missing"},
		"gone":    {func() { remove(t, path) }, "was gone"},
	} {
		if name == "emptied" {
			c.said = "the file is empty"
		}
		c.edit()
		done := render(t, f, s)
		if len(done.Mended) != 1 || !strings.Contains(done.Mended[0], c.said) || len(done.Written) != 1 {
			t.Errorf("%s: %+v", name, done)
		}
	}
	write(t, path, text)
	render(t, f, s)
	if !bytes.Equal(read(t, filepath.Join(f.Memory, "trust.edited.t.pem")), text) {
		t.Error("what somebody wrote is lost")
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func TestOneFileThatCannotBeWrittenKeepsNoOtherFromIt(t *testing.T) {
	a := newNode(t, "app-a")
	der, _ := certificate(t, "app-a", nil)
	f := files(t)
	f.List[0].Path = filepath.Join(f.Memory, "none", "t.pem")
	done, err := f.Render(storeOf(1, a.entry(der)))
	if !errors.Is(err, fs.ErrNotExist) || len(done.Written) != 2 {
		t.Errorf("%+v, %v", done, err)
	}
}

func TestTheFirstCertificateOfAFileCounts(t *testing.T) {
	first, key := certificate(t, "first", nil)
	second, _ := certificate(t, "second", nil)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	for _, block := range []pem.Block{{Type: "PRIVATE KEY", Bytes: pkcs8}, {Type: "CERTIFICATE", Bytes: first}, {Type: "CERTIFICATE", Bytes: second}} {
		if err := pem.Encode(&all, &block); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "c")
	for name, c := range map[string]struct {
		data []byte
		ok   bool
	}{
		"PEM with a key": {all.Bytes(), true}, "DER": {first, true}, "empty": {nil, false}, "words": {[]byte("hello"), false},
		"a key alone": {pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), false}, "broken": {first[:100], false},
	} {
		write(t, path, c.data)
		got, err := FirstCertificate(path)
		if c.ok != (err == nil) || c.ok && got.Subject.CommonName != "first" || !c.ok && !errors.Is(err, ErrNoCertificate) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
