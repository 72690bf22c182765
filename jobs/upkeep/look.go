package upkeep

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coterie-ha/coterie/keystore"
)

// Sight is a certificate that was seen, or trouble in place of one.
type Sight struct {
	Place       string     `json:"place"` // file, or host:port
	Alias       string     `json:"alias"` // within it
	Subject     string     `json:"subject,omitempty"`
	Issuer      string     `json:"issuer,omitempty"`
	Fingerprint string     `json:"fingerprint,omitempty"` // SHA-256
	From        *time.Time `json:"not_before,omitempty"`
	Until       *time.Time `json:"not_after,omitempty"`
	Trouble     string     `json:"trouble,omitempty"`
}

// Places are where certificates may be.
type Places struct {
	Files     []string // files, and folders that are looked through
	Endpoints []string // host:port
	Passwords []string // of keystores, tried in turn
}

const (
	dialPatience = 5 * time.Second
	mostSights   = 2000 // in all: what is more is no folder of certificates
)

// extensions are those of the files that are looked at in a folder.
var extensions = []string{".pem", ".crt", ".cer", ".der", ".p12", ".pfx", ".jks", ".jceks", ".ks", ".keystore", ".truststore"}

// Look looks at all places. What cannot be seen is a Sight too.
func Look(ctx context.Context, p Places) []Sight {
	var seen []Sight
	for _, name := range p.Files {
		seen = append(seen, p.path(name)...)
	}
	for _, address := range p.Endpoints {
		seen = append(seen, served(ctx, address)...)
	}
	slices.SortStableFunc(seen, func(a, b Sight) int { return cmp.Or(cmp.Compare(a.Place, b.Place), cmp.Compare(a.Alias, b.Alias)) })
	seen = slices.CompactFunc(seen, func(a, b Sight) bool { return a.Place == b.Place && a.Alias == b.Alias }) // named twice
	if len(seen) > mostSights {
		seen = append(seen[:mostSights], Sight{Place: "all", Trouble: fmt.Sprintf("more than %d certificates: the rest was not looked at", mostSights)})
	}
	return seen
}

// path looks at a file, or at those of a folder.
func (p Places) path(name string) (seen []Sight) {
	info, err := os.Stat(name)
	if err != nil {
		return []Sight{troubled(name, err)}
	}
	if !info.IsDir() {
		if seen = p.file(name); len(seen) == 0 {
			seen = []Sight{{Place: name, Trouble: "has no certificate"}}
		}
		return seen
	}
	err = filepath.WalkDir(name, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			seen = append(seen, troubled(name, err))
			return nil
		}
		if !d.IsDir() && slices.Contains(extensions, strings.ToLower(filepath.Ext(name))) {
			seen = append(seen, p.file(name)...)
		}
		return nil
	})
	if err != nil {
		seen = append(seen, troubled(name, err))
	}
	return seen
}

func troubled(place string, err error) Sight {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err // the place has the path
	}
	return Sight{Place: place, Trouble: err.Error()}
}

// file looks at the certificates of one file; a file of keys has none.
func (p Places) file(name string) []Sight {
	data, err := keystore.ReadFile(name)
	if err != nil {
		return []Sight{troubled(name, err)}
	}
	if cert, err := x509.ParseCertificate(data); err == nil {
		return []Sight{sight(name, "1", cert)}
	}
	store, err := p.open(data)
	if err != nil {
		return []Sight{troubled(name, err)}
	}
	var seen []Sight
	for i, entry := range store.Entries {
		for j, cert := range entry.Chain {
			alias := cmp.Or(entry.Alias, strconv.Itoa(i+1))
			if j > 0 {
				alias += " chain " + strconv.Itoa(j)
			}
			if cert.X509 == nil {
				seen = append(seen, Sight{Place: name, Alias: alias, Fingerprint: cert.Fingerprint(), Trouble: "a certificate that cannot be read"})
				continue
			}
			seen = append(seen, sight(name, alias, cert.X509))
		}
	}
	return seen
}

// open tries one password after the other.
func (p Places) open(data []byte) (store *keystore.Store, err error) {
	for _, word := range append(slices.Clone(p.Passwords), "") {
		if store, err = keystore.Read(data, keystore.Passwords{Store: keystore.Password(word)}); err == nil {
			return store, nil
		}
	}
	return nil, err
}

func sight(place, alias string, cert *x509.Certificate) Sight {
	sum := sha256.Sum256(cert.Raw)
	from, until := cert.NotBefore.UTC(), cert.NotAfter.UTC()
	return Sight{Place: place, Alias: alias, Subject: printable(cert.Subject.String()), Issuer: printable(cert.Issuer.String()),
		Fingerprint: hex.EncodeToString(sum[:]), From: &from, Until: &until}
}

// printable takes control characters out of a name that somebody else chose.
func printable(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(name, "?"))
	return name[:min(len(name), 500)]
}

// served looks at what an address serves. Whether it is trusted is not asked: what
// matters is when it ends, and whether it is for that address.
func served(ctx context.Context, address string) []Sight {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return []Sight{{Place: address, Trouble: err.Error()}}
	}
	ctx, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{ServerName: host, InsecureSkipVerify: true, MinVersion: tls.VersionTLS10}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return []Sight{{Place: address, Trouble: err.Error()}}
	}
	defer conn.Close()
	var seen []Sight
	for i, cert := range conn.(*tls.Conn).ConnectionState().PeerCertificates {
		alias := "served"
		if i > 0 {
			alias = "served chain " + strconv.Itoa(i)
		}
		s := sight(address, alias, cert)
		if i == 0 {
			if err := cert.VerifyHostname(host); err != nil {
				s.Trouble = printable(strings.TrimPrefix(err.Error(), "x509: "))
			}
		}
		seen = append(seen, s)
	}
	return seen
}

// String is a line for people.
func (s Sight) String() string {
	at := s.Place
	if s.Alias != "" {
		at += " (" + s.Alias + ")"
	}
	switch {
	case s.Until == nil:
		return fmt.Sprintf("%s: %s", at, s.Trouble)
	case s.Trouble != "":
		return fmt.Sprintf("%s: %s ends %s; %s", at, s.Subject, s.Until.Format("2006-01-02"), s.Trouble)
	}
	return fmt.Sprintf("%s: %s ends %s", at, s.Subject, s.Until.Format("2006-01-02"))
}
