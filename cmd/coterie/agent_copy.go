package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/coordinator/keyring"
	"github.com/coterie-ha/coterie/keystore/rollout"
	"github.com/coterie-ha/coterie/leases"
)

// copyist keeps the copy of the keystore on the share, for as long as it holds the lease.
type copyist struct {
	*steward
	grant leases.Grant
	path  string
	told  keyring.File // last
	since time.Time    // a look that began before it may have missed what was written
	retry retries
	next  time.Time // not before this it is tried again
}

// keepCopy has the active version lie on the share, as the application's layout has it.
func (a *agent) keepCopy(ctx context.Context, g leases.Grant) error {
	s, err := a.newSteward()
	if err != nil {
		return err
	}
	c := &copyist{steward: s, grant: g, path: a.cfg.Keystore.Copy, since: time.Now()}
	poke(a.looks)
	for {
		if err := c.round(ctx); err != nil && ctx.Err() == nil {
			a.log.Debug("the copy of the keystore was not looked at", "keystore", s.name, "err", err)
		}
		if err := pause(ctx, copyRest); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-a.copied: // after each look at the share, and when a rollout moved
		}
	}
}

// copyRest is the least time between two looks at the copy.
const copyRest = 100 * time.Millisecond

// wanted is the version that the copy should have; false while none is active, or
// another is on its way.
func wanted(v *rollout.View) (rollout.Version, bool) {
	if v == nil || v.Active == 0 || v.Rollout != nil {
		return rollout.Version{}, false
	}
	for _, one := range v.Versions {
		if one.Version == v.Active {
			return one, true
		}
	}
	return rollout.Version{}, false
}

// round looks whether the copy is as it should be, writes it if not, and tells.
func (c *copyist) round(ctx context.Context) error {
	k := c.knows()
	want, due := wanted(c.rollout.Load())
	content, known := k.contents.Of(c.path)
	if !due || !known || !k.contentsAt.After(c.since) || !k.share.Usable() {
		return nil
	}
	f := keyring.File{Token: int64(c.grant.Token), Path: c.path, SHA256: content.SHA256}
	if content.SHA256 == want.SHA256 && content.Err == "" {
		f.Version = want.Version
		c.retry, c.next = retries{}, time.Time{}
		return c.tell(ctx, f)
	}
	if time.Now().Before(c.next) {
		return nil
	}
	err := c.write(ctx, want)
	c.since = time.Now()
	if err == nil {
		c.log.Info("keystore written to the share", "keystore", c.name, "version", want.Version, "file", c.path, "token", c.grant.Token)
		c.told = keyring.File{}
		poke(c.looks) // whoever reads it sees it by the next look at the latest
		return nil
	}
	c.retry.due(true, time.Now())
	c.next = c.retry.next
	if ctx.Err() != nil {
		return err
	}
	c.log.Warn("keystore not written to the share", "keystore", c.name, "version", want.Version, "file", c.path, "err", err)
	f.Error = err.Error()
	return c.tell(ctx, f)
}

// tell says what is new about the copy.
func (c *copyist) tell(ctx context.Context, f keyring.File) error {
	if f == c.told {
		return nil
	}
	asking, cancel := context.WithTimeout(ctx, c.cfg.Database.StatementTimeout)
	defer cancel()
	conn, err := c.work.Connx(asking)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := c.self().Copied(asking, conn, f); err != nil {
		return err
	}
	c.told = f
	return nil
}

// write puts a version in place on the share. All of it lies there before the lease is
// asserted; nobody can take that before the file has its name.
func (c *copyist) write(ctx context.Context, want rollout.Version) (err error) {
	content, err := c.open(ctx, want.Version)
	if err != nil {
		return err
	}
	step := appdata.Publish{Share: c.shareNow(), Path: c.path, Data: content.File}
	done, err := c.share.Publish(ctx, step)
	if err != nil {
		return err
	}
	step.Data, step.Temp = nil, done.Temp
	// What was begun is ended also when the agent is told to stop, or to hand over.
	ctx = context.WithoutCancel(ctx)
	defer func() {
		if err != nil {
			step.Drop = true
			_, left := c.share.Publish(ctx, step)
			err = errors.Join(err, left)
		}
	}()
	tx, err := asserted(ctx, c.work, c.grant.Lease, int64(c.grant.Token))
	if err == nil {
		_, err = c.share.Publish(ctx, step)
	}
	if err == nil {
		err = c.self().Copied(ctx, tx, keyring.File{
			Token: int64(c.grant.Token), Path: c.path, Version: want.Version, SHA256: want.SHA256, Written: true,
		})
	}
	if err == nil {
		err = tx.Commit()
	} else if tx != nil {
		err = errors.Join(err, rolledBack(tx))
	}
	if err != nil {
		return fmt.Errorf("under token %d: %w", c.grant.Token, err)
	}
	return nil
}
