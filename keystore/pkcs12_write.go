package keystore

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// writePKCS12 writes a file as keytool of JDK 17 does: keys each by itself, then
// all certificates in one encrypted safe.
func writePKCS12(s *Store, pass Password) ([]byte, error) {
	return writeRounds(s, pass, newRounds)
}

func writeRounds(s *Store, pass Password, rounds int) ([]byte, error) {
	if err := asciiPassword(pass); err != nil {
		return nil, err
	}
	w := &pkcs12Writer{store: s, pass: pass, rounds: rounds, written: map[string]bool{}, ids: map[string]bool{}}
	for _, e := range s.Entries {
		if err := w.entry(e); err != nil {
			return nil, fmt.Errorf("write %q: %w", e.Alias, err)
		}
	}
	var safes [][]byte
	if len(w.keys) > 0 {
		safes = append(safes, contentInfo(oidData, octets(sequence(w.keys...))))
	}
	if certs := append(w.certs, w.chains...); len(certs) > 0 {
		a, hidden, err := hide(pass, sequence(certs...), rounds)
		if err != nil {
			return nil, err
		}
		info := sequence(identifier(oidData), a, element(tagImplicit0, hidden))
		safes = append(safes, contentInfo(oidEncryptedData, sequence(number(0), info)))
	}
	content := sequence(safes...)
	salt := make([]byte, newSalt)
	if _, err := rand.Read(salt); err != nil {
		return nil, err
	}
	sum := mac(sha256.New, bmpPassword(pass), salt, rounds, content)
	digest := sequence(sequence(identifier(oidSHA256), element(tagNull)), octets(sum))
	return sequence(number(3), contentInfo(oidData, octets(content)), sequence(digest, octets(salt), number(rounds))), nil
}

// asciiPassword refuses a password that Java would.
func asciiPassword(pass Password) error {
	for _, r := range string(pass) {
		if r < 0x20 || r > 0x7e {
			return ErrNotASCII
		}
	}
	return nil
}

type pkcs12Writer struct {
	store               *Store
	pass                Password
	rounds              int // of key derivation
	keys, certs, chains [][]byte
	written             map[string]bool // certificates of chains: once each
	ids                 map[string]bool
}

func (w *pkcs12Writer) entry(e Entry) error {
	switch {
	case e.Sealed() && e.from != PKCS12:
		return fmt.Errorf("%w: it comes from %s", ErrSealed, e.from)
	case e.Sealed() && e.Kind == Secret && w.pass != w.store.pass:
		return fmt.Errorf("%w with another password", ErrSealed)
	case e.Sealed() && e.Kind == Secret:
		w.keys = append(w.keys, e.sealed)
		return nil
	case e.Kind == Trusted:
		usage := attribute(oidTrusted, identifier(oidAnyUsage))
		w.certs = append(w.certs, certBag(e.Chain[0], attribute(oidFriendlyName, bmp(lower(e.Alias))), usage))
		return nil
	case e.Kind == Loose:
		w.chain(e.Chain)
		return nil
	}
	alias, id := lower(e.Alias), w.keyID(e)
	if e.Sealed() {
		w.keys, id = append(w.keys, e.sealed), e.keyID
	} else {
		pass := w.pass
		if e.Password != "" {
			if err := asciiPassword(e.Password); err != nil {
				return err
			}
			pass = e.Password
		}
		a, hidden, err := hide(pass, e.Key, w.rounds)
		if err != nil {
			return err
		}
		key := element(tagContext0, sequence(a, octets(hidden)))
		attrs := element(tagSet, attribute(oidFriendlyName, bmp(alias)), attribute(oidLocalKeyID, octets(id)))
		w.keys = append(w.keys, sequence(identifier(oidShroudedBag), key, attrs))
	}
	if len(e.Chain) > 0 {
		attrs := [][]byte{attribute(oidFriendlyName, bmp(alias))}
		if id != nil {
			attrs = append(attrs, attribute(oidLocalKeyID, octets(id)))
		}
		w.certs = append(w.certs, certBag(e.Chain[0], attrs...))
		w.chain(e.Chain[1:])
	}
	return nil
}

// chain writes issuers, each once, however many keys share them.
func (w *pkcs12Writer) chain(certs []Certificate) {
	for _, c := range certs {
		if !w.written[string(c.DER)] {
			w.written[string(c.DER)] = true
			w.chains = append(w.chains, certBag(c))
		}
	}
}

// keyID is the id by which key and certificate find each other: the time when the
// entry was made, since Java reads it as that. No two are the same.
func (w *pkcs12Writer) keyID(e Entry) []byte {
	at := e.Created
	if at.IsZero() {
		at = time.Now()
	}
	for {
		id := "Time " + strconv.FormatInt(at.UnixMilli(), 10)
		if !w.ids[id] {
			w.ids[id] = true
			return []byte(id)
		}
		at = at.Add(time.Millisecond)
	}
}

func contentInfo(kind string, content []byte) []byte {
	return sequence(identifier(kind), element(tagContext0, content))
}

func attribute(kind string, value []byte) []byte {
	return sequence(identifier(kind), element(tagSet, value))
}

func certBag(c Certificate, attrs ...[]byte) []byte {
	cert := sequence(identifier(oidX509), element(tagContext0, octets(c.DER)))
	parts := [][]byte{identifier(oidCertBag), element(tagContext0, cert)}
	if len(attrs) > 0 {
		parts = append(parts, element(tagSet, attrs...))
	}
	return sequence(parts...)
}

func bmp(s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, byte(u>>8), byte(u))
	}
	return element(tagBMP, out)
}

// lower is an alias as Java stores it: otherwise it would not find it again.
func lower(alias string) string { return strings.ToLower(alias) }
