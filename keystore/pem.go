package keystore

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"
)

// PEM has no aliases: keys are called 1, 2 and so on.

// readPEM takes keys, and certificates behind them as their chains; what comes
// before any key, or belongs to none, is believed.
func readPEM(s *Store, data []byte, pass Passwords, b *budget) error {
	o := &opener{b, s.warn}
	var certs []Certificate
	var keys []Entry
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			if bytes.Contains(rest, []byte("-----BEGIN ")) {
				return fmt.Errorf("%w: a block of PEM is cut or garbled", ErrMalformed)
			}
			break
		}
		if err := b.thing(); err != nil {
			return err
		}
		switch block.Type {
		case "CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CERTIFICATE":
			c, err := newCertificate(block.Bytes)
			if err != nil {
				return err
			}
			certs = append(certs, c)
		default:
			e, err := o.pemKey(block, pass)
			if err != nil {
				return err
			}
			if e.Key != nil || e.Sealed() {
				keys = append(keys, e)
			}
		}
	}
	return assemblePEM(s, keys, certs)
}

// pemKey is the key of a block, or nothing when it has none.
func (o *opener) pemKey(block *pem.Block, pass Passwords) (Entry, error) {
	if block.Headers["DEK-Info"] != "" {
		return Entry{}, fmt.Errorf("%w: a key encrypted as OpenSSL did before 1.0; write it anew: openssl pkcs8 -topk8 -in OLD", ErrUnsupported)
	}
	e := Entry{Kind: Key}
	switch block.Type {
	case "PRIVATE KEY":
		if len(block.Bytes) > mostKey || !looksLikeKey(block.Bytes) {
			return Entry{}, fmt.Errorf("%w: a private key of %d bytes", ErrMalformed, len(block.Bytes))
		}
		return e, o.admit(&e, block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		pkcs8, _, err := o.openKey(block.Bytes, pass)
		if errors.Is(err, ErrKeyPassword) {
			return Entry{}, ErrPassword
		}
		if err != nil {
			return Entry{}, err
		}
		return e, o.admit(&e, pkcs8)
	case "RSA PRIVATE KEY":
		return e, o.admit(&e, wrapRSA(block.Bytes))
	case "EC PRIVATE KEY":
		key, err := x509.ParseECPrivateKey(block.Bytes)
		if err != nil {
			return Entry{}, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return Entry{}, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		return e, o.admit(&e, pkcs8)
	}
	return Entry{}, nil // parameters, requests, revocation lists
}

// wrapRSA makes PKCS #8 of PKCS #1, without a look at the numbers.
func wrapRSA(key []byte) []byte {
	rsa := sequence(identifier(oidRSA), element(tagNull))
	return sequence(number(0), rsa, octets(key))
}

func assemblePEM(s *Store, keys []Entry, certs []Certificate) error {
	used := map[int]bool{}
	for i, e := range keys {
		e.Alias = strconv.Itoa(i + 1)
		p := &pkcs12{store: s}
		for _, c := range certs {
			p.certs = append(p.certs, bag{cert: c})
		}
		b := &bag{entry: e}
		if own := p.ownCertificate(b); own >= 0 {
			e.Chain = p.chain(own, used)
		}
		if err := s.add(e); err != nil {
			return err
		}
	}
	for i, c := range certs {
		if used[i] {
			continue
		}
		if err := s.add(Entry{Alias: "trusted-" + strconv.Itoa(i+1), Kind: Trusted, Chain: []Certificate{c}}); err != nil {
			return err
		}
	}
	if len(s.Entries) == 0 {
		return fmt.Errorf("%w: PEM with neither keys nor certificates", ErrFormat)
	}
	return nil
}

// writePEM writes each key with its chain behind it, then what is believed.
func writePEM(s *Store, pass Password) ([]byte, error) {
	var out bytes.Buffer
	block := func(kind string, der []byte) error {
		return pem.Encode(&out, &pem.Block{Type: kind, Bytes: der})
	}
	for _, e := range s.Entries {
		if e.Sealed() {
			return nil, fmt.Errorf("%q: %w", e.Alias, ErrSealed)
		}
		kind, der := "PRIVATE KEY", e.Key
		if e.Key != nil && pass != "" {
			a, hidden, err := hide(pass, e.Key, newRounds)
			if err != nil {
				return nil, err
			}
			kind, der = "ENCRYPTED PRIVATE KEY", sequence(a, octets(hidden))
		}
		if der != nil {
			if err := block(kind, der); err != nil {
				return nil, err
			}
		}
		for _, c := range e.Chain {
			if err := block("CERTIFICATE", c.DER); err != nil {
				return nil, err
			}
		}
	}
	return out.Bytes(), nil
}
