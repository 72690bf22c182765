package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coterie-ha/coterie/coordinator"
	"github.com/coterie-ha/coterie/coordinator/console"
	"github.com/coterie-ha/coterie/coordinator/keyring"
	"github.com/coterie-ha/coterie/jobs"
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
	last   place.Seen   // what is in place, as of
	at     time.Time
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
	v, err := keyring.Look(ctx, s.work, s.name)
	if err == nil {
		s.view = v
	}
	return err
}

// settle tells whether this node may be ready, as far as its keystore goes.
func (s *steward) settle() {
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

// look opens a version, and looks at it as this node's server would.
func (s *steward) look(ctx context.Context, version int64) rollout.Vote {
	v := rollout.Vote{Version: version, OK: true, Serves: s.keeper.Serves, Alone: s.cfg.Keystore.Reload == "restart"}
	c, err := s.open(ctx, version)
	if err == nil && v.Serves {
		err = s.server.Try(c)
	}
	switch {
	case errors.Is(err, keyring.ErrClosed):
		return rollout.Vote{} // who has it shares it within seconds
	case err != nil:
		v.OK, v.Why = false, err.Error()
	}
	return v
}

// open opens a version with this node's own key, and judges it.
func (s *steward) open(ctx context.Context, version int64) (place.Content, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Database.StatementTimeout)
	defer cancel()
	var none place.Content
	content, own, err := keyring.Fetch(ctx, s.work, s.name, version, s.cfg.Node.Name)
	if err != nil {
		return none, err
	}
	b, err := s.opener.Open(keystore.Place{Cluster: s.cluster, Name: s.name, Version: version}, content, own)
	if err != nil {
		return none, err
	}
	store, err := keystore.Read(b.File, b.Passwords())
	if err != nil {
		return none, err
	}
	now := s.session.Load().Clock.Now()
	if bad := keystore.Unfit(keystore.Check(store, keystore.Want{Alias: b.Alias, Hosts: s.cfg.Keystore.Hosts, Now: now})); len(bad) > 0 {
		var texts []string
		for _, f := range bad {
			texts = append(texts, f.Text)
		}
		return none, errors.New(strings.Join(texts, "; "))
	}
	e, err := store.Served(b.Alias)
	return place.Content{File: b.File, Alias: b.Alias, Fingerprint: e.Facts().Fingerprint}, err
}

// freshFor is how long it is not looked again at what nobody here has touched.
const freshFor = 300 * time.Millisecond

// seen is what is in place, held against a version.
func (s *steward) seen(ctx context.Context, have int64) rollout.Report {
	if time.Since(s.at) > freshFor {
		s.last, s.at = s.server.Look(ctx), time.Now()
	}
	look := s.last
	r := rollout.Report{State: rollout.Drifted, File: look.SHA256, Served: look.Served, Error: look.Error}
	alias := func(v rollout.Version) bool { return s.server.Properties == "" || v.Alias == look.Alias }
	var want rollout.Version
	for _, v := range s.view.Versions {
		if v.SHA256 == look.SHA256 && alias(v) {
			r.Version = max(r.Version, v.Version)
			if v.Version == have {
				r.Version = have
			}
		}
		if v.Version == have {
			want = v
		}
	}
	switch {
	case have == 0 && !s.server.IsKept():
		// Whatever it is, it is not of ours; nothing is known of it, and nothing wrong.
		r.Version, r.State, r.Error = 0, rollout.Placed, ""
	case have == 0:
		r.Error = "what was there before is not back"
	case r.Version != have:
		r.Error = strings.Join(slices.DeleteFunc([]string{fmt.Sprintf("the file is not that of version %d", have), look.Error}, func(t string) bool { return t == "" }), ": ")
	case !s.server.Proves():
		r.State, r.Error = rollout.Placed, ""
	case look.Served == want.Fingerprint:
		r.State, r.Error = rollout.Proved, ""
	case look.Served != "":
		r.Error = fmt.Sprintf("%s shows another certificate than that of version %d", s.cfg.Keystore.Address, have)
	}
	return r
}

// put puts a version in place, or what was there before any.
func (s *steward) put(ctx context.Context, p rollout.Putting) error {
	ready, err := s.emptied(ctx)
	if err != nil {
		return err
	}
	defer ready()
	err = s.putNow(ctx, p)
	s.at = time.Time{}
	switch {
	case err == nil:
		s.log.Info("keystore in place", "keystore", s.name, "version", p.Version)
	case s.told != err.Error():
		s.log.Warn("keystore not in place", "keystore", s.name, "version", p.Version, "err", err)
	}
	s.told = ""
	if err != nil {
		s.told = err.Error()
	}
	return err
}

func (s *steward) putNow(ctx context.Context, p rollout.Putting) error {
	if p.Version == 0 {
		return s.server.Restore(ctx)
	}
	c, err := s.open(ctx, p.Version)
	if err != nil {
		return err
	}
	if p.First {
		err = s.server.Keep()
	} else {
		err = s.server.Forget()
	}
	if err != nil {
		return err
	}
	return s.server.Put(ctx, c, p.Forward)
}

// emptied drains this node if its server is about to be restarted, and returns what
// has it take part again.
func (s *steward) emptied(ctx context.Context) (ready func(), err error) {
	if s.cfg.Keystore.Reload != "restart" || s.knows().state != coordinator.Ready {
		return func() {}, nil
	}
	s.know(func(k *memory) { k.restarting = true })
	poke(s.facts)
	ready = sync.OnceFunc(func() {
		s.know(func(k *memory) { k.restarting = false })
		poke(s.facts)
	})
	s.log.Info("drained for a restart of the server", "keystore", s.name)
	begun := time.Now()
	for s.knows().state != coordinator.Drained && time.Since(begun) < s.cfg.Drain.Deadline {
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			ready()
			return nil, err
		}
	}
	if err := pause(ctx, s.cfg.Keystore.DrainFor); err != nil {
		ready()
		return nil, err
	}
	return ready, nil
}

func (s *steward) askManager(ctx context.Context) error {
	m := keystore.Manager{URL: s.cfg.Keystore.URL, User: s.cfg.Keystore.User}
	if file := s.cfg.Keystore.PasswordFile; file != "" {
		text, err := keystore.ReadFile(file)
		if err != nil {
			return err
		}
		if m.Password, err = onePassword(text); err != nil {
			return fmt.Errorf("%s %w", file, err)
		}
	}
	return m.Reload(ctx)
}

// runCommand runs the program that reloads or restarts the server.
func (s *steward) runCommand(ctx context.Context) error {
	var said tail
	exit, err := s.spawn(ctx, jobs.Command{
		ID: "keystore/" + s.name, Argv: s.cfg.Keystore.Command, Dir: s.cfg.Node.StateDir, Output: &said,
		Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "COTERIE_NODE=" + s.cfg.Node.Name, "COTERIE_KEYSTORE=" + s.name},
	})
	switch {
	case err != nil:
		return fmt.Errorf("run %s: %w", s.cfg.Keystore.Command[0], err)
	case exit.Signal != "":
		return fmt.Errorf("%s: %s ended it: %s", s.cfg.Keystore.Command[0], exit.Signal, said.String())
	case exit.Code != 0:
		return fmt.Errorf("%s: exit code %d: %s", s.cfg.Keystore.Command[0], exit.Code, said.String())
	}
	return nil
}

// tail keeps the end of what a program said.
type tail struct {
	mu   sync.Mutex // guards text
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-300):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}
