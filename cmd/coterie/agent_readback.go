package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/appdata/migrate"
)

// How quickly an agent reads what a migration has moved: nobody waits for it but an
// administrator, and the servers use the same share.
const (
	readBytes = 100 << 20 // a second
	readFiles = 2000
)

const (
	// readAgain is how long an agent that could not read something leaves it to others
	// at first, and readSeldom at last.
	readAgain, readSeldom = 10 * time.Second, 5 * time.Minute
	// readTold is how often the database hears how far a reading is.
	readTold = time.Second
)

const migrationClaimSQL = `SELECT plan, manifest, coalesce(mark::text, '') AS mark FROM coterie.migration_claim($1, $2, $3, $4)`

// claim is what this node has taken upon itself to read.
type claim struct {
	Plan     string
	Manifest string
	Mark     string
}

// readBack reads through this host's own mount what another host has moved to the
// share, when that is asked for: only then its originals may be deleted.
func (a *agent) readBack(ctx context.Context) error {
	if err := pause(ctx, aMoment); err != nil { // there is more to be done when a node begins
		return err
	}
	left := map[string]leftPlan{}
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-a.asked:
		case <-again.C:
		}
		var not []string
		for plan, l := range left {
			if time.Now().Before(l.until) {
				not = append(not, plan)
			}
		}
		incarnation := a.session.Load().View().Incarnation
		if incarnation == 0 {
			continue
		}
		one, err := a.claim(ctx, incarnation, not)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			if len(not) > 0 {
				again.Reset(readAgain)
			} else {
				clear(left) // nobody wants them any more
			}
		case err != nil && ctx.Err() == nil:
			a.log.Debug("not asked what is to be read back", "err", err)
			again.Reset(readAgain)
		case err == nil:
			if a.readMoved(ctx, incarnation, one) {
				delete(left, one.Plan)
			} else {
				wait := min(max(2*left[one.Plan].wait, readAgain), readSeldom)
				left[one.Plan] = leftPlan{until: time.Now().Add(wait), wait: wait}
			}
			poke(a.asked)
		}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
}

// leftPlan is a plan that could not be read here, and is left to others for a while.
type leftPlan struct {
	until time.Time
	wait  time.Duration
}

func (a *agent) claim(ctx context.Context, incarnation int64, not []string) (one claim, err error) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Database.StatementTimeout)
	defer cancel()
	conn, err := a.work.Connx(ctx)
	if err != nil {
		return one, err
	}
	defer conn.Close()
	err = conn.GetContext(ctx, &one, migrationClaimSQL, a.cfg.Node.Name, incarnation, migrate.Machine(), pq.Array(append([]string{}, not...)))
	return one, err
}

// errNotOurs ends a reading that the database has given to another, or to nobody.
var errNotOurs = errors.New("it is not this node's to read any more")

// readMoved reads what a plan has moved, and says whether nothing is left of it for
// this node to do.
func (a *agent) readMoved(ctx context.Context, incarnation int64, one claim) bool {
	r := migrate.Reader{Share: a.cfg.AppData.Path, Plan: one.Plan, Manifest: one.Manifest, Files: filesASecond(), Bytes: readBytes}
	if one.Mark != "" {
		if err := json.Unmarshal([]byte(one.Mark), &r.From); err != nil {
			a.log.Warn("reading back from the beginning", "plan", one.Plan, "err", err)
		}
	}
	a.log.Info("reading back what was moved to the share", "plan", one.Plan, "from", r.From.Reading.Files)
	last, told := r.From, time.Time{}
	err := a.share.Moved(ctx, r, func(m migrate.Mark) error {
		last = m
		if m.Done || time.Since(told) < readTold {
			return nil
		}
		told = time.Now()
		return a.tellMark(ctx, incarnation, one, "reading", m, "")
	})
	if ctx.Err() != nil || errors.Is(err, errNotOurs) {
		return true // the session goes, or has gone, and this with it
	}
	state, message := "well", ""
	switch {
	case err != nil:
		state, message = "asked", err.Error()
	case !last.Reading.OK():
		state, message = "bad", strings.Join(last.Reading.Sample, "; ")
	}
	if failed := a.tellMark(ctx, incarnation, one, state, last, message); failed != nil {
		a.log.Warn("not told what was read back", "plan", one.Plan, "err", failed)
		return errors.Is(failed, errNotOurs)
	}
	if err != nil {
		a.log.Warn("not read back", "plan", one.Plan, "err", err)
		return false
	}
	a.log.Info("read back what was moved to the share", "plan", one.Plan, "files", last.Reading.Files, "state", state)
	if last.Unsaid != "" {
		a.log.Debug("the word on it is not on the share", "plan", one.Plan, "err", last.Unsaid)
	}
	return true
}

const migrationMarkSQL = `SELECT coterie.migration_mark($1, $2, $3, $4, $5, $6, $7, $8)`

func (a *agent) tellMark(ctx context.Context, incarnation int64, one claim, state string, m migrate.Mark, message string) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Database.StatementTimeout)
	defer cancel()
	conn, err := a.work.Connx(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var ours bool
	done := []int64{m.Reading.Files, max(m.Reading.Bytes, m.Moved)}
	if err := conn.GetContext(ctx, &ours, migrationMarkSQL, a.cfg.Node.Name, incarnation, one.Plan, one.Manifest, state, string(text), pq.Array(done), message); err != nil {
		return err
	}
	if !ours {
		return errNotOurs
	}
	return nil
}
