package keystore

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"time"
)

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
