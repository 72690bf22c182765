package keystore

import (
	"bytes"
	"crypto/hmac"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
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
			b.alias, b.named = name, true
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

// assemble makes entries of bags.
func (p *pkcs12) assemble() error {
	used := map[int]bool{}
	for i := range p.keys {
		b := &p.keys[i]
		if !b.named {
			b.alias = strconv.Itoa(i + 1) // as Java calls it
		}
		e := b.entry
		e.Alias, e.Created = b.alias, createdOf(b.keyID)
		if e.Kind != Secret {
			e.Kind = Key
			e.keyID = b.keyID
			if own := p.ownCertificate(b); own >= 0 {
				e.Chain = p.chain(own, used)
			}
		}
		if err := p.store.add(e); err != nil {
			return err
		}
	}
	for i, c := range p.certs {
		e := Entry{Alias: c.alias, Kind: Trusted, Chain: []Certificate{c.cert}}
		switch {
		case c.trusted && !c.named:
			e.Alias = "trusted-" + strconv.Itoa(i+1)
		case c.trusted:
		case used[i]:
			continue
		default:
			e.Kind = Loose
			p.store.warn("a certificate in it belongs to no key and is not marked as believed: Java does not see it")
		}
		if err := p.store.add(e); err != nil {
			return err
		}
	}
	return nil
}

// ownCertificate finds the certificate of a key: by id and alias, by id, by alias,
// and at last by the key itself.
func (p *pkcs12) ownCertificate(b *bag) int {
	byID, byName := -1, -1
	for i, c := range p.certs {
		if c.trusted && c.keyID == nil {
			continue
		}
		sameID := b.keyID != nil && bytes.Equal(b.keyID, c.keyID)
		sameName := b.named && c.named && strings.EqualFold(b.alias, c.alias)
		switch {
		case sameID && sameName:
			return i
		case sameID:
			byID = i
		case sameName:
			byName = i
		}
	}
	if byID >= 0 {
		return byID
	}
	if byName >= 0 {
		return byName
	}
	if b.entry.Kind = Key; b.keyID == nil && b.entry.Key != nil {
		for i, c := range p.certs {
			if b.entry.belongs(c.cert) == nil {
				return i
			}
		}
	}
	return -1
}

// chain follows issuers as far as the file has them.
func (p *pkcs12) chain(own int, used map[int]bool) []Certificate {
	used[own] = true
	chain, last := []Certificate{p.certs[own].cert}, p.certs[own].cert.X509
	inChain := map[int]bool{own: true}
	for last != nil && len(chain) < mostChain && !bytes.Equal(last.RawIssuer, last.RawSubject) {
		next := -1
		for i, c := range p.certs {
			if c.cert.X509 == nil || inChain[i] || !bytes.Equal(c.cert.X509.RawSubject, last.RawIssuer) {
				continue
			}
			if next < 0 || better(c, p.certs[next], last.AuthorityKeyId) {
				next = i
			}
		}
		if next < 0 {
			break
		}
		used[next], inChain[next] = true, true
		chain, last = append(chain, p.certs[next].cert), p.certs[next].cert.X509
	}
	return chain
}

// better prefers, of two issuers by name, the one by key id, then the one that is
// there for the chain.
func better(c, than bag, id []byte) bool {
	match := func(b bag) bool { return len(id) > 0 && bytes.Equal(b.cert.X509.SubjectKeyId, id) }
	if match(c) != match(than) {
		return match(c)
	}
	return than.trusted && !c.trusted
}

// createdOf reads the time that Java hides in a key's id.
func createdOf(keyID []byte) time.Time {
	text, ok := strings.CutPrefix(string(keyID), "Time ")
	ms, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil || ms < 0 || ms > 253402300799000 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
