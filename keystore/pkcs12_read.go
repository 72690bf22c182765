package keystore

import (
	"crypto/hmac"
	"fmt"
)

// A PKCS12 file is bags in safes in a signed wrap:
//
//	PFX { 3, data { safe: data { key bags } | encryptedData { certificate bags } , ... }, MAC }
//
// The MAC is looked at before anything inside. Which certificate belongs to which
// key, and which of them are believed, is told as Java's own reader tells it,
// since a server on Java is who will read the file.
type pkcs12 struct {
	opener
	store *Store
	pass  Passwords
	keys  []bag
	certs []bag
}

// bag is a key or certificate with what the file says of it.
type bag struct {
	alias   string
	folded  string // as Java compares it
	named   bool
	keyID   []byte
	trusted bool
	cert    Certificate
	entry   Entry
}

func readPKCS12(s *Store, data []byte, pass Passwords, b *budget) error {
	p := &pkcs12{opener: opener{b, s.warn}, store: s, pass: pass}
	content, whole, err := p.verified(data)
	if err != nil {
		return err
	}
	if err := p.safes(content); err != nil {
		return err
	}
	if err := p.assemble(); err != nil {
		return err
	}
	if whole {
		return nil
	}
	for _, e := range s.Entries {
		if e.Kind == Key || e.Kind == Secret {
			return ErrNoMAC
		}
	}
	s.warn("it has no MAC: anybody may have put these certificates there")
	return nil
}

// verified is the content whose MAC is right, or that has none.
func (p *pkcs12) verified(data []byte) (content []byte, whole bool, err error) {
	file := &cursor{rest: data}
	pfx := file.within(tagSequence)
	if err := file.end(); err != nil {
		return nil, false, err
	}
	if version := pfx.small(); pfx.err == nil && version != 3 {
		return nil, false, fmt.Errorf("%w: PKCS12 of version %d", ErrUnsupported, version)
	}
	info := pfx.within(tagSequence)
	kind := info.oid()
	inner := info.within(tagContext0)
	content = inner.take(tagOctets)
	if err := firstOf(inner.end(), info.end()); err != nil {
		return nil, false, err
	}
	if kind != oidData {
		return nil, false, fmt.Errorf("%w: PKCS12 signed by a key instead of a password (%s)", ErrUnsupported, dotted(kind))
	}
	if len(pfx.rest) == 0 && pfx.err == nil {
		return content, false, nil
	}
	signed := pfx.within(tagSequence)
	if err := firstOf(pfx.end(), signed.err); err != nil {
		return nil, false, err
	}
	return content, true, p.checkMAC(signed, content)
}

func (p *pkcs12) checkMAC(signed *cursor, content []byte) error {
	digest := signed.within(tagSequence)
	a := digest.algorithm()
	want := digest.take(tagOctets)
	salt, rounds := signed.take(tagOctets), int64(1)
	if signed.next() != 0 {
		rounds = signed.small()
	}
	if err := firstOf(digest.end(), signed.end()); err != nil {
		return err
	}
	if a.oid == oidPBMAC1 {
		return fmt.Errorf("%w: its MAC is PBMAC1, which Java before 26 and OpenSSL before 3.4 do not know; write it anew without it", ErrUnsupported)
	}
	h := hashes[a.oid]
	if h == nil {
		return fmt.Errorf("%w: a MAC with %s", ErrUnsupported, dotted(a.oid))
	}
	if len(salt) > mostSalt {
		return fmt.Errorf("%w: a salt of %d bytes", ErrLimit, len(salt))
	}
	secrets := [][]byte{bmpPassword(p.pass.Store)}
	if p.pass.Store == "" {
		secrets = append(secrets, nil) // no password and an empty one are two things here
	}
	for _, secret := range secrets {
		if err := p.derive(rounds, 1); err != nil {
			return err
		}
		if hmac.Equal(mac(h, secret, salt, int(rounds), content), want) {
			return nil
		}
	}
	return ErrPassword
}

func (p *pkcs12) safes(content []byte) error {
	all := &cursor{rest: content}
	list := all.within(tagSequence)
	if err := all.end(); err != nil {
		return err
	}
	for len(list.rest) > 0 {
		if err := p.thing(); err != nil {
			return err
		}
		info := list.within(tagSequence)
		kind := info.oid()
		inner := info.within(tagContext0)
		if err := firstOf(info.end(), inner.err); err != nil {
			return err
		}
		if err := p.safe(kind, inner); err != nil {
			return err
		}
	}
	return list.end()
}

func (p *pkcs12) safe(kind string, inner *cursor) error {
	switch kind {
	case oidData:
		plain := inner.take(tagOctets)
		if err := inner.end(); err != nil {
			return err
		}
		return p.bags(plain, 0)
	case oidEncryptedData:
		data := inner.within(tagSequence)
		data.small()
		info := data.within(tagSequence)
		info.oid()
		a := info.algorithm()
		hidden := info.take(tagImplicit0)
		if err := firstOf(info.end(), data.err, inner.end()); err != nil {
			return err
		}
		plain, err := p.open(a, p.pass.Store, hidden)
		if err != nil {
			return fmt.Errorf("open the certificates: %w", err)
		}
		return p.bags(plain, 0)
	}
	return fmt.Errorf("%w: a safe of kind %s", ErrUnsupported, dotted(kind))
}
