package keystore

import (
	"errors"
	"fmt"
	"unicode/utf16"
)

func (p *pkcs12) bags(plain []byte, depth int) error {
	if depth > mostDepth {
		return fmt.Errorf("%w: bags in bags, %d deep", ErrLimit, depth)
	}
	all := &cursor{rest: plain}
	list := all.within(tagSequence)
	if err := all.end(); err != nil {
		return err
	}
	for len(list.rest) > 0 {
		if err := p.thing(); err != nil {
			return err
		}
		whole := list.whole(tagSequence)
		if list.err != nil {
			return list.err
		}
		if err := p.bag(whole, depth); err != nil {
			return err
		}
	}
	return list.end()
}

func (p *pkcs12) bag(whole []byte, depth int) error {
	in := (&cursor{rest: whole}).within(tagSequence)
	kind := in.oid()
	value := in.within(tagContext0)
	if in.err != nil {
		return in.err
	}
	b := bag{}
	if err := p.attributes(in, &b); err != nil {
		return err
	}
	switch kind {
	case oidKeyBag:
		if err := p.admit(&b.entry, value.rest); err != nil {
			return err
		}
		p.store.warn("a private key is not encrypted")
		p.keys = append(p.keys, b)
	case oidShroudedBag:
		if err := p.shrouded(value.rest, whole, &b); err != nil {
			return err
		}
		p.keys = append(p.keys, b)
	case oidCertBag:
		return p.certificate(value, b)
	case oidSecretBag:
		b.entry = Entry{Kind: Secret, sealed: whole, from: PKCS12}
		p.keys = append(p.keys, b)
	case oidNestedBag:
		return p.bags(value.rest, depth+1)
	case oidCRLBag:
		p.store.warn("a revocation list in it is left out")
	default:
		return fmt.Errorf("%w: a bag of kind %s", ErrUnsupported, dotted(kind))
	}
	return nil
}

func (p *pkcs12) attributes(in *cursor, b *bag) error {
	if in.next() == 0 {
		return in.end()
	}
	set := in.within(tagSet)
	if err := in.end(); err != nil {
		return err
	}
	for len(set.rest) > 0 {
		if err := p.thing(); err != nil {
			return err
		}
		attr := set.within(tagSequence)
		kind := attr.oid()
		values := attr.within(tagSet)
		if err := firstOf(attr.end(), values.err); err != nil {
			return err
		}
		switch kind {
		case oidFriendlyName:
			name, err := bmpString(values.take(tagBMP))
			if err := firstOf(values.err, err); err != nil {
				return err
			}
			b.alias, b.folded, b.named = name, lower(name), true
		case oidLocalKeyID:
			b.keyID = values.take(tagOctets)
		case oidTrusted:
			b.trusted = true
		}
		if values.err != nil {
			return values.err
		}
	}
	return set.end()
}

func bmpString(b []byte) (string, error) {
	if len(b)%2 != 0 || len(b) > 2*mostAlias {
		return "", fmt.Errorf("%w: it has %d bytes of UTF-16; at most %d", ErrAlias, len(b), 2*mostAlias)
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
	}
	return string(utf16.Decode(units)), nil
}

// shrouded opens a key, or keeps it as it is when its password is another.
func (p *pkcs12) shrouded(protected, whole []byte, b *bag) error {
	key, pass, err := p.openKey(protected, p.pass)
	switch {
	case errors.Is(err, ErrKeyPassword):
		b.entry = Entry{sealed: whole, from: PKCS12}
	case err != nil:
		return err
	default:
		if err := p.admit(&b.entry, key); err != nil {
			return err
		}
		b.entry.Kind = Key
		if pass != p.pass.Store {
			b.entry.Password = pass
		}
	}
	return nil
}

// openKey opens an EncryptedPrivateKeyInfo by whichever password fits.
func (o *opener) openKey(protected []byte, with Passwords) ([]byte, Password, error) {
	file := &cursor{rest: protected}
	in := file.within(tagSequence)
	a := in.algorithm()
	hidden := in.take(tagOctets)
	if err := firstOf(file.end(), in.end()); err != nil {
		return nil, "", err
	}
	for _, pass := range with.all() {
		key, err := o.open(a, pass, hidden)
		if errors.Is(err, ErrPassword) || err == nil && !looksLikeKey(key) {
			continue // the padding was right by chance
		}
		return key, pass, err
	}
	return nil, "", ErrKeyPassword
}

// looksLikeKey tells a PrivateKeyInfo from noise.
func looksLikeKey(der []byte) bool {
	file := &cursor{rest: der}
	in := file.within(tagSequence)
	if file.end() != nil {
		return false
	}
	in.small()
	in.algorithm()
	in.take(tagOctets)
	return in.err == nil
}

func (p *pkcs12) certificate(value *cursor, b bag) error {
	in := value.within(tagSequence)
	kind := in.oid()
	inner := in.within(tagContext0)
	der := inner.take(tagOctets)
	if err := firstOf(inner.end(), in.end()); err != nil {
		return err
	}
	if kind != oidX509 {
		return fmt.Errorf("%w: a certificate of kind %s", ErrUnsupported, dotted(kind))
	}
	var err error
	if b.cert, err = newCertificate(der); err != nil {
		return err
	}
	p.certs = append(p.certs, b)
	return nil
}
