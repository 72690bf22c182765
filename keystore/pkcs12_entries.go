package keystore

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

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
		sameID := b.keyID != nil && c.keyID != nil && bytes.Equal(b.keyID, c.keyID) // an empty id is not none
		sameName := b.named && c.named && b.folded == c.folded
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
