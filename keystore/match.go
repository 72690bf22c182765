package keystore

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
)

// mostChain is the longest chain that is followed.
const mostChain = 16

// ErrMismatch means that a key and a certificate are not of one pair.
var ErrMismatch = errors.New("the key does not belong to the certificate")

// admit gives the entry its key, once, and at the price of its size.
func (o *opener) admit(e *Entry, pkcs8 []byte) error {
	if len(pkcs8) > mostKey {
		return fmt.Errorf("%w: a private key of %d bytes", ErrLimit, len(pkcs8))
	}
	price := int64(500)
	bits := modulus(pkcs8)
	if bits <= mostModulus {
		price += int64(bits/64) * int64(bits/64) * int64(bits/64) / 50
	}
	if err := o.derive(price, 1); err != nil {
		return err
	}
	e.Key = pkcs8
	if e.signer, e.unfit = parseKey(pkcs8); bits > mostModulus {
		e.signer, e.unfit = nil, fmt.Errorf("%w: RSA of %d bits; at most %d", ErrKey, bits, mostModulus)
	}
	return nil
}

// modulus is the bits of the longest number in an RSA key, 0 for another.
func modulus(pkcs8 []byte) int {
	in := (&cursor{rest: pkcs8}).within(tagSequence)
	in.small()
	if in.algorithm().oid != oidRSA {
		return 0
	}
	numbers := (&cursor{rest: in.take(tagOctets)}).within(tagSequence)
	most := 0
	for len(numbers.rest) > 0 {
		_, n, _ := numbers.element()
		most = max(most, new(big.Int).SetBytes(n).BitLen())
	}
	return most
}

// parseKey reads a private key that is short enough to be computed with.
func parseKey(pkcs8 []byte) (crypto.Signer, error) {
	if modulus(pkcs8) > mostModulus {
		return nil, ErrKey
	}
	key, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: %T cannot sign", ErrKey, key)
	}
	return signer, nil
}

// Signer is the entry's private key.
func (e Entry) Signer() (crypto.Signer, error) {
	switch {
	case e.Kind != Key:
		return nil, fmt.Errorf("%w: %q is no key", ErrNoAlias, e.Alias)
	case e.Sealed():
		return nil, fmt.Errorf("%q: %w", e.Alias, ErrKeyPassword)
	case e.signer == nil && e.unfit == nil:
		return parseKey(e.Key) // it was not read, but made
	}
	return e.signer, e.unfit
}

// belongs tells why the entry's key is not that of a certificate.
func (e Entry) belongs(c Certificate) error {
	signer, err := e.Signer()
	if err != nil {
		return err
	}
	if c.X509 == nil {
		return fmt.Errorf("%w: it cannot be read", ErrMismatch)
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(c.X509.PublicKey) {
		return ErrMismatch
	}
	return nil
}

// strength names the algorithm of a public key, and its bits.
func strength(public any) (name string, bits int) {
	switch k := public.(type) {
	case *rsa.PublicKey:
		return "RSA", k.N.BitLen()
	case *ecdsa.PublicKey:
		return "EC", k.Curve.Params().BitSize
	case ed25519.PublicKey:
		return "Ed25519", 256
	}
	return "unknown", 0
}
