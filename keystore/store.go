package keystore

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Why a file is not read or written. Each error of this package wraps one of them.
var (
	ErrEmpty       = errors.New("the file is empty")
	ErrFormat      = errors.New("not a keystore")
	ErrMalformed   = errors.New("the file is damaged")
	ErrPassword    = errors.New("the password is wrong, or the file was altered")
	ErrKeyPassword = errors.New("a key has another password")
	ErrLimit       = errors.New("beyond what is read")
	ErrUnsupported = errors.New("written in a way that is not supported")
	ErrNoMAC       = errors.New("nothing proves that the file is whole: it has no MAC")
	ErrAlias       = errors.New("an alias is unfit")
	ErrNoAlias     = errors.New("no such alias")
	ErrSealed      = errors.New("an entry cannot be opened, so it cannot be written anew")
	ErrNotASCII    = errors.New("a password that is not ASCII, by which Java opens no PKCS12")
	ErrKey         = errors.New("a private key is unfit")
)

// Format is the form of a file. It is told by the file's first bytes: its name,
// and the type that a server's configuration gives it, prove nothing.
type Format string

// The formats.
const (
	PKCS12 Format = "pkcs12"
	JKS    Format = "jks"
	JCEKS  Format = "jceks" // read only
	PEM    Format = "pem"
)

// Kind is what an entry is.
type Kind string

// The kinds of entries.
const (
	Key     Kind = "key"     // a private key with the chain of its certificate
	Trusted Kind = "trusted" // a certificate that is believed
	Secret  Kind = "secret"  // a secret key; always opaque
	Loose   Kind = "loose"   // a certificate of a PKCS12 file that Java does not show
)

// Password is a secret that no log, error or document shows.
type Password string

const redacted = "[redacted]"

// String hides it.
func (Password) String() string { return redacted }

// GoString hides it from %#v.
func (Password) GoString() string { return redacted }

// MarshalText hides it from JSON and YAML.
func (Password) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue hides it from logs.
func (Password) LogValue() slog.Value { return slog.StringValue(redacted) }

// Passwords open a file. A key is tried with the store's, then with each of Keys.
type Passwords struct {
	Store Password
	Keys  []Password
}

// all are the passwords that a key may have, each once.
func (p Passwords) all() []Password {
	all := []Password{p.Store}
	for _, k := range p.Keys {
		if k != p.Store && len(all) < mostPasswords {
			all = append(all, k)
		}
	}
	return all
}

// What is read at most. A file that wants more is refused before it is obeyed.
const (
	MostSize      = 4 << 20   // bytes of a file
	mostEntries   = 2_000     // entries, bags, and certificates of all chains
	mostRounds    = 2_000_000 // rounds of key derivation, all together: about a second
	mostSalt      = 1 << 10
	mostKey       = 24 << 10 // bytes of a private key: RSA of 16,384 bits has 10 KiB
	mostModulus   = 8_192    // bits of an RSA modulus that is computed with
	mostDER       = 64 << 10 // bytes of a certificate
	mostAlias     = 1 << 10  // bytes of an alias
	mostDepth     = 4        // of bags in bags
	mostPasswords = 4
)

// Store is a keystore that was read, or is to be written.
type Store struct {
	Format   Format
	Entries  []Entry
	Warnings []string // about the file itself: weak protection and the like

	pass  Password          // that it was read with, by which its sealed secrets are protected
	taken map[string]string // aliases as Java compares them, and as they stand there
}

// Entry is what an alias names.
type Entry struct {
	Alias   string
	Kind    Kind
	Created time.Time     // zero when the file does not say
	Chain   []Certificate // of a key: its own certificate first; else the only one
	Key     []byte        // PKCS #8; empty unless Kind is Key and it could be opened

	// Password is the key's own, when it is not the store's.
	Password Password

	sealed []byte // what could not be opened, byte for byte, in the form of from
	from   Format
	keyID  []byte // localKeyID of a sealed entry of PKCS12
	signer crypto.Signer
	unfit  error // why there is no signer
}

// Password is that which the store was read with.
func (s *Store) Password() Password { return s.pass }

// Sealed tells whether the entry has a secret that was not opened.
func (e Entry) Sealed() bool { return e.sealed != nil }

// Certificate is one as it stands in the file.
type Certificate struct {
	DER []byte
	// X509 is nil when Go's parser, which is stricter than others, refuses it.
	X509 *x509.Certificate
}

func newCertificate(der []byte) (Certificate, error) {
	if len(der) == 0 || len(der) > mostDER {
		return Certificate{}, fmt.Errorf("%w: a certificate of %d bytes", ErrLimit, len(der))
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		parsed = nil // kept as it is; the check of the store says so
	}
	return Certificate{DER: der, X509: parsed}, nil
}

// Fingerprint is the SHA-256 of the certificate, in hexadecimal digits.
func (c Certificate) Fingerprint() string {
	sum := sha256.Sum256(c.DER)
	return hex.EncodeToString(sum[:])
}

// Entry finds an alias as Java does: whatever the case.
func (s *Store) Entry(alias string) (Entry, error) {
	for _, e := range s.Entries {
		if e.Kind != Loose && strings.EqualFold(e.Alias, alias) {
			return e, nil
		}
	}
	return Entry{}, fmt.Errorf("%w: %q; there are %s", ErrNoAlias, alias, s.aliases())
}

func (s *Store) aliases() string {
	var names []string
	for _, e := range s.Entries {
		if e.Kind != Loose {
			names = append(names, fmt.Sprintf("%q", e.Alias))
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func (s *Store) warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if slices.Contains(s.Warnings, text) {
		return
	}
	s.Warnings = append(s.Warnings, text)
}

// add takes an entry, unless its alias cannot be told from another's.
func (s *Store) add(e Entry) error {
	if e.Kind == Loose {
		s.Entries = append(s.Entries, e)
		return nil
	}
	if err := fitAlias(e.Alias); err != nil {
		return err
	}
	if other, ok := s.taken[lower(e.Alias)]; ok {
		return fmt.Errorf("%w: %q and %q differ at most in case, and Java sees only one of them", ErrAlias, other, e.Alias)
	}
	if s.taken == nil {
		s.taken = map[string]string{}
	}
	s.taken[lower(e.Alias)] = e.Alias
	s.Entries = append(s.Entries, e)
	return nil
}

// Only keeps the entry of an alias and nothing else.
func (s *Store) Only(alias string) error {
	e, err := s.Entry(alias)
	if err == nil {
		s.Entries = []Entry{e}
	}
	return err
}

// Rename gives an entry another alias, which no other may have.
func (s *Store) Rename(from, to string) error {
	e, err := s.Entry(from)
	if err != nil {
		return err
	}
	if err := fitAlias(to); err != nil {
		return err
	}
	if other, err := s.Entry(to); err == nil && !strings.EqualFold(from, to) {
		return fmt.Errorf("%w: %q is there already", ErrAlias, other.Alias)
	}
	if e.Sealed() && e.from == PKCS12 {
		return fmt.Errorf("rename %q: %w", from, ErrSealed) // its alias stands inside
	}
	for i := range s.Entries {
		if s.Entries[i].Kind != Loose && s.Entries[i].Alias == e.Alias {
			s.Entries[i].Alias = to
		}
	}
	return nil
}

// Same tells whether two stores have the same entries, whatever protects them.
func Same(a, b *Store) bool {
	return holds(a, b) && holds(b, a)
}

// holds tells whether b has all that Java sees in a.
func holds(a, b *Store) bool {
	for _, e := range a.Entries {
		if e.Kind == Loose {
			continue
		}
		other, err := b.Entry(e.Alias)
		if err != nil || other.Kind != e.Kind || !bytes.Equal(other.Key, e.Key) || !bytes.Equal(other.sealed, e.sealed) || len(other.Chain) != len(e.Chain) {
			return false
		}
		for i := range e.Chain {
			if !bytes.Equal(other.Chain[i].DER, e.Chain[i].DER) {
				return false
			}
		}
	}
	return true
}

// fitAlias refuses what no person can see, or what turns the line that shows it.
func fitAlias(alias string) error {
	if alias == "" || len(alias) > mostAlias {
		return fmt.Errorf("%w: it has %d bytes; 1 to %d", ErrAlias, len(alias), mostAlias)
	}
	for _, r := range alias {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
			return fmt.Errorf("%w: %+q has a character that cannot be seen", ErrAlias, alias)
		}
	}
	return nil
}
