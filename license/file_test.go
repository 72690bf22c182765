package license

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// testKey is a key pair that is the same in each run.
func testKey(seed byte) (ed25519.PublicKey, ed25519.PrivateKey) {
	key := ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(seed), ed25519.SeedSize)))
	return key.Public().(ed25519.PublicKey), key
}

func TestOnlyAFileOfATrustedKeyIsTaken(t *testing.T) {
	trusted, key := testKey('a')
	_, stranger := testKey('b')
	d := Document{Serial: "ACME-1", Issuer: "ACME", Cluster: "0190", Pools: []Grant{{Pool: "floating", Seats: 3}}}
	good, err := Sign(d, key)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(good, []ed25519.PublicKey{trusted})
	if err != nil || f.Serial != "ACME-1" || f.SignedBy != Fingerprint(trusted) || Verify(f.Text, f.Signature, []ed25519.PublicKey{trusted}) != nil {
		t.Fatalf("a good file: %+v, %v", f, err)
	}
	if f.For("0190") != nil || !errors.Is(f.For("0191"), ErrCluster) {
		t.Error("a file is taken for the wrong cluster, or not for its own")
	}
	foreign, err := Sign(d, stranger)
	if err != nil {
		t.Fatal(err)
	}
	var e map[string]string
	if err := json.Unmarshal(good, &e); err != nil {
		t.Fatal(err)
	}
	e["document"] = base64.StdEncoding.EncodeToString([]byte(strings.Replace(f.Text, `"seats":3`, `"seats":9`, 1)))
	changed, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text []byte
		want error
	}{
		"signed by a stranger": {foreign, ErrSignature},
		"changed":              {changed, ErrSignature},
		"cut off":              {good[:len(good)/2], ErrFile},
		"with an appendix":     {append(append([]byte{}, good...), "{}"...), ErrFile},
		"no JSON":              {[]byte("seats: 9"), ErrFile},
		"too long":             {[]byte(strings.Repeat(" ", mostFile+1)), ErrFile},
	} {
		if _, err := Open(c.text, []ed25519.PublicKey{trusted}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := Open(good, nil); !errors.Is(err, ErrSignature) {
		t.Errorf("without trusted keys: %v", err)
	}
}

func TestADocumentThatMakesNoSenseIsRefusedAsAWhole(t *testing.T) {
	now := time.Now()
	before := now.Add(-time.Hour)
	for name, c := range map[string]struct {
		d    Document
		want string
	}{
		"no pools":       {Document{Serial: "x"}, "no pools"},
		"no seats":       {Document{Serial: "x", Pools: []Grant{{Pool: "p"}}}, "0 seats"},
		"negative":       {Document{Serial: "x", Pools: []Grant{{Pool: "p", Seats: -1}}}, "-1 seats"},
		"2^31":           {Document{Serial: "x", Pools: []Grant{{Pool: "p", Seats: 1 << 31}}}, "seats; 1 to"},
		"twice":          {Document{Serial: "x", Pools: []Grant{{Pool: "p", Seats: 1}, {Pool: "p", Seats: 1}}}, "twice"},
		"backwards":      {Document{Serial: "x", Pools: []Grant{{Pool: "p", Seats: 1, Begins: &now, Ends: &before}}}, "before it begins"},
		"a wrong name":   {Document{Serial: "x", Pools: []Grant{{Pool: "P", Seats: 1}}}, "not a name"},
		"a long name":    {Document{Serial: "x", Pools: []Grant{{Pool: strings.Repeat("p", 10_000), Seats: 1}}}, "not a name"},
		"a wrong serial": {Document{Serial: "a b", Pools: []Grant{{Pool: "p", Seats: 1}}}, "serial"},
		"a wrong kind":   {Document{Serial: "x", Pools: []Grant{{Pool: "p", Kind: "floaty", Seats: 1}}}, "no kind"},
	} {
		_, key := testKey('a')
		if _, err := Sign(c.d, key); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestAPublicKeyIsReadAsBase64OrPEM(t *testing.T) {
	// openssl genpkey -algorithm ed25519 | openssl pkey -pubout
	const pemKey = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"
	a, err := ParseKey(pemKey)
	if err != nil {
		t.Fatal(err)
	}
	b, err := ParseKey(base64.StdEncoding.EncodeToString(a))
	if err != nil || !a.Equal(b) {
		t.Errorf("base64 of the same key: %v", err)
	}
	for _, bad := range []string{"", "x", "AAAA", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"} {
		if _, err := ParseKey(bad); !errors.Is(err, ErrKey) {
			t.Errorf("%q: %v, want ErrKey", bad, err)
		}
	}
}

func TestAListOfLicenceServersIsReadAsFlexNetWritesIt(t *testing.T) {
	for _, text := range []string{"27000@a:27001@b.example", "27000@a,27001@b.example", "27000@a 27001@b.example"} {
		got, err := ParseServers(text)
		if err != nil || len(got) != 2 || got[1].String() != "27001@b.example" {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "a", "0@a", "65536@a", "@a", "27000@", "27000@a:27000@a", "27000@a b;c", strings.Repeat("27000@a:", 10)} {
		if got, err := ParseServers(text); !errors.Is(err, ErrServers) {
			t.Errorf("%q: %v, %v, want ErrServers", text, got, err)
		}
	}
}
