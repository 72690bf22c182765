package license

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Why a licence file is not taken.
var (
	ErrFile      = errors.New("not a licence file")
	ErrSignature = errors.New("the signature is not that of a trusted key")
	ErrCluster   = errors.New("the file is for another cluster")
	ErrKey       = errors.New("not an Ed25519 public key")
)

// Document is what a licence file says.
type Document struct {
	Schema  string    `json:"schema"` // coterie.license/v1
	Serial  string    `json:"serial"`
	Issuer  string    `json:"issuer,omitempty"`
	Cluster string    `json:"cluster,omitempty"` // id of the only cluster that it is for
	Issued  time.Time `json:"issued,omitzero"`
	Pools   []Grant   `json:"pools"`
}

// Grant is an entitlement of a pool.
type Grant struct {
	Pool      string     `json:"pool"`
	Kind      string     `json:"kind,omitempty"`
	Seats     int        `json:"seats"`
	Begins    *time.Time `json:"begins_at,omitempty"`
	Ends      *time.Time `json:"ends_at,omitempty"`
	Addresses []string   `json:"addresses,omitempty"` // of nodes that it is bound to
}

// envelope is a licence file: the document byte for byte, so that there is no
// question of what was signed.
type envelope struct {
	Document  []byte `json:"document"`  // base64
	Signature []byte `json:"signature"` // Ed25519, base64
}

// File is a licence file whose signature is that of a trusted key.
type File struct {
	Document
	Text      string // as it was signed
	Signature string // base64
	SignedBy  string // fingerprint of the key
}

// schemaName is what a document begins with.
const schemaName = "coterie.license/v1"

// mostFile bounds what is read as a licence file.
const mostFile = 1 << 20

// IsFile tells whether a text is meant to be a signed licence file.
func IsFile(text []byte) bool {
	var e map[string]json.RawMessage
	return json.Unmarshal(text, &e) == nil && e["document"] != nil && e["signature"] != nil
}

// Sign makes a licence file.
func Sign(d Document, key ed25519.PrivateKey) ([]byte, error) {
	d.Schema = schemaName
	if err := d.Validate(); err != nil {
		return nil, err
	}
	text, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(envelope{Document: text, Signature: ed25519.Sign(key, text)}, "", "  ")
}

// Open verifies a licence file with the trusted keys, and reads it.
func Open(text []byte, trusted []ed25519.PublicKey) (File, error) {
	var e envelope
	if len(text) > mostFile {
		return File{}, fmt.Errorf("%w: longer than a megabyte", ErrFile)
	}
	if err := strict(text, &e); err != nil {
		return File{}, fmt.Errorf("%w: %w", ErrFile, err)
	}
	f := File{Text: string(e.Document), Signature: base64.StdEncoding.EncodeToString(e.Signature)}
	for _, key := range trusted {
		if len(key) == ed25519.PublicKeySize && ed25519.Verify(key, e.Document, e.Signature) {
			f.SignedBy = Fingerprint(key)
		}
	}
	if f.SignedBy == "" {
		return File{}, ErrSignature
	}
	if err := strict(e.Document, &f.Document); err != nil {
		return File{}, fmt.Errorf("%w: %w", ErrFile, err)
	}
	if err := f.Validate(); err != nil {
		return File{}, fmt.Errorf("%w: %w", ErrFile, err)
	}
	return f, nil
}

// strict reads one JSON value without members that nobody knows.
func strict(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows its end")
	}
	return nil
}

var (
	serialRule = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`) })
	poolRule   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`) })
)

// mostSeats is the largest entitlement of one pool.
const mostSeats = 1_000_000

// Validate tells everything that is wrong.
func (d Document) Validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if d.Schema != schemaName {
		wrong("schema is %q, not %s", d.Schema, schemaName)
	}
	if !serialRule().MatchString(d.Serial) || d.Serial == "plain" {
		wrong("serial %q is not 1 to 63 of A-Z a-z 0-9 . _ -", d.Serial)
	}
	if len(d.Pools) == 0 {
		wrong("no pools")
	}
	seen := map[string]bool{}
	for i, g := range d.Pools {
		switch {
		case !poolRule().MatchString(g.Pool):
			wrong("pools[%d]: %q is not a name of a-z 0-9 . -", i, g.Pool)
		case seen[g.Pool]:
			wrong("pools[%d]: %s is there twice", i, g.Pool)
		}
		seen[g.Pool] = true
		if g.Seats < 1 || g.Seats > mostSeats {
			wrong("pools[%d]: %d seats; 1 to %d", i, g.Seats, mostSeats)
		}
		if g.Kind != "" && !isKind(g.Kind) {
			wrong("pools[%d]: no kind %q", i, g.Kind)
		}
		if g.Begins != nil && g.Ends != nil && !g.Ends.After(*g.Begins) {
			wrong("pools[%d]: it ends before it begins", i)
		}
	}
	return errors.Join(errs...)
}

// For says whether the file may be applied to a cluster.
func (f File) For(cluster string) error {
	if f.Cluster != "" && !strings.EqualFold(f.Cluster, cluster) {
		return fmt.Errorf("%w: %s", ErrCluster, f.Cluster)
	}
	return nil
}

// Fingerprint names a key.
func Fingerprint(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:8])
}

// ParseKey reads a public key: base64 of its 32 bytes, or PEM.
func ParseKey(text string) (ed25519.PublicKey, error) {
	text = strings.TrimSpace(text)
	if block, _ := pem.Decode([]byte(text)); block != nil {
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrKey, err)
		}
		if ours, ok := key.(ed25519.PublicKey); ok {
			return ours, nil
		}
		return nil, ErrKey
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return nil, ErrKey
	}
	return ed25519.PublicKey(raw), nil
}
