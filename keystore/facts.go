package keystore

import (
	"fmt"
	"time"
)

// Facts are what people ask of an entry, about its first certificate.
type Facts struct {
	Algorithm   string // RSA 2048
	Bits        int
	Matches     bool // the key is that of the certificate
	Subject     string
	Issuer      string
	Serial      string // hexadecimal
	Names       []string
	NotBefore   time.Time
	NotAfter    time.Time
	Fingerprint string   // SHA-256 of the certificate
	Chain       []string // fingerprints of those behind it
}

// Facts looks at an entry.
func (e Entry) Facts() Facts {
	f := Facts{Names: []string{}, Chain: []string{}}
	if len(e.Chain) == 0 {
		if signer, err := e.Signer(); err == nil {
			f.Algorithm, f.Bits = named(signer.Public())
		}
		return f
	}
	first := e.Chain[0]
	f.Fingerprint = first.Fingerprint()
	for _, c := range e.Chain[1:] {
		f.Chain = append(f.Chain, c.Fingerprint())
	}
	f.Matches = e.Kind == Key && e.belongs(first) == nil
	c := first.X509
	if c == nil {
		f.Subject = "cannot be read"
		return f
	}
	f.Algorithm, f.Bits = named(c.PublicKey)
	f.Subject, f.Issuer, f.Serial = c.Subject.String(), c.Issuer.String(), fmt.Sprintf("%x", c.SerialNumber)
	f.Names = append(f.Names, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		f.Names = append(f.Names, ip.String())
	}
	f.NotBefore, f.NotAfter = c.NotBefore, c.NotAfter
	return f
}

// named is an algorithm with its size, as people write it.
func named(public any) (string, int) {
	name, bits := strength(public)
	if name == "RSA" || name == "EC" {
		return fmt.Sprintf("%s %d", name, bits), bits
	}
	return name, bits
}
