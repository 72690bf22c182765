package keystore

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/rc4"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"unicode/utf16"
)

// What newly written PKCS12 files are protected with: as keytool of JDK 17 does,
// which everything since Java 8u301 and OpenSSL 1.1 opens.
const (
	newRounds = 10_000
	newSalt   = 20
)

// opener opens what passwords protect, within what one file may cost.
type opener struct {
	*budget
	warn func(format string, args ...any)
}

// algorithm is an AlgorithmIdentifier: what protects, and how.
type algorithm struct {
	oid    string
	params cursor
}

func (c *cursor) algorithm() algorithm {
	in := c.within(tagSequence)
	a := algorithm{oid: in.oid(), params: cursor{rest: in.rest}}
	c.into(in)
	return a
}

// open decrypts what a password protects. ErrPassword when it is not that one.
func (o *opener) open(a algorithm, pass Password, hidden []byte) ([]byte, error) {
	switch a.oid {
	case oidPBES2:
		return o.openPBES2(a, pass, hidden)
	case oidOldRC4128, oidOldRC440, oidOld3DES, oidOld2DES, oidOldRC2128, oidOldRC240:
		return o.openOld(a, pass, hidden)
	case oidJCEKS:
		return o.openJCEKS(a, pass, hidden)
	case oidJKS:
		return openJKS(pass, hidden)
	}
	return nil, fmt.Errorf("%w: encryption %s", ErrUnsupported, dotted(a.oid))
}

var hashes = map[string]func() hash.Hash{
	oidHMACSHA1: sha1.New, oidHMACSHA224: sha256.New224, oidHMACSHA256: sha256.New, oidHMACSHA384: sha512.New384, oidHMACSHA512: sha512.New,
	oidSHA1: sha1.New, oidSHA224: sha256.New224, oidSHA256: sha256.New, oidSHA384: sha512.New384, oidSHA512: sha512.New,
}

func (o *opener) openPBES2(a algorithm, pass Password, hidden []byte) ([]byte, error) {
	p := a.params.within(tagSequence)
	kdf, scheme := p.algorithm(), p.algorithm()
	if err := p.end(); err != nil {
		return nil, err
	}
	if kdf.oid != oidPBKDF2 {
		return nil, fmt.Errorf("%w: key derivation %s%s", ErrUnsupported, dotted(kdf.oid), map[bool]string{true: " (scrypt)"}[kdf.oid == oidScrypt])
	}
	k := kdf.params.within(tagSequence)
	salt, rounds, prf := k.take(tagOctets), k.small(), oidHMACSHA1
	if k.next() == tagInteger {
		k.small() // the length of the key; the cipher knows it
	}
	if k.next() == tagSequence {
		prf = k.algorithm().oid
	}
	iv := scheme.params.take(tagOctets)
	if err := firstOf(k.end(), scheme.params.err); err != nil {
		return nil, err
	}
	length := map[string]int{oidAES128: 16, oidAES192: 24, oidAES256: 32, oid3DES: 24}[scheme.oid]
	if length == 0 {
		return nil, fmt.Errorf("%w: cipher %s", ErrUnsupported, dotted(scheme.oid))
	}
	h := hashes[prf]
	if h == nil {
		return nil, fmt.Errorf("%w: key derivation with %s", ErrUnsupported, dotted(prf))
	}
	if len(salt) > mostSalt {
		return nil, fmt.Errorf("%w: a salt of %d bytes", ErrLimit, len(salt))
	}
	if err := o.derive(rounds, (length+h().Size()-1)/h().Size()); err != nil {
		return nil, err
	}
	key, err := pbkdf2.Key(h, string(pass), salt, int(rounds), length)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	block, err := blockCipher(scheme.oid, key)
	if err != nil {
		return nil, err
	}
	return openCBC(block, iv, hidden)
}

func blockCipher(oid string, key []byte) (cipher.Block, error) {
	if oid == oid3DES {
		return des.NewTripleDESCipher(key)
	}
	return aes.NewCipher(key)
}

// openOld opens what OpenSSL and JDK wrote before 2020: read, and warned of.
func (o *opener) openOld(a algorithm, pass Password, hidden []byte) ([]byte, error) {
	p := a.params.within(tagSequence)
	salt, rounds := p.take(tagOctets), p.small()
	if err := p.end(); err != nil {
		return nil, err
	}
	if len(salt) > mostSalt {
		return nil, fmt.Errorf("%w: a salt of %d bytes", ErrLimit, len(salt))
	}
	length := map[string]int{oidOldRC4128: 16, oidOldRC440: 5, oidOld3DES: 24, oidOld2DES: 16, oidOldRC2128: 16, oidOldRC240: 5}[a.oid]
	if err := o.derive(rounds, 1+(length+19)/20); err != nil {
		return nil, err
	}
	secret := bmpPassword(pass)
	key := deriveOld(sha1.New, 1, secret, salt, int(rounds), length)
	switch a.oid {
	case oidOldRC4128, oidOldRC440:
		o.warn("part of it is encrypted with RC4, which anybody can open: write it anew")
		stream, err := rc4.NewCipher(key)
		if err != nil {
			return nil, err
		}
		plain := make([]byte, len(hidden))
		stream.XORKeyStream(plain, hidden)
		return plain, nil
	case oidOldRC2128, oidOldRC240:
		o.warn("part of it is encrypted with RC2, which anybody can open, and which OpenSSL 3 refuses: write it anew")
		return openCBC(newRC2(key), deriveOld(sha1.New, 2, secret, salt, int(rounds), 8), hidden)
	case oidOld2DES:
		key = append(key, key[:8]...)
	}
	o.warn("part of it is encrypted with 3DES: write it anew")
	block, err := des.NewTripleDESCipher(key)
	if err != nil {
		return nil, err
	}
	return openCBC(block, deriveOld(sha1.New, 2, secret, salt, int(rounds), 8), hidden)
}

// openCBC decrypts and takes the padding off. Padding that is none means that the
// key was wrong: nobody is asked often enough for that to be an oracle.
func openCBC(block cipher.Block, iv, hidden []byte) ([]byte, error) {
	size := block.BlockSize()
	if len(iv) != size || len(hidden) == 0 || len(hidden)%size != 0 {
		return nil, fmt.Errorf("%w: %d encrypted bytes with an initial vector of %d", ErrMalformed, len(hidden), len(iv))
	}
	plain := make([]byte, len(hidden))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, hidden)
	pad := int(plain[len(plain)-1])
	if pad < 1 || pad > size || !bytes.Equal(plain[len(plain)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, ErrPassword
	}
	return plain[:len(plain)-pad], nil
}

// hide encrypts as keytool does: PBES2, PBKDF2 with HMAC-SHA256, AES-256-CBC. It
// returns the algorithm's identifier and what is hidden.
func hide(pass Password, plain []byte, rounds int) (algorithm, hidden []byte, err error) {
	salt, iv := make([]byte, newSalt), make([]byte, aes.BlockSize)
	for _, b := range [][]byte{salt, iv} {
		if _, err := rand.Read(b); err != nil {
			return nil, nil, err
		}
	}
	key, err := pbkdf2.Key(sha256.New, string(pass), salt, rounds, 32)
	if err != nil {
		return nil, nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, nil, err
	}
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	hidden = append(bytes.Clone(plain), bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(hidden, hidden)
	prf := sequence(identifier(oidHMACSHA256), element(tagNull))
	kdf := sequence(identifier(oidPBKDF2), sequence(octets(salt), number(rounds), number(32), prf))
	return sequence(identifier(oidPBES2), sequence(kdf, sequence(identifier(oidAES256), octets(iv)))), hidden, nil
}

// bmpPassword is a password as PKCS12's own derivation wants it: UTF-16, and a NUL.
func bmpPassword(pass Password) []byte { return append(utf16Bytes(string(pass)), 0, 0) }

func utf16Bytes(s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, byte(u>>8), byte(u))
	}
	return out
}

// deriveOld is RFC 7292, appendix B.2: key (id 1), initial vector (2) or MAC key (3).
func deriveOld(h func() hash.Hash, id byte, secret, salt []byte, rounds, length int) []byte {
	d := h()
	v := d.BlockSize()
	diversifier := bytes.Repeat([]byte{id}, v)
	both := append(repeatTo(salt, v), repeatTo(secret, v)...)
	var out []byte
	for {
		d.Reset()
		d.Write(diversifier)
		d.Write(both)
		a := d.Sum(nil)
		for range rounds - 1 {
			d.Reset()
			d.Write(a)
			a = d.Sum(a[:0])
		}
		if out = append(out, a...); len(out) >= length {
			return out[:length]
		}
		b := repeatTo(a, v)[:v]
		for at := 0; at < len(both); at += v {
			carry := 1
			for j := v - 1; j >= 0; j-- {
				carry += int(both[at+j]) + int(b[j])
				both[at+j], carry = byte(carry), carry>>8
			}
		}
	}
}

// repeatTo repeats b up to the next multiple of v bytes; nothing stays nothing.
func repeatTo(b []byte, v int) []byte {
	if len(b) == 0 {
		return nil
	}
	n := (len(b) + v - 1) / v * v
	return bytes.Repeat(b, n/len(b)+1)[:n]
}

// mac authenticates what a PKCS12 file has.
func mac(h func() hash.Hash, secret, salt []byte, rounds int, content []byte) []byte {
	m := hmac.New(h, deriveOld(h, 3, secret, salt, rounds, h().Size()))
	m.Write(content)
	return m.Sum(nil)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
