package trust

import (
	"cmp"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coterie-ha/coterie/keystore"
)

// ErrForged means that the identity of a node has not signed what is said to be its
// certificate.
var ErrForged = errors.New("it is not signed by the identity of the node")

// Entry is a certificate under its alias.
type Entry struct {
	Alias       string `json:"alias"`
	Node        string `json:"node"` // empty: an operator added it
	Certificate []byte `json:"certificate"`
	ID          string `json:"id"` // of the node: the fingerprint of its identity
	Identity    []byte `json:"identity"`
	Signature   []byte `json:"signature"`
}

// signed is what the identity of a node signs.
func signed(cluster, node string, certificate []byte) []byte {
	return append([]byte("coterie certificate v1\n"+cluster+"\n"+node+"\n"), certificate...)
}

// Sign has the identity of a node say that its server shows a certificate.
func Sign(identity ed25519.PrivateKey, cluster, node string, certificate []byte) []byte {
	return ed25519.Sign(identity, signed(cluster, node, certificate))
}

// Fingerprint is the SHA-256 of a certificate, in hexadecimal digits.
func Fingerprint(certificate []byte) string {
	sum := sha256.Sum256(certificate)
	return hex.EncodeToString(sum[:])
}

// Verify tells whether the entry is what it says. What an operator added has nobody
// to sign it: the database knows who that was.
func (e Entry) Verify(cluster string) error {
	if e.Node == "" {
		if !strings.HasPrefix(e.Alias, "added:") {
			return fmt.Errorf("%s: %w", e.Alias, ErrForged)
		}
		return nil
	}
	id := sha256.Sum256(e.Identity)
	switch {
	case e.Alias != e.Node && !strings.HasPrefix(e.Alias, e.Node+":"),
		len(e.Identity) != ed25519.PublicKeySize, hex.EncodeToString(id[:16]) != e.ID,
		!ed25519.Verify(e.Identity, signed(cluster, e.Node, e.Certificate), e.Signature):
		return fmt.Errorf("%s: %w", e.Alias, ErrForged)
	}
	return nil
}

// Store is a version of the trust store.
type Store struct {
	Version int64
	Digest  string
	Entries []Entry
}

// Digest is that of entries, as the database makes it.
func Digest(entries []Entry) string {
	sorted := slices.SortedFunc(slices.Values(entries), func(a, b Entry) int { return cmp.Compare(a.Alias, b.Alias) })
	sum := sha256.New()
	for _, e := range sorted {
		fmt.Fprintf(sum, "%s %s\n", e.Alias, Fingerprint(e.Certificate))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Believed is the store with the entries that hold, under the digest that they have,
// and why others do not.
func (s Store) Believed(cluster string) (Store, error) {
	var wrong []error
	kept := Store{Version: s.Version}
	for _, e := range s.Entries {
		if err := e.Verify(cluster); err != nil {
			wrong = append(wrong, err)
			continue
		}
		kept.Entries = append(kept.Entries, e)
	}
	kept.Digest = Digest(kept.Entries)
	if len(wrong) == 0 && kept.Digest != s.Digest {
		wrong = append(wrong, fmt.Errorf("version %d has other entries than it was made of", s.Version))
	}
	return kept, errors.Join(wrong...)
}

// Ends is when certificates end, by alias: of those that servers show and those that
// an operator added, not of a node's further ones.
func (s Store) Ends() map[string]time.Time {
	ends := map[string]time.Time{}
	for _, e := range s.Entries {
		if e.Node != "" && e.Alias != e.Node {
			continue
		}
		if c, err := x509.ParseCertificate(e.Certificate); err == nil { // what Go's parser refuses, Java may take
			ends[e.Alias] = c.NotAfter
		}
	}
	return ends
}

// keystore is the store as a file has it.
func (s Store) keystore() *keystore.Store {
	out := &keystore.Store{}
	for _, e := range s.Entries {
		c := keystore.Certificate{DER: e.Certificate}
		c.X509, _ = x509.ParseCertificate(e.Certificate) // what Go's parser refuses, Java may take
		out.Entries = append(out.Entries, keystore.Entry{Alias: e.Alias, Kind: keystore.Trusted, Chain: []keystore.Certificate{c}})
	}
	slices.SortFunc(out.Entries, func(a, b keystore.Entry) int { return cmp.Compare(a.Alias, b.Alias) })
	return out
}
