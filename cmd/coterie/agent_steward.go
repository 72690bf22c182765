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
	"github.com/coterie-ha/coterie/coordinator/keyring"
	"github.com/coterie-ha/coterie/jobs"
	"github.com/coterie-ha/coterie/keystore"
	"github.com/coterie-ha/coterie/keystore/place"
	"github.com/coterie-ha/coterie/keystore/rollout"
)

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

// bundle opens a version with this node's own key.
func (s *steward) bundle(ctx context.Context, version int64) (keystore.Bundle, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Database.StatementTimeout)
	defer cancel()
	content, own, err := keyring.Fetch(ctx, s.work, s.name, version, s.cfg.Node.Name)
	if err != nil {
		return keystore.Bundle{}, err
	}
	return s.opener.Open(keystore.Place{Cluster: s.cluster, Name: s.name, Version: version}, content, own)
}

// open opens a version with this node's own key, and judges it.
func (s *steward) open(ctx context.Context, version int64) (place.Content, error) {
	var none place.Content
	b, err := s.bundle(ctx, version)
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
	s.announce(version, e)
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
		r.Error = s.astray(ctx, have, want, look)
	case !s.server.Proves():
		r.State, r.Error = rollout.Placed, ""
	case look.Served == want.Fingerprint:
		r.State, r.Error = rollout.Proved, ""
	case look.Served != "":
		r.Error = fmt.Sprintf("%s shows another certificate than that of version %d", s.cfg.Keystore.Address, have)
	}
	return r
}

// astray tells in what this node has another keystore than a version.
func (s *steward) astray(ctx context.Context, have int64, want rollout.Version, look place.Seen) string {
	property, in := s.cfg.Keystore.Property, s.cfg.Keystore.Properties
	switch {
	case look.SHA256 == want.SHA256 && look.Error != "":
		return look.Error
	case look.SHA256 == want.SHA256 && look.Alias == "":
		return fmt.Sprintf("%s is not in %s, and version %d has the alias %s", property, in, have, want.Alias)
	case look.SHA256 == want.SHA256:
		return fmt.Sprintf("%s in %s is %s, and version %d has the alias %s", property, in, look.Alias, have, want.Alias)
	case look.SHA256 != "" && s.strange.sha256 != look.SHA256:
		s.strange = stranger{look.SHA256, s.lacks(ctx, have, look.Alias)}
	}
	said := []string{fmt.Sprintf("the file is not that of version %d", have), look.Error}
	if look.SHA256 != "" {
		said = append(said, s.strange.lacks)
	}
	return strings.Join(slices.DeleteFunc(said, func(t string) bool { return t == "" }), ": ")
}

// stranger is a file that is in place and no version's.
type stranger struct{ sha256, lacks string }

// lacks tells why a server that is started with the file that is in place now would not
// come up, as far as a version's passwords open it.
func (s *steward) lacks(ctx context.Context, have int64, alias string) string {
	b, err := s.bundle(ctx, have)
	if err != nil {
		return ""
	}
	data, err := keystore.ReadFile(s.cfg.Keystore.File)
	if err != nil {
		return err.Error()
	}
	store, err := keystore.Read(data, b.Passwords())
	if err != nil {
		return "by that version's passwords " + err.Error()
	}
	if alias == "" {
		alias = b.Alias
	}
	if _, err := store.Served(alias); err != nil {
		return err.Error()
	}
	return ""
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
	if p.Forward {
		err = s.awaitTrust(ctx, c.Fingerprint)
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
	return s.program(ctx, jobs.Command{ID: "keystore/" + s.name, Argv: s.cfg.Keystore.Command})
}

// program runs a program of this node's configuration; what is wrong with its end is
// told with its last words.
func (s *steward) program(ctx context.Context, c jobs.Command, env ...string) error {
	var said tail
	c.Dir, c.Output = s.cfg.Node.StateDir, &said
	c.Env = append([]string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "COTERIE_NODE=" + s.cfg.Node.Name, "COTERIE_KEYSTORE=" + s.name,
	}, env...)
	exit, err := s.spawn(ctx, c)
	switch {
	case err != nil:
		return fmt.Errorf("run %s: %w", c.Argv[0], err)
	case exit.Signal != "":
		return fmt.Errorf("%s: %s ended it: %s", c.Argv[0], exit.Signal, said.String())
	case exit.Code != 0:
		return fmt.Errorf("%s: exit code %d: %s", c.Argv[0], exit.Code, said.String())
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
