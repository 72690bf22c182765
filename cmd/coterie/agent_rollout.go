package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coterie-ha/coterie/coordinator/console"
	"github.com/coterie-ha/coterie/coordinator/keyring"
	"github.com/coterie-ha/coterie/keystore"
	"github.com/coterie-ha/coterie/keystore/place"
	"github.com/coterie-ha/coterie/keystore/rollout"
)

// steward has the keystore of this node's server be what the cluster wants.
type steward struct {
	*agent
	name   string
	server place.Server
	opener *keystore.Opener
	keeper *rollout.Keeper
	view   rollout.View // that was read last
	told   string       // trouble that was logged last

	strange stranger   // that was looked into last
	last    place.Seen // what is in place, as of
	at      time.Time
}

// rollouts takes part in the rollouts of a keystore, and looks at what this node has
// in place, for as long as the agent lives.
func (a *agent) rollouts(ctx context.Context) error {
	s, err := a.newSteward()
	if err != nil {
		return err
	}
	if s.keeper.Serves {
		if err := s.server.Sweep(); err != nil {
			a.log.Warn("temporary files are left beside the keystore", "err", err)
		}
	}
	look := time.NewTicker(a.cfg.Keystore.CheckEvery)
	defer look.Stop()
	var backoff retries
	var soon <-chan time.Time // while a rollout is open: its end may be overdue, a hint lost
	read := false
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-a.rolled:
			read = false
		case <-soon:
			read = false
		case <-look.C:
			if backoff.due(s.keeper.Resting(), time.Now()) {
				s.keeper.Retry()
			}
		}
		if a.session.Load().View().Incarnation == 0 {
			continue // its beginning is told
		}
		if read && !s.keeper.Serves {
			continue
		}
		begun := time.Now()
		err := s.rounds(ctx, read)
		if read = err == nil; err != nil && ctx.Err() == nil {
			a.log.Debug("keystore not looked at", "keystore", s.name, "err", err)
		}
		// What the ledger tells meanwhile is looked at once; while a rollout is open, soon.
		rest := min(4*time.Since(begun), time.Second/4)
		soon = nil
		if a.rolling.Store(s.view.Rollout != nil); s.view.Rollout != nil {
			rest, soon = 5*time.Millisecond, time.After(rollingEvery)
		}
		if err := pause(ctx, rest); err != nil {
			return err
		}
	}
}

// rollingEvery is how often a node looks while a rollout is open and nothing is told.
const rollingEvery = 250 * time.Millisecond

// retries are farther and farther apart.
type retries struct {
	next time.Time
	wait time.Duration
}

func (r *retries) due(resting bool, now time.Time) bool {
	if !resting {
		*r = retries{}
		return false
	}
	if now.Before(r.next) {
		return false
	}
	r.wait = min(max(2*r.wait, 5*time.Second), 5*time.Minute)
	first := r.next.IsZero()
	r.next = now.Add(r.wait)
	return !first
}

// mostRounds is how much is done before the loop looks whether it is to end.
const mostRounds = 20

// rounds does what is due, one thing after the other.
func (s *steward) rounds(ctx context.Context, read bool) error {
	for range mostRounds {
		if !read {
			if err := s.read(ctx); err != nil {
				return err
			}
		}
		more, err := s.keeper.Round(ctx, s.view)
		s.settle()
		if err != nil || !more {
			return err
		}
		read = false
	}
	poke(s.rolled)
	return nil
}

func (s *steward) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Database.StatementTimeout)
	defer cancel()
	v, err := keyring.Look(ctx, s.work, s.name, s.keeper.Serves)
	if err == nil {
		s.view = v
		s.rollout.Store(&v)
		poke(s.copied)
		poke(s.renewing)
	}
	return err
}

// settle tells whether this node may be ready, as far as its keystore goes.
func (s *steward) settle() {
	s.unannounce(s.view)
	wrong := ""
	if !s.keeper.Settled(s.view) {
		wrong = fmt.Sprintf("keystore %s: version %d is not in place", s.name, rollout.TaskOf(s.view, s.cfg.Node.Name).Have)
	}
	changed := false
	s.know(func(k *memory) { changed, k.unkeyed, k.keystore = k.unkeyed != wrong, wrong, s.shown() })
	if changed {
		poke(s.facts)
	}
}

// shown is what metrics tell.
func (s *steward) shown() console.Keystore {
	if !s.keeper.Serves {
		return console.Keystore{}
	}
	k := console.Keystore{Name: s.name}
	for _, v := range s.view.Versions {
		if v.Version == s.view.Active {
			k.Ends = time.Unix(v.Ends, 0)
		}
	}
	for _, m := range s.view.Members {
		if m.Node == s.cfg.Node.Name && m.Report != nil {
			k.OK = m.Report.Right() && m.Report.Version == s.view.Active
		}
	}
	return k
}

func (a *agent) newSteward() (*steward, error) {
	cfg := a.cfg.Keystore
	opener, err := keystore.NodeOpener(a.cfg.Node.Name, a.identity.Key)
	if err != nil {
		return nil, err
	}
	s := &steward{agent: a, name: cfg.Name, opener: opener, server: place.Server{
		File: cfg.File, Properties: cfg.Properties, Property: cfg.Property, Address: cfg.Address,
		Kept: a.cfg.Node.StateDir, Patience: cfg.Patience,
	}}
	if len(cfg.Hosts) > 0 {
		s.server.Host = cfg.Hosts[0]
	}
	switch cfg.Reload {
	case "manager":
		s.server.Reload = s.askManager
	case "command", "restart":
		s.server.Reload = s.runCommand
	}
	if s.server.Reload != nil {
		s.server.Reload = a.oneReload(s.server.Reload)
	}
	s.keeper = &rollout.Keeper{Node: a.cfg.Node.Name, Serves: cfg.File != "", Hands: rollout.Hands{
		Look: s.look, Seen: s.seen, Put: s.put,
		Vote: func(ctx context.Context, v rollout.Vote) error {
			if v.Version == 0 {
				return errNotYet
			}
			a.log.Info("looked at a keystore", "keystore", s.name, "version", v.Version, "ok", v.OK, "why", v.Why)
			return s.self().Vote(ctx, v)
		},
		Report: func(ctx context.Context, r rollout.Report) error { return s.self().Report(ctx, r) },
		Turn: func(ctx context.Context, r rollout.Rollout, t rollout.Turn) error {
			return s.self().Turn(ctx, r, t)
		},
	}}
	return s, nil
}

// errNotYet says that a version cannot be looked at yet.
var errNotYet = errors.New("the version is not sealed to this node yet")

func (s *steward) self() keyring.Self {
	return keyring.Self{DB: s.work, Node: s.cfg.Node.Name, Incarnation: s.session.Load().View().Incarnation, Name: s.name}
}
