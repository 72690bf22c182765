package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/coterie-ha/coterie/coordinator/vouch"
	"github.com/coterie-ha/coterie/keystore"
	"github.com/coterie-ha/coterie/keystore/trust"
)

// trustee has the others trust the server of this node, and renders whom it trusts.
type trustee struct {
	*agent
	files  trust.Files
	reload func(context.Context) error // nil: the server finds its files by itself

	shown     []byte      // certificate that the server showed last; nil: none yet
	published string      // what was published last
	store     trust.Store // that was read last, as far as it is believed
	digest    string      // of it in the database
	doubt     error       // why some of it is not believed
	unread    error       // why a file of trust.certificates is not published
	reported  vouch.Rendering
	life      int64 // in which it was reported
	stale     bool  // the server has not read its files anew yet

	target atomic.Pointer[target]
	due    chan struct{} // calls are to be made before their time
}

// target is whom to call, by which version of the trust store.
type target struct {
	version int64
	peers   []trust.Peer
}

// trusts takes part in trust between servers for as long as the agent lives.
func (a *agent) trusts(ctx context.Context) error {
	t, err := a.newTrustee()
	if err != nil {
		return err
	}
	loops, ctx := errgroup.WithContext(ctx)
	loops.Go(func() error { return t.keep(ctx) })
	if len(t.files.List) > 0 {
		// Apart, so that peers that hang delay nothing else.
		loops.Go(func() error { return t.call(ctx) })
	}
	return loops.Wait()
}

func (a *agent) newTrustee() (*trustee, error) {
	cfg := a.cfg.Trust
	t := &trustee{agent: a, due: make(chan struct{}, 1)}
	t.files.Memory = a.cfg.Node.StateDir
	for _, f := range []trust.File{{Path: cfg.PEM, Format: keystore.PEM}, {Path: cfg.PKCS12, Format: keystore.PKCS12}, {Path: cfg.JKS, Format: keystore.JKS}} {
		if f.Path != "" {
			t.files.List = append(t.files.List, f)
		}
	}
	if cfg.PasswordFile != "" {
		text, err := keystore.ReadFile(cfg.PasswordFile)
		if err != nil {
			return nil, err
		}
		if t.files.Password, err = onePassword(text); err != nil {
			return nil, fmt.Errorf("%s %w", cfg.PasswordFile, err)
		}
	}
	if cfg.Reload {
		s, err := a.newSteward()
		if err != nil {
			return nil, err
		}
		t.reload = s.server.Reload
	}
	return t, nil
}

// keep keeps what is published and rendered as it should be.
func (t *trustee) keep(ctx context.Context) error {
	look := time.NewTicker(t.cfg.Trust.CheckEvery)
	defer look.Stop()
	said := ""
	var asked int64 // life in which this node was admitted, if it has nothing else to ask for
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.vouched:
		case <-look.C:
		}
		life := t.session.Load().View().Incarnation
		if life == 0 || asked == life {
			continue // its beginning is told; and who takes no part is asked once
		}
		begun := time.Now()
		wrong, err := t.round(ctx, life)
		if ctx.Err() != nil {
			continue
		}
		switch {
		case err != nil && err.Error() != said:
			t.log.Warn("trust not looked after", "err", err)
		case err == nil && !t.cfg.Trust.TakesPart() && wrong == "":
			asked = life
		}
		// What the ledger tells meanwhile is looked at once.
		rest := min(max(20*time.Millisecond, 4*time.Since(begun)), time.Second)
		if said = ""; err == nil {
			t.settle(wrong)
		} else {
			said, rest = err.Error(), time.Second
			poke(t.vouched)
		}
		if err := pause(ctx, rest); err != nil {
			return err
		}
	}
}

// settle tells why this node may not be ready, as far as trust goes.
func (t *trustee) settle(wrong string) {
	changed := false
	t.know(func(k *memory) { changed, k.untrusted = k.untrusted != wrong, wrong })
	if changed {
		poke(t.facts)
	}
}

// round does all that is due, and says what keeps this node from being ready.
func (t *trustee) round(ctx context.Context, life int64) (wrong string, err error) {
	if !t.cfg.Trust.TakesPart() {
		v, err := t.look(ctx)
		if err != nil {
			return "", err
		}
		return t.admission(ctx, v)
	}
	if err := t.publish(ctx, life); err != nil {
		return "", err
	}
	v, err := t.look(ctx)
	if err != nil {
		return "", err
	}
	if v.Entries != nil {
		t.store, t.doubt = trust.Store{Version: v.Version, Digest: v.Digest, Entries: v.Entries}.Believed(t.cluster)
		t.digest = v.Digest
	}
	t.store.Version = v.Version // the same entries may have another number
	rendered := t.render(ctx)
	t.show(rendered.rendering, v.Digest)
	if err := t.tell(ctx, life, rendered); err != nil {
		return "", err
	}
	if old := t.target.Load(); old == nil || old.version != v.Version || !slices.Equal(old.peers, v.Peers) {
		poke(t.due)
	}
	t.target.Store(&target{v.Version, v.Peers})
	if wrong, err := t.admission(ctx, v); wrong != "" || err != nil {
		return wrong, err
	}
	if rendered.rendering.Digest != v.Digest {
		return strings.TrimSuffix(fmt.Sprintf("version %d of the trust store is not in place: %s", v.Version, rendered.rendering.Error), ": "), nil
	}
	return "", nil
}

// show has metrics tell what is in place.
func (t *trustee) show(is vouch.Rendering, newest string) {
	ends := t.store.Ends()
	t.know(func(k *memory) {
		k.trust.TakesPart, k.trust.Ends = true, ends
		k.trust.OK = is.Digest == newest && (is.State == "rendered" || is.State == "none")
	})
}

func (t *trustee) self(life int64) vouch.Self {
	return vouch.Self{DB: t.work, Node: t.cfg.Node.Name, Incarnation: life}
}

func (t *trustee) budget(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, t.cfg.Database.StatementTimeout)
}

func (t *trustee) look(ctx context.Context) (vouch.View, error) {
	ctx, cancel := t.budget(ctx)
	defer cancel()
	v, err := vouch.Look(ctx, t.work, t.cfg.Node.Name, t.cfg.Trust.TakesPart(), t.digest)
	if err != nil || !v.Unsettled {
		return v, err
	}
	if _, err := vouch.Settle(ctx, t.work, "its time had come"); err != nil {
		return v, err
	}
	return vouch.Look(ctx, t.work, t.cfg.Node.Name, true, t.digest)
}

// admission is what an operator has to do before this node may be ready; who was
// never asked about is asked about.
func (t *trustee) admission(ctx context.Context, v vouch.View) (string, error) {
	id := t.identity.ID()
	switch {
	case v.Admitted:
		return "", nil
	case v.State == "":
		ctx, cancel := t.budget(ctx)
		defer cancel()
		if _, err := vouch.Ask(ctx, t.work, id, t.cfg.Node.Name, t.node.Host, nil); err != nil {
			return "", err
		}
	case v.State == string(vouch.Withdrawn):
		return "its approval was withdrawn; its fingerprint is " + id, nil
	}
	return "waits for approval; its fingerprint is " + id, nil
}

// rendered is what came of a rendering.
type rendered struct {
	rendering vouch.Rendering
	mended    string
}

// render has the files have what the store has.
func (t *trustee) render(ctx context.Context) rendered {
	r := rendered{rendering: vouch.Rendering{Version: t.store.Version, Digest: t.store.Digest, State: "none"}}
	if len(t.files.List) == 0 {
		return r
	}
	r.rendering.State = "rendered"
	done, err := t.files.Render(t.store)
	if len(done.Written) > 0 {
		t.stale = true
		t.log.Info("trust store in place", "version", t.store.Version, "files", strings.Join(done.Written, " "))
	}
	if r.mended = strings.Join(done.Mended, "; "); r.mended != "" {
		t.log.Warn("a file of the trust store was put right", "what", r.mended)
	}
	if err == nil && t.stale && t.reload != nil {
		ctx, cancel := context.WithTimeout(ctx, t.cfg.Keystore.Patience)
		if err = t.reload(ctx); err != nil {
			err = fmt.Errorf("the server did not read it anew: %w", err)
		}
		cancel()
	}
	t.stale = t.stale && err != nil && t.reload != nil
	if err != nil { // what is in place is of an older version
		r.rendering.Version, r.rendering.Digest = t.reported.Version, t.reported.Digest
	} else if err = errors.Join(t.doubt, t.unread); err == nil {
		return r
	}
	r.rendering.State, r.rendering.Error = "failed", err.Error()
	if _, ok := errors.AsType[*trust.ForeignError](err); ok {
		r.rendering.State = "foreign"
	}
	return r
}

// tell reports what is rendered, if that is news.
func (t *trustee) tell(ctx context.Context, life int64, r rendered) error {
	if r.rendering == t.reported && t.life == life && r.mended == "" {
		return nil
	}
	ctx, cancel := t.budget(ctx)
	defer cancel()
	living, err := t.self(life).Report(ctx, r.rendering, r.mended)
	if err != nil {
		return err
	}
	if living {
		if r.rendering.Error != "" && r.rendering.Error != t.reported.Error {
			t.log.Warn("trust store not in place", "version", r.rendering.Version, "err", r.rendering.Error)
		}
		t.reported, t.life = r.rendering, life
	}
	return nil
}
