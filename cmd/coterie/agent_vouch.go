package main

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"github.com/coterie-ha/coterie/coordinator/vouch"
	"github.com/coterie-ha/coterie/keystore"
	"github.com/coterie-ha/coterie/keystore/trust"
)

// ownTimeout is how long its own server may take to show its certificate.
const ownTimeout = 3 * time.Second

// publish tells what the server shows and is about to show, if that is news.
func (t *trustee) publish(ctx context.Context, life int64) error {
	p, err := t.publication(ctx)
	if err != nil {
		return err
	}
	words := []string{fmt.Sprintf("%d %s %s %v", life, p.Address, p.Host, p.Some)}
	for _, c := range p.Certificates {
		words = append(words, fmt.Sprintf("%s %v", trust.Fingerprint(c.DER), c.Served))
	}
	news := strings.Join(words, " ")
	if news == t.published {
		return nil
	}
	ctx, cancel := t.budget(ctx)
	defer cancel()
	living, err := t.self(life).Publish(ctx, p)
	if living && err == nil {
		t.published = news
	}
	return err
}

// publication is what there is to tell: what the server shows, what files announce,
// and what a rollout of the keystore is about to bring.
func (t *trustee) publication(ctx context.Context) (vouch.Publication, error) {
	cfg := t.cfg.Trust
	p := vouch.Publication{Address: cfg.Address, Host: cfg.Host, Identity: t.identity.Key.Public().(ed25519.PublicKey)}
	if cfg.Address != "" {
		shown, cancel := context.WithTimeout(ctx, ownTimeout)
		chain, err := keystore.Shown(shown, cfg.Address, cfg.Host)
		cancel()
		if err == nil {
			t.shown = chain[0].DER
		}
		// A server that is down shows nothing, and is not another one for that.
		p.Some = err != nil && t.shown == nil
	}
	add := func(der []byte, served bool) error {
		for _, c := range p.Certificates {
			if string(c.DER) == string(der) {
				return nil
			}
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("publish a certificate: %w", err)
		}
		p.Certificates = append(p.Certificates, vouch.Certificate{DER: der, Signature: trust.Sign(t.identity.Key, t.cluster, t.cfg.Node.Name, der),
			Subject: c.Subject.String(), NotBefore: c.NotBefore, NotAfter: c.NotAfter, Served: served})
		return nil
	}
	if t.shown != nil {
		if err := add(t.shown, true); err != nil {
			return p, err
		}
	}
	t.unread = nil
	for _, path := range cfg.Certificates {
		c, err := trust.FirstCertificate(path)
		if err != nil {
			// Told, and no reason not to be ready; nothing is given up for it.
			t.unread, p.Some = fmt.Errorf("trust.certificates: %w", err), true
			continue
		}
		if err := add(c.Raw, false); err != nil {
			return p, err
		}
	}
	if next := t.knows().announced.certificate; next != nil && cfg.Address != "" {
		return p, add(next, false)
	}
	return p, nil
}
