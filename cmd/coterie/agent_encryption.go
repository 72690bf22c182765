package main

import (
	"context"
	"fmt"
	"time"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/coordinator/keyring"
)

// watched are the files whose content each look at the share tells.
func (a *agent) watched() []string {
	var names []string
	for _, name := range []string{a.cfg.Keystore.Encryption, a.cfg.Keystore.Copy} {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

// sawContents takes in what a look at the share told of them. Where nobody could
// look, what was seen last stands.
func (a *agent) sawContents(begun time.Time, found *appdata.Contents) {
	if found == nil {
		return
	}
	changed := map[string]bool{}
	a.know(func(k *memory) {
		for _, c := range *found {
			if was, known := k.contents.Of(c.Path); !known || was != c {
				changed[c.Path] = true
			}
		}
		k.contents, k.contentsAt = found, begun
	})
	if changed[a.cfg.Keystore.Encryption] {
		poke(a.sighted)
	}
	if a.cfg.Keystore.Copy != "" {
		poke(a.copied) // also when it is the same: it may be due to be written again
	}
}

// encryptionRest is how soon it is told again what this node sees of the encryption
// keystore, though the ledger moves all the time.
const encryptionRest = 250 * time.Millisecond

// encryption tells what this node sees of the encryption keystore, and lets it be ready
// only if that is what all must see: a node with another one corrupts what it secures.
// A node that is ready stays so: its server has the key in memory, and the finding is told.
func (a *agent) encryption(ctx context.Context) error {
	name := a.cfg.Keystore.Encryption
	if name == "" {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-a.sighted:
		}
		incarnation := a.session.Load().View().Incarnation
		content, known := a.knows().contents.Of(name)
		if incarnation == 0 || !known {
			continue // what is missing is told
		}
		asking, cancel := context.WithTimeout(ctx, a.cfg.Database.StatementTimeout)
		expected, told, err := keyring.See(asking, a.work, a.cfg.Node.Name, incarnation, name, content.SHA256, content.Err)
		cancel()
		switch {
		case err != nil && ctx.Err() == nil:
			a.log.Debug("not told what is seen of the encryption keystore", "err", err)
			poke(a.sighted)
		case err == nil && told:
			a.unlike(differs(content, expected))
		}
		if err := pause(ctx, encryptionRest); err != nil {
			return err
		}
	}
}

// differs tells in what a file is not the one that all must see.
func differs(c appdata.Content, expected string) string {
	switch {
	case c.Err != "":
		return fmt.Sprintf("cannot read %s: %s", c.Path, c.Err)
	case c.SHA256 == expected:
		return ""
	case c.SHA256 == "":
		return fmt.Sprintf("there is no %s here, and other nodes have one", c.Path)
	}
	return fmt.Sprintf("sees another %s than the cluster's: %.16s..., and not %.16s...", c.Path, c.SHA256, expected)
}

func (a *agent) unlike(wrong string) {
	changed := false
	a.know(func(k *memory) { changed, k.unlike = k.unlike != wrong, wrong })
	if !changed {
		return
	}
	if wrong != "" {
		a.log.Warn("encryption keystore", "reason", wrong)
	}
	poke(a.facts)
}
