package keystore

import (
	"bytes"
	"crypto/des"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"errors"
	"fmt"
	"time"
)

const (
	magicJKS   = 0xfeedfeed
	magicJCEKS = 0xcececece
	whitener   = "Mighty Aphrodite"
)

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
