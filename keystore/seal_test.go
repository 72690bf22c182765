package keystore

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func openerOf(t *testing.T, node string) (*Opener, ed25519.PrivateKey) {
	t.Helper()
	_, identity, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	o, err := NodeOpener(node, identity)
	if err != nil {
		t.Fatal(err)
	}
	return o, identity
}

func TestWhatIsSealedOpensInItsPlaceAndNowhereElse(t *testing.T) {
	a, identity := openerOf(t, "app-a")
	b, _ := openerOf(t, "app-b")
	place := Place{Cluster: "c1", Name: "server", Version: 7}
	bundle := Bundle{File: []byte("a keystore"), Store: "changeit", Keys: []string{"own"}, Alias: "tomcat"}
	content, copies, err := Seal(place, bundle, []Recipient{a.Recipient(), b.Recipient()})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(content, []byte("changeit")) || bytes.Contains(content, []byte("a keystore")) {
		t.Error("the content is not encrypted")
	}
	got, err := a.Open(place, content, copies[0].Key)
	if err != nil || !bytes.Equal(got.File, bundle.File) || got.Passwords().Store != "changeit" || got.Keys[0] != "own" || got.Alias != "tomcat" {
		t.Fatalf("got %v, %v", got, err)
	}
	again, err := NodeOpener("app-a", identity)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Open(place, content, copies[0].Key); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	renamed, err := NodeOpener("app-c", identity)
	if err != nil {
		t.Fatal(err)
	}
	altered := bytes.Clone(content)
	altered[len(altered)/2] ^= 1
	other, otherCopies, err := Seal(Place{Cluster: "c1", Name: "server", Version: 6}, bundle, []Recipient{a.Recipient()})
	if err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func() (Bundle, error){
		"another cluster":     func() (Bundle, error) { return a.Open(Place{"c2", "server", 7}, content, copies[0].Key) },
		"another keystore":    func() (Bundle, error) { return a.Open(Place{"c1", "clients", 7}, content, copies[0].Key) },
		"another version":     func() (Bundle, error) { return a.Open(Place{"c1", "server", 8}, content, copies[0].Key) },
		"another's copy":      func() (Bundle, error) { return a.Open(place, content, copies[1].Key) },
		"under another name":  func() (Bundle, error) { return renamed.Open(place, content, copies[0].Key) },
		"an old row":          func() (Bundle, error) { return a.Open(place, other, otherCopies[0].Key) },
		"old content":         func() (Bundle, error) { return a.Open(place, other, copies[0].Key) },
		"altered":             func() (Bundle, error) { return a.Open(place, altered, copies[0].Key) },
		"nothing":             func() (Bundle, error) { return a.Open(place, nil, nil) },
		"a key in clear text": func() (Bundle, error) { return a.Open(place, content, make([]byte, 32)) },
	} {
		if b, err := open(); !errors.Is(err, ErrSeal) {
			t.Errorf("%s: got %v, %v", name, b, err)
		}
	}
}

func TestANodeThatCanOpenAVersionSharesIt(t *testing.T) {
	a, _ := openerOf(t, "app-a")
	late, _ := openerOf(t, "app-late")
	place := Place{Cluster: "c1", Name: "server", Version: 1}
	content, copies, err := Seal(place, Bundle{File: []byte("f")}, []Recipient{a.Recipient()})
	if err != nil {
		t.Fatal(err)
	}
	shared, err := a.Share(place, copies[0].Key, late.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := late.Open(place, content, shared.Key); err != nil || shared.Seal != late.Recipient().Fingerprint() {
		t.Errorf("got %v", err)
	}
	if _, err := late.Share(place, copies[0].Key, late.Recipient()); !errors.Is(err, ErrSeal) {
		t.Errorf("who cannot open it shares it: %v", err)
	}
}

func TestASealingKeyIsTheNodesOnlyByItsSignature(t *testing.T) {
	a, identity := openerOf(t, "app-a")
	thief, stranger := openerOf(t, "app-a")
	claim := func(o *Opener, by ed25519.PrivateKey, cluster string) Claim {
		public := by.Public().(ed25519.PublicKey)
		return Claim{Recipient: o.Recipient(), ID: idOf(identity), Identity: public, Signature: SignSeal(by, cluster, o.Recipient())}
	}
	if err := claim(a, identity, "c1").Verify("c1"); err != nil {
		t.Error(err)
	}
	stolen := claim(a, identity, "c1")
	stolen.Seal = thief.Recipient().Seal
	renamed := claim(a, identity, "c1")
	renamed.Name = "app-b"
	for name, c := range map[string]Claim{
		"signed by a stranger": claim(thief, stranger, "c1"), "another key under the signature": stolen, "another node": renamed,
		"another cluster": claim(a, identity, "c2"), "nothing": {},
	} {
		if err := c.Verify("c1"); !errors.Is(err, ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestARecoveryKeyOpensWithoutAnyNode(t *testing.T) {
	file, r, err := NewRecovery()
	if err != nil {
		t.Fatal(err)
	}
	place := Place{Cluster: "c1", Name: "server", Version: 1}
	content, copies, err := Seal(place, Bundle{Store: "s"}, []Recipient{r})
	if err != nil {
		t.Fatal(err)
	}
	o, err := OpenRecovery(file)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := o.Open(place, content, copies[0].Key); err != nil || b.Store != "s" || o.Name != r.Name {
		t.Errorf("got %v, %v", b, err)
	}
	if _, err := OpenRecovery([]byte("x")); !errors.Is(err, ErrFormat) {
		t.Errorf("got %v", err)
	}
	if _, err := OpenRecovery(file[:len(file)-60]); err == nil {
		t.Error("half a file is a key")
	}
}

func TestSecretsDoNotShow(t *testing.T) {
	b := Bundle{Store: "canary", Keys: []string{"canary"}, File: []byte("canary")}
	p := b.Passwords()
	for _, shown := range []string{fmt.Sprint(b), fmt.Sprintf("%+v %#v", b, b), fmt.Sprintf("%v %+v %#v %s %q", p, p, p, p.Store, p.Store)} {
		if strings.Contains(shown, "canary") {
			t.Errorf("shown: %s", shown)
		}
	}
}

// idOf is a node's id as the coordinator makes it.
func idOf(identity ed25519.PrivateKey) string {
	return SealFingerprint(identity.Public().(ed25519.PublicKey))[:32]
}

// A newer program may seal otherwise: an older one says so, and does not take it for a forgery.
func TestWhatANewerProgramSealedIsCalledSo(t *testing.T) {
	a, _ := openerOf(t, "app-a")
	place := Place{Cluster: "c1", Name: "server", Version: 7}
	content, copies, err := Seal(place, Bundle{File: []byte("a keystore")}, []Recipient{a.Recipient()})
	if err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func() error{
		"content": func() error {
			_, err := a.Open(place, append([]byte("coterie seal 2\n"), content...), copies[0].Key)
			return err
		},
		"copy": func() error {
			_, err := a.Open(place, content, append([]byte("coterie seal 2\n"), copies[0].Key...))
			return err
		},
		"shared": func() error {
			_, err := a.Share(place, append([]byte("coterie seal 2\n"), copies[0].Key...), a.Recipient())
			return err
		},
		"no number": func() error { _, err := a.Open(place, []byte("coterie seal "), copies[0].Key); return err },
	} {
		if err := open(); !errors.Is(err, ErrNewer) || errors.Is(err, ErrSeal) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
