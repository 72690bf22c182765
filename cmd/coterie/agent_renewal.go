package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/coterie-ha/coterie/coordinator/keyring"
	"github.com/coterie-ha/coterie/jobs"
	"github.com/coterie-ha/coterie/keystore"
	"github.com/coterie-ha/coterie/leases"
)

// renewer has a program of this node renew the certificate before it ends, for as
// long as it holds the lease.
type renewer struct {
	*steward
	token int64
	next  time.Time // not before this the database is asked
	about [2]int64  // versions that were active and staged when it answered
}

// longestDoze is how long nobody looks whether the certificate is to be renewed.
const longestDoze = time.Hour

// renew looks whether the certificate is to be renewed, whenever that may be so.
func (a *agent) renew(ctx context.Context, g leases.Grant) error {
	s, err := a.newSteward()
	if err != nil {
		return err
	}
	r := &renewer{steward: s, token: int64(g.Token)}
	for {
		doze := time.NewTimer(r.round(ctx))
		select {
		case <-ctx.Done():
		case <-a.renewing:
		case <-doze.C:
		}
		doze.Stop()
		if err := pause(ctx, time.Second/4); err != nil {
			return err
		}
	}
}

// round renews the certificate if that is due, and says how long nothing is to be done.
func (r *renewer) round(ctx context.Context) time.Duration {
	v := r.rollout.Load()
	if v == nil || v.Active == 0 || v.Rollout != nil {
		return longestDoze // what changes that is told
	}
	var ends time.Time
	for _, one := range v.Versions {
		if one.Version == v.Active {
			ends = time.Unix(one.Ends, 0)
		}
	}
	now := r.session.Load().Clock.Now()
	if left := ends.Add(-r.cfg.Renewal.Before).Sub(now); left > 0 {
		return min(left, longestDoze)
	}
	if about := [2]int64{v.Active, v.Staged}; about != r.about {
		r.about, r.next = about, time.Time{}
	}
	if left := time.Until(r.next); left > 0 {
		return min(left, longestDoze)
	}
	due, err := r.begin(ctx)
	if err != nil {
		r.log.Debug("not known whether the certificate is to be renewed", "keystore", r.name, "err", err)
		return 5 * time.Second
	}
	if !due.Now {
		wait := min(max(due.Wait, time.Second), longestDoze)
		r.next = time.Now().Add(wait)
		return wait
	}
	r.attempt(ctx, ends)
	return 0
}

func (r *renewer) begin(ctx context.Context) (keyring.Due, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Database.StatementTimeout)
	defer cancel()
	return r.self().BeginRenewal(ctx, r.token, r.cfg.Renewal.Before, r.cfg.Renewal.Retry)
}

// attempt runs the program once, and stages what it made.
func (r *renewer) attempt(ctx context.Context, ends time.Time) {
	r.log.Info("renewing the certificate", "keystore", r.name, "ends", ends)
	done := keyring.Renewed{Activate: r.cfg.Renewal.Activate, Patience: usualPatience, Retry: r.cfg.Renewal.Retry}
	var err error
	if done.Version, err = r.renewed(ctx, ends); err != nil {
		if ctx.Err() != nil {
			return // somebody else is to have another try
		}
		done.Error = err.Error()
		r.log.Warn("the certificate was not renewed", "keystore", r.name, "err", err)
	} else {
		r.log.Info("renewed the certificate", "keystore", r.name, "version", done.Version)
	}
	ending, cancel := context.WithTimeout(ctx, r.cfg.Database.StatementTimeout)
	defer cancel()
	if err := r.self().EndRenewal(ending, r.token, done); err != nil && ctx.Err() == nil {
		r.log.Warn("not told how the renewal ended", "keystore", r.name, "err", err)
	}
	r.next = time.Time{}
}

// renewed runs the program, and returns the version that it was staged as.
func (r *renewer) renewed(ctx context.Context, ends time.Time) (int64, error) {
	if err := r.runRenewal(ctx); err != nil {
		return 0, err
	}
	asking, cancel := context.WithTimeout(ctx, r.cfg.Database.StatementTimeout)
	newest, err := keyring.FindNewest(asking, r.work, r.name)
	cancel()
	if err != nil {
		return 0, err
	}
	next, b, err := r.made(newest, ends)
	if err != nil {
		return 0, err
	}
	asking, cancel = context.WithTimeout(ctx, r.cfg.Database.StatementTimeout)
	defer cancel()
	to, id, err := recipients(asking, r.work)
	if err != nil {
		return 0, err
	}
	if next, err = sealed(id, next, b, to); err != nil {
		return 0, err
	}
	return next.Version, r.self().StageRenewal(asking, r.token, next)
}

func (r *renewer) runRenewal(ctx context.Context) error {
	cfg := r.cfg.Renewal
	tooLate := fmt.Errorf("it took longer than %v", cfg.Timeout)
	running, cancel := context.WithTimeoutCause(ctx, cfg.Timeout, tooLate)
	defer cancel()
	err := r.program(running, jobs.Command{ID: renewalLease + r.name, Argv: cfg.Command, User: cfg.User}, "COTERIE_RENEWAL_FILE="+cfg.File)
	if running.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("%s: %w", cfg.Command[0], tooLate)
	}
	return err
}

// made is the keystore that the program left, if servers and their clients would take it,
// and if it is new.
func (r *renewer) made(newest keyring.Newest, ends time.Time) (keyring.Version, keystore.Bundle, error) {
	var none keyring.Version
	file := r.cfg.Renewal.File
	data, err := keystore.ReadFile(file)
	if err != nil {
		return none, keystore.Bundle{}, err
	}
	text, err := keystore.ReadFile(r.cfg.Renewal.PasswordFile)
	if err != nil {
		return none, keystore.Bundle{}, err
	}
	pass, err := onePassword(text)
	if err != nil {
		return none, keystore.Bundle{}, fmt.Errorf("%s %w", r.cfg.Renewal.PasswordFile, err)
	}
	s, err := keystore.Read(data, keystore.Passwords{Store: pass})
	if err != nil {
		return none, keystore.Bundle{}, fmt.Errorf("%s: %w", file, err)
	}
	if s.Format != keystore.PKCS12 && s.Format != keystore.JKS {
		return none, keystore.Bundle{}, fmt.Errorf("%s is %s, and servers are given pkcs12 or jks", file, s.Format)
	}
	var bad []string
	for _, f := range keystore.Unfit(keystore.Check(s, keystore.Want{Alias: r.cfg.Renewal.Alias, Hosts: r.cfg.Keystore.Hosts, Now: newest.Now})) {
		bad = append(bad, f.Text)
	}
	if len(bad) > 0 {
		return none, keystore.Bundle{}, fmt.Errorf("%s: %s", file, strings.Join(bad, "; "))
	}
	served, err := s.Served(r.cfg.Renewal.Alias)
	if err != nil {
		return none, keystore.Bundle{}, fmt.Errorf("%s: %w", file, err)
	}
	v := versionOf(s, data, served)
	v.Name, v.Version = r.name, newest.Version.Int64+1
	switch {
	case v.SHA256 == newest.SHA256.String:
		err = fmt.Errorf("%s is still that of version %d, which is %s", file, newest.Version.Int64, newest.State.String)
	case !v.NotAfter.After(ends):
		err = fmt.Errorf("%s: its certificate ends on %s, no later than the one that is active", file, v.NotAfter.UTC().Format("2006-01-02"))
	}
	return v, bundleOf(s, data, served), err
}
