package keystore

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// Want is what a server needs of a keystore.
type Want struct {
	Alias string    // of the key that it serves; empty when there is only one
	Hosts []string  // names and addresses by which clients call it
	Now   time.Time // by the clock that is believed; zero leaves dates out
}

// Grave says what a fault means.
type Grave int

// What faults mean.
const (
	Notice Grave = iota // somebody should look
	Fatal               // a server or its clients would refuse it
)

// String is "notice" or "fatal".
func (g Grave) String() string { return map[Grave]string{Notice: "notice", Fatal: "fatal"}[g] }

// MarshalText is the word.
func (g Grave) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// Fault is one thing that is wrong with a store. Rule is a word for programs.
type Fault struct {
	Rule  string `json:"rule"`
	Grave Grave  `json:"grave"`
	Alias string `json:"alias"`
	Text  string `json:"text"`
}

// The rules of Check.
const (
	RuleNoKey       = "no-key"           // no entry of the alias is a private key
	RuleSealed      = "key-password"     // the key cannot be opened
	RuleUnfitKey    = "key-unfit"        // the key is of a kind or size that is not computed with
	RuleNoCert      = "no-certificate"   // the key has none
	RuleUnreadable  = "unreadable"       // a certificate that strict parsers refuse
	RuleMismatch    = "key-mismatch"     // key and certificate are no pair
	RuleChain       = "chain-order"      // a certificate is not signed by the next
	RuleIncomplete  = "chain-incomplete" // who signed it is not there
	RuleExpired     = "expired"
	RuleNotYet      = "not-yet-valid"
	RuleExpiresSoon = "expires-soon"
	RuleNoNames     = "no-names" // the certificate names no host but by its subject
	RuleName        = "name"     // not valid for a host
	RuleWeak        = "weak"     // a signature or key that clients refuse
	RuleUsage       = "usage"    // not for servers
	RuleAlias       = "alias"    // Java does not find it, or files cannot be called so
	RuleProtection  = "protection"
)

const soon = 30 * 24 * time.Hour

// Check tells all that is wrong with a store for a server.
func Check(s *Store, w Want) []Fault {
	var faults []Fault
	for _, text := range s.Warnings {
		faults = append(faults, Fault{Rule: RuleProtection, Text: text})
	}
	e, err := s.Served(w.Alias)
	if err != nil {
		return append(faults, Fault{Rule: RuleNoKey, Grave: Fatal, Alias: w.Alias, Text: err.Error()})
	}
	c := &checker{entry: e, want: w, faults: faults}
	c.alias(s.Format)
	c.key()
	for i, cert := range e.Chain {
		if cert.X509 == nil {
			c.fatal(RuleUnreadable, "certificate %d of the chain cannot be read", i+1)
			continue
		}
		c.dates(i, cert.X509)
		c.signedBy(i)
	}
	if len(e.Chain) > 0 && e.Chain[0].X509 != nil {
		c.leaf(e.Chain[0].X509)
	}
	return c.faults
}

// Served is the key that a server uses: that of the alias, or the only one.
func (s *Store) Served(alias string) (Entry, error) {
	if alias != "" {
		e, err := s.Entry(alias)
		if err == nil && e.Kind != Key {
			err = fmt.Errorf("%w: %q is no private key", ErrNoAlias, alias)
		}
		return e, err
	}
	var found []Entry
	for _, e := range s.Entries {
		if e.Kind == Key {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 0:
		return Entry{}, fmt.Errorf("%w: it has no private key", ErrNoAlias)
	case 1:
		return found[0], nil
	}
	return Entry{}, fmt.Errorf("%w: it has %d private keys, and an alias must say which is served: %s", ErrNoAlias, len(found), s.aliases())
}

// Unfit are the faults for which a server or its clients would refuse the store.
func Unfit(faults []Fault) []Fault {
	return slices.DeleteFunc(slices.Clone(faults), func(f Fault) bool { return f.Grave != Fatal })
}

type checker struct {
	entry  Entry
	want   Want
	faults []Fault
}

func (c *checker) add(g Grave, rule, format string, args ...any) {
	c.faults = append(c.faults, Fault{Rule: rule, Grave: g, Alias: c.entry.Alias, Text: fmt.Sprintf(format, args...)})
}

func (c *checker) fatal(rule, format string, args ...any) { c.add(Fatal, rule, format, args...) }

func (c *checker) notice(rule, format string, args ...any) { c.add(Notice, rule, format, args...) }

func (c *checker) alias(f Format) {
	if strings.ContainsAny(c.entry.Alias, `/\`) {
		c.fatal(RuleAlias, "the alias has a slash")
	}
	if f != PKCS12 && c.entry.Alias != lower(c.entry.Alias) {
		c.fatal(RuleAlias, "the alias has capitals in a file of %s, where Java does not find it", f)
	}
}

func (c *checker) key() {
	e := c.entry
	if len(e.Chain) == 0 {
		c.fatal(RuleNoCert, "the key has no certificate")
	}
	signer, err := e.Signer()
	switch {
	case e.Sealed():
		c.fatal(RuleSealed, "the key has another password than the store's and those given")
		return
	case err != nil:
		c.fatal(RuleUnfitKey, "%v", err)
		return
	}
	switch name, bits := strength(signer.Public()); {
	case name == "RSA" && bits < 2048, name == "EC" && bits < 256:
		c.fatal(RuleWeak, "the key is %s of %d bits, which clients refuse", name, bits)
	}
	if len(e.Chain) > 0 && e.Chain[0].X509 != nil && errors.Is(e.belongs(e.Chain[0]), ErrMismatch) {
		c.fatal(RuleMismatch, "the key does not belong to the certificate of %s", e.Chain[0].X509.Subject)
	}
}

func (c *checker) dates(i int, cert *x509.Certificate) {
	if c.want.Now.IsZero() {
		return
	}
	whose := "the certificate"
	if i > 0 {
		whose = "the certificate of " + cert.Subject.String()
	}
	left := cert.NotAfter.Sub(c.want.Now)
	switch {
	case c.want.Now.Before(cert.NotBefore):
		c.fatal(RuleNotYet, "%s is valid from %s on only", whose, cert.NotBefore.UTC().Format(time.RFC3339))
	case left < 0:
		c.fatal(RuleExpired, "%s ended at %s", whose, cert.NotAfter.UTC().Format(time.RFC3339))
	case left < soon:
		c.notice(RuleExpiresSoon, "%s ends at %s, in %d days", whose, cert.NotAfter.UTC().Format(time.RFC3339), int(left.Hours()/24))
	}
}

// signedBy holds a certificate against the next of the chain.
func (c *checker) signedBy(i int) {
	cert, chain := c.entry.Chain[i].X509, c.entry.Chain
	itself := bytes.Equal(cert.RawIssuer, cert.RawSubject)
	if !itself && weakly(cert) {
		c.fatal(RuleWeak, "the certificate of %s is signed by %s, which clients refuse", cert.Subject, cert.SignatureAlgorithm)
	}
	for j := range i {
		if bytes.Equal(chain[j].DER, chain[i].DER) {
			c.fatal(RuleChain, "the certificate of %s stands twice in the chain", cert.Subject)
		}
	}
	if i+1 == len(chain) {
		if !itself && i == 0 {
			c.notice(RuleIncomplete, "nothing shows who signed it: unless every client knows %s, an intermediate certificate is missing", cert.Issuer)
		}
		return
	}
	next := chain[i+1].X509
	switch {
	case next == nil:
	case !bytes.Equal(cert.RawIssuer, next.RawSubject):
		c.fatal(RuleChain, "the chain is out of order: %s was signed by %s, and %s follows", cert.Subject, cert.Issuer, next.Subject)
	case tooLong(next):
		c.fatal(RuleWeak, "the key of %s is longer than what is computed with", next.Subject)
	case cert.CheckSignatureFrom(next) != nil && !weakly(cert):
		c.fatal(RuleChain, "%s was not signed by the certificate of %s that follows: %v", cert.Subject, next.Subject, cert.CheckSignatureFrom(next))
	}
}

func tooLong(c *x509.Certificate) bool {
	name, bits := strength(c.PublicKey)
	return name == "RSA" && bits > mostModulus
}

// weakly tells whether Go refuses to look at the signature at all.
func weakly(c *x509.Certificate) bool {
	return c.SignatureAlgorithm == x509.SHA1WithRSA || c.SignatureAlgorithm == x509.ECDSAWithSHA1 || c.SignatureAlgorithm == x509.MD5WithRSA
}

// leaf is about the certificate that clients look at.
func (c *checker) leaf(cert *x509.Certificate) {
	forServers := len(cert.ExtKeyUsage) == 0 && len(cert.UnknownExtKeyUsage) == 0 ||
		slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageServerAuth) || slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageAny)
	if !forServers {
		c.fatal(RuleUsage, "the certificate is not for servers: its extended key usage leaves them out")
	}
	if cert.KeyUsage != 0 && cert.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment|x509.KeyUsageKeyAgreement) == 0 {
		c.fatal(RuleUsage, "the certificate is not for TLS: its key usage has no digital signature")
	}
	if len(cert.DNSNames) == 0 && len(cert.IPAddresses) == 0 {
		c.fatal(RuleNoNames, "the certificate has no subject alternative name, without which clients refuse it")
		return
	}
	for _, host := range c.want.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			host = "[" + host + "]"
		}
		if cert.VerifyHostname(host) != nil {
			c.fatal(RuleName, "the certificate is not for %s; it is for %s", host, Names(cert))
		}
	}
}

// Names are the hosts that a certificate is for, at most twenty of them.
func Names(cert *x509.Certificate) string {
	names := slices.Clone(cert.DNSNames)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	if more := len(names) - 20; more > 0 {
		names = append(names[:20], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}
