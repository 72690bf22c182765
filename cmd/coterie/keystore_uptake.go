package main

import (
	"context"
	"errors"
	"time"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/keystore"
	"github.com/coterie-ha/coterie/keystore/place"
)

// uptake is how a server takes up what was put in place.
type uptake struct {
	manager     *keystore.Manager // nil: nobody is asked
	address     string            // that must show the certificate; empty: nothing is proved
	host        string
	fingerprint string
}

// proofTime is how long a server may go on with the old certificate after it said
// that it has reloaded.
const proofTime = 10 * time.Second

func (c *cli) uptake(v placing, fingerprint string) (uptake, error) {
	u := uptake{address: v.prove, fingerprint: fingerprint}
	if len(v.hosts) > 0 {
		u.host = v.hosts[0]
	}
	if v.reload == "" {
		return u, nil
	}
	u.manager = &keystore.Manager{URL: v.reload, User: v.user}
	if v.password != "" {
		pass, err := c.readPassword(v.password)
		if err != nil {
			return u, err
		}
		u.manager.Password = pass
	}
	return u, nil
}

// carryOut puts files in place and has the server take them up; when that fails,
// what was there before is put back and taken up again. Whoever is killed on the way
// leaves whole files, and says the command again.
func (u uptake) carryOut(ctx context.Context, steps []place.Change) error {
	done, err := place.Write(steps)
	if err != nil {
		err = problem.New("COT-914", nil, "%v", err)
	}
	asked := false
	if err == nil {
		asked, err = u.takeUp(ctx, len(steps) > 0)
	}
	if err == nil {
		return nil
	}
	undone := place.Undo(done)
	if asked && len(done) > 0 {
		// Also when somebody gave up waiting: the server must not be left between two.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*proofTime)
		defer cancel()
		undone = errors.Join(undone, u.manager.Reload(ctx))
	}
	if p, ok := errors.AsType[*problem.Problem](err); ok && len(done) > 0 {
		if undone == nil {
			p.What += "; what was there before is back"
		} else {
			p.What += "; putting back what was there before: " + undone.Error()
		}
	}
	return err
}

// takeUp has the server reload if anything changed, or if it does not show the
// certificate yet.
func (u uptake) takeUp(ctx context.Context, changed bool) (asked bool, err error) {
	if u.manager == nil {
		return false, nil
	}
	if !changed && u.address != "" {
		chain, err := keystore.Shown(ctx, u.address, u.host)
		changed = err != nil || chain[0].Fingerprint() != u.fingerprint
	}
	if !changed {
		return false, nil
	}
	if err := u.manager.Reload(ctx); err != nil {
		return true, problem.New("COT-922", nil, "%v", err)
	}
	if u.address == "" {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, proofTime)
	defer cancel()
	err = keystore.Serves(ctx, u.address, u.host, u.fingerprint)
	if shown, ok := errors.AsType[*keystore.ShownError](err); ok {
		return true, problem.New("COT-920", nil, "%v, and not that of the version", shown)
	}
	if err != nil {
		return true, problem.New("COT-921", nil, "%v", err)
	}
	return true, nil
}
