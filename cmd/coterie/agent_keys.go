package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"time"

	"github.com/coterie-ha/coterie/coordinator/keyring"
	"github.com/coterie-ha/coterie/keystore"
)

// shareEvery is how soon after a change a node looks again whether somebody else
// cannot open what it can.
const shareEvery = 5 * time.Second

// keys publishes by which key keystores are sealed to this node, and seals versions
// which this node can open to nodes that joined after they were staged.
func (a *agent) keys(ctx context.Context) error {
	opener, err := keystore.NodeOpener(a.cfg.Node.Name, a.identity.Key)
	if err != nil {
		return err
	}
	var published int64
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-a.keyed:
		}
		if a.cfg.Keystore.File == "" { // nobody waits for it to be ready
			if err := pause(ctx, time.Until(a.started.Add(aMoment))); err != nil {
				return err
			}
		}
		incarnation := a.session.Load().View().Incarnation
		if incarnation == 0 {
			continue // its beginning is told
		}
		if incarnation != published {
			err = a.publishKey(ctx, opener, incarnation)
		}
		if err == nil {
			published = incarnation
			if !a.young() {
				err = a.shareKeystores(ctx, opener, incarnation)
			}
		}
		if err != nil && ctx.Err() == nil {
			a.log.Debug("keystores not shared", "err", err)
			err = nil
			poke(a.keyed)
		}
		// What the ledger tells meanwhile is looked at once.
		if err := pause(ctx, shareEvery); err != nil {
			return err
		}
	}
}

func (a *agent) publishKey(ctx context.Context, opener *keystore.Opener, incarnation int64) error {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Database.StatementTimeout)
	defer cancel()
	r := opener.Recipient()
	return keyring.Publish(ctx, a.work, incarnation, keyring.Key{
		Node: r.Name, Seal: r.Seal,
		Identity: a.identity.Key.Public().(ed25519.PublicKey), Signature: keystore.SignSeal(a.identity.Key, a.cluster, r),
	})
}

// shareKeystores gives nodes that cannot open a version their copy. Several nodes may
// do so at once: the first one's stays.
func (a *agent) shareKeystores(ctx context.Context, opener *keystore.Opener, incarnation int64) error {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Database.StatementTimeout)
	defer cancel()
	missing, err := keyring.FindUnshared(ctx, a.work, a.cfg.Node.Name)
	if err != nil || len(missing) == 0 {
		return err
	}
	keys, err := keyring.Keys(ctx, a.work)
	if err != nil {
		return err
	}
	claims := map[string]keystore.Claim{}
	for _, k := range keys {
		claims[k.Name] = claimOf(k)
	}
	for _, m := range missing {
		c := claims[m.With]
		if len(c.Seal) == 0 {
			continue // it publishes its key first, which is told
		}
		if err := c.Verify(a.cluster); err != nil {
			a.log.Warn("a keystore is not shared", "keystore", m.Name, "version", m.Version, "err", err)
			continue
		}
		err := a.shareVersion(ctx, opener, incarnation, m, c.Recipient)
		if errors.Is(err, keystore.ErrNewer) || errors.Is(err, keystore.ErrSeal) {
			// Another node can; this one goes on with what it can open itself.
			a.log.Warn("a keystore is not shared", "keystore", m.Name, "version", m.Version, "err", err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *agent) shareVersion(ctx context.Context, opener *keystore.Opener, incarnation int64, m keyring.Unshared, with keystore.Recipient) error {
	_, own, err := keyring.Fetch(ctx, a.work, m.Name, m.Version, a.cfg.Node.Name)
	if err != nil {
		return err
	}
	c, err := opener.Share(keystore.Place{Cluster: a.cluster, Name: m.Name, Version: m.Version}, own, with)
	if err != nil {
		return err
	}
	done, err := keyring.Share(ctx, a.work, a.cfg.Node.Name, incarnation, m.Name, m.Version, keyring.Copy(c))
	if done {
		a.log.Info("shared a keystore", "keystore", m.Name, "version", m.Version, "peer", m.With)
	}
	return err
}

// claimOf is what a row says of a sealing key.
func claimOf(k keyring.Key) keystore.Claim {
	return keystore.Claim{Recipient: keystore.Recipient{Name: k.Name, Seal: k.Seal}, ID: k.NodeID, Identity: k.Identity, Signature: k.Signature}
}
