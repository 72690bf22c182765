package keystore

import (
	"bytes"
	"crypto/des"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unicode/utf16"
)

const (
	magicJKS   = 0xfeedfeed
	magicJCEKS = 0xcececece
	whitener   = "Mighty Aphrodite"
)

// javaReader reads what Java's DataOutputStream wrote, as cursor reads DER.
type javaReader struct {
	rest []byte
	err  error
}

func (r *javaReader) take(n int) []byte {
	if r.err == nil && (n < 0 || n > len(r.rest)) {
		r.err = fmt.Errorf("%w: %d bytes where %d are left", ErrMalformed, uint32(n), len(r.rest))
	}
	if r.err != nil {
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *javaReader) u8() int {
	if b := r.take(1); b != nil {
		return int(b[0])
	}
	return 0
}

func (r *javaReader) u16() int {
	if b := r.take(2); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *javaReader) u32() int {
	if b := r.take(4); b != nil {
		return int(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (r *javaReader) i64() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// text is Java's "modified UTF-8": surrogates one by one, and NUL as two bytes.
func (r *javaReader) text() string {
	b := r.take(r.u16())
	units := make([]uint16, 0, len(b))
	for len(b) > 0 {
		switch {
		case b[0] < 0x80 && b[0] != 0:
			units, b = append(units, uint16(b[0])), b[1:]
		case b[0]&0xe0 == 0xc0 && len(b) > 1 && b[1]&0xc0 == 0x80:
			units, b = append(units, uint16(b[0]&0x1f)<<6|uint16(b[1]&0x3f)), b[2:]
		case b[0]&0xf0 == 0xe0 && len(b) > 2 && b[1]&0xc0 == 0x80 && b[2]&0xc0 == 0x80:
			units, b = append(units, uint16(b[0]&0x0f)<<12|uint16(b[1]&0x3f)<<6|uint16(b[2]&0x3f)), b[3:]
		default:
			r.err = firstOf(r.err, fmt.Errorf("%w: a text that is not Java's UTF-8", ErrMalformed))
			return ""
		}
	}
	return string(utf16.Decode(units))
}

func javaText(s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		switch {
		case u != 0 && u < 0x80:
			out = append(out, byte(u))
		case u < 0x800:
			out = append(out, 0xc0|byte(u>>6), 0x80|byte(u&0x3f))
		default:
			out = append(out, 0xe0|byte(u>>12), 0x80|byte(u>>6&0x3f), 0x80|byte(u&0x3f))
		}
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...)
}

// signature is the digest that ends a JKS or JCEKS file.
func signature(pass Password, content []byte) []byte {
	h := sha1.New()
	h.Write(utf16Bytes(string(pass)))
	h.Write([]byte(whitener))
	h.Write(content)
	return h.Sum(nil)
}

// readJKS reads JKS and JCEKS. The digest comes first: what does not have the
// right one is not looked into.
func readJKS(s *Store, data []byte, pass Passwords, b *budget) error {
	if len(data) < 12+sha1.Size {
		return fmt.Errorf("%w: %d bytes are too few", ErrMalformed, len(data))
	}
	content, digest := data[:len(data)-sha1.Size], data[len(data)-sha1.Size:]
	if !hmac.Equal(signature(pass.Store, content), digest) {
		return ErrPassword
	}
	return readSigned(s, content, pass, b)
}

// readSigned reads the content whose digest was right.
func readSigned(s *Store, content []byte, pass Passwords, b *budget) error {
	r := &javaReader{rest: content[4:]}
	version, count := r.u32(), r.u32()
	if version != 1 && version != 2 {
		return fmt.Errorf("%w: version %d", ErrUnsupported, version)
	}
	if count > mostEntries {
		return fmt.Errorf("%w: %d entries; at most %d", ErrLimit, count, mostEntries)
	}
	j := &jks{opener: opener{b, s.warn}, javaReader: r, store: s, pass: pass, version: version}
	for range count {
		if err := j.entry(); err != nil {
			return err
		}
	}
	if len(r.rest) > 0 {
		return fmt.Errorf("%w: %d bytes follow the last entry", ErrMalformed, len(r.rest))
	}
	return nil
}

type jks struct {
	opener
	*javaReader
	store   *Store
	pass    Passwords
	version int
}

func (j *jks) entry() error {
	if err := j.thing(); err != nil {
		return err
	}
	tag := j.u32()
	e := Entry{Alias: j.text(), Created: javaTime(j.i64()), from: j.store.Format}
	if j.err != nil {
		return j.err
	}
	switch {
	case tag == 1:
		if err := j.key(&e); err != nil {
			return fmt.Errorf("entry %q: %w", e.Alias, err)
		}
	case tag == 2:
		c, err := j.certificate()
		if err != nil {
			return fmt.Errorf("entry %q: %w", e.Alias, err)
		}
		e.Kind, e.Chain = Trusted, []Certificate{c}
	case tag == 3 && j.store.Format == JCEKS:
		before := j.rest
		if err := j.skipObject(); err != nil {
			return fmt.Errorf("entry %q: %w", e.Alias, err)
		}
		e.Kind, e.sealed = Secret, before[:len(before)-len(j.rest)]
	default:
		return fmt.Errorf("%w: entry %q of kind %d", ErrMalformed, e.Alias, tag)
	}
	return j.store.add(e)
}

func (j *jks) key(e *Entry) error {
	protected := j.take(j.u32())
	if j.err != nil {
		return j.err
	}
	e.Kind = Key
	key, pass, err := j.openKey(protected, j.pass)
	switch {
	case errors.Is(err, ErrKeyPassword):
		e.sealed = protected
	case err != nil:
		return err
	default:
		if err := j.admit(e, key); err != nil {
			return err
		}
		if pass != j.pass.Store {
			e.Password = pass
		}
	}
	count := j.u32()
	if count > mostEntries {
		return fmt.Errorf("%w: a chain of %d certificates", ErrLimit, count)
	}
	for range count {
		c, err := j.certificate()
		if err != nil {
			return err
		}
		e.Chain = append(e.Chain, c)
	}
	return j.err
}

func (j *jks) certificate() (Certificate, error) {
	if err := j.thing(); err != nil {
		return Certificate{}, err
	}
	kind := "X.509"
	if j.version == 2 {
		kind = j.text()
	}
	der := j.take(j.u32())
	if j.err != nil {
		return Certificate{}, j.err
	}
	if kind != "X.509" {
		return Certificate{}, fmt.Errorf("%w: a certificate of kind %q", ErrUnsupported, kind)
	}
	return newCertificate(der)
}

func javaTime(ms int64) time.Time {
	if ms <= 0 || ms > 253402300799000 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// openJKS undoes the cipher of JKS: SHA-1 in a circle, and a digest of the result.
func openJKS(pass Password, hidden []byte) ([]byte, error) {
	if len(hidden) < 2*sha1.Size || len(hidden) > mostKey {
		return nil, fmt.Errorf("%w: a protected key of %d bytes", ErrMalformed, len(hidden))
	}
	salt, body, digest := hidden[:sha1.Size], hidden[sha1.Size:len(hidden)-sha1.Size], hidden[len(hidden)-sha1.Size:]
	plain := streamJKS(pass, salt, body)
	if !hmac.Equal(digestJKS(pass, plain), digest) {
		return nil, ErrPassword
	}
	return plain, nil
}

func streamJKS(pass Password, salt, in []byte) []byte {
	secret, out := utf16Bytes(string(pass)), bytes.Clone(in)
	h, block := sha1.New(), salt
	for at := 0; at < len(out); at += sha1.Size {
		h.Reset()
		h.Write(secret)
		h.Write(block)
		block = h.Sum(nil)
		for i := at; i < len(out) && i < at+sha1.Size; i++ {
			out[i] ^= block[i-at]
		}
	}
	return out
}

func digestJKS(pass Password, plain []byte) []byte {
	h := sha1.New()
	h.Write(utf16Bytes(string(pass)))
	h.Write(plain)
	return h.Sum(nil)
}

// openJCEKS opens Sun's PBEWithMD5AndTripleDES, whose derivation is its own.
func (o *opener) openJCEKS(a algorithm, pass Password, hidden []byte) ([]byte, error) {
	p := a.params.within(tagSequence)
	salt, rounds := p.take(tagOctets), p.small()
	if err := p.end(); err != nil {
		return nil, err
	}
	if len(salt) != 8 {
		return nil, fmt.Errorf("%w: a salt of %d bytes", ErrMalformed, len(salt))
	}
	if err := o.derive(rounds, 1); err != nil { // two of MD5 cost what one of HMAC does
		return nil, err
	}
	if asciiPassword(pass) != nil {
		return nil, ErrPassword // the JDK permits no other here
	}
	first, second := salt[:4], salt[4:]
	if bytes.Equal(first, second) {
		// Meant as an inversion, and what the JDK does: all its files depend on it.
		first = []byte{first[3], first[0], first[1], first[3]}
	}
	var derived []byte
	for _, half := range [][]byte{first, second} {
		h, secret := md5.New(), []byte(pass)
		half = bytes.Clone(half)
		for range rounds {
			h.Reset()
			h.Write(half)
			h.Write(secret)
			half = h.Sum(half[:0])
		}
		derived = append(derived, half...)
	}
	block, err := des.NewTripleDESCipher(derived[:24])
	if err != nil {
		return nil, err
	}
	return openCBC(block, derived[24:], hidden)
}

// writeJKS writes JKS of version 2.
func writeJKS(s *Store, pass Password) ([]byte, error) {
	var entries []byte
	count := 0
	for _, e := range s.Entries {
		if e.Kind == Loose {
			continue // Java did not see it before, either
		}
		body, err := jksEntry(e, pass)
		if err != nil {
			return nil, fmt.Errorf("write %q: %w", e.Alias, err)
		}
		entries = append(entries, body...)
		count++
	}
	out := binary.BigEndian.AppendUint32(nil, magicJKS)
	out = binary.BigEndian.AppendUint32(out, 2)
	out = append(binary.BigEndian.AppendUint32(out, uint32(count)), entries...)
	return append(out, signature(pass, out)...), nil
}

func jksEntry(e Entry, pass Password) ([]byte, error) {
	created := e.Created
	if created.IsZero() {
		created = time.Now()
	}
	tag := uint32(1)
	if e.Kind == Trusted {
		tag = 2
	}
	out := append(binary.BigEndian.AppendUint32(nil, tag), javaText(lower(e.Alias))...)
	out = binary.BigEndian.AppendUint64(out, uint64(created.UnixMilli()))
	switch {
	case e.Kind == Trusted:
		return appendCertificate(out, e.Chain[0]), nil
	case e.Kind == Secret:
		return nil, fmt.Errorf("%w: JKS has no secret keys", ErrSealed)
	case e.Sealed() && e.from != JKS:
		return nil, fmt.Errorf("%w: it comes from %s", ErrSealed, e.from)
	}
	protected := e.sealed
	if !e.Sealed() {
		if e.Password != "" {
			pass = e.Password
		}
		salt := make([]byte, sha1.Size)
		if _, err := rand.Read(salt); err != nil {
			return nil, err
		}
		hidden := append(append(salt, streamJKS(pass, salt, e.Key)...), digestJKS(pass, e.Key)...)
		protected = sequence(sequence(identifier(oidJKS), element(tagNull)), octets(hidden))
	}
	out = append(binary.BigEndian.AppendUint32(out, uint32(len(protected))), protected...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(e.Chain)))
	for _, c := range e.Chain {
		out = appendCertificate(out, c)
	}
	return out, nil
}

func appendCertificate(out []byte, c Certificate) []byte {
	out = append(out, javaText("X.509")...)
	return append(binary.BigEndian.AppendUint32(out, uint32(len(c.DER))), c.DER...)
}
