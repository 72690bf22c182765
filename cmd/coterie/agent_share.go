package main

import (
	"context"
	"time"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/coordinator"
	"github.com/coterie-ha/coterie/coordinator/attest"
	"github.com/coterie-ha/coterie/leases"
)

// prober looks at the share through expendable workers.
func (a *agent) prober() appdata.Prober {
	hurry := haste{poke: func() { poke(a.looks) }}
	return appdata.Prober{
		Share: func() appdata.Share {
			s := appdata.Share{
				Path: a.cfg.AppData.Path, Cluster: a.cfg.Cluster, ID: a.cluster, Node: a.cfg.Node.Name,
				FSTypes: a.cfg.AppData.ExpectMount, Token: int64(a.mark()), Files: a.watched(),
			}
			if !a.knows().admitted {
				return s // a copy of this installation may be at work, and have its word there
			}
			return a.member.Ask(s)
		},
		Probe: func(ctx context.Context, s appdata.Share) (appdata.Condition, error) {
			c, v, err := a.probe(ctx, s)
			hurry.next(v.Hurry)
			if v.Asks {
				poke(a.told)
			}
			return c, err
		},
		Touch: func(ctx context.Context) (string, *appdata.Condition, error) {
			begun := time.Now()
			place, hung, err := a.share.Touch(ctx, appdata.Share{Path: a.cfg.AppData.Path})
			if hung != nil {
				a.found(ctx, begun, hung)
			}
			return place, hung, err
		},
		Every: a.cfg.AppData.CheckEvery,
		Soon:  a.looks,
	}
}

// probe looks at the share, and takes in what other nodes remember there before
// anybody can hear that the share is proved, and let this node take leases.
func (a *agent) probe(ctx context.Context, s appdata.Share) (appdata.Condition, attest.Verdict, error) {
	begun := time.Now()
	c, err := a.share.Probe(ctx, s)
	if err != nil {
		return c, attest.Verdict{}, err
	}
	return c, a.found(ctx, begun, &c), nil
}

// found takes in what a look found that began at some time.
func (a *agent) found(ctx context.Context, begun time.Time, c *appdata.Condition) attest.Verdict {
	a.sawContents(begun, c.Contents)
	if leases.Token(c.Token) > a.mark() {
		a.know(func(k *memory) { k.mark = max(k.mark, leases.Token(c.Token)) })
		a.session.Load().Learn(leases.Token(c.Token))
	}
	// The share is looked at in time also when the database is not there.
	asking, cancel := context.WithTimeout(ctx, min(time.Second, a.cfg.Database.StatementTimeout))
	defer cancel()
	v, err := a.member.Saw(asking, a.session.Load().View().Incarnation, a.wasReady(), begun, c)
	if err != nil {
		a.log.Debug("the share is not proved with the others", "err", err)
	}
	if was := v; !was.Proved && was.State == appdata.OK && c.Words != nil && c.Usable() {
		// What was learned meanwhile counts, where the share has no troubles of its own.
		if v = a.member.Verdict(a.session.Load().View().Incarnation, time.Now()); !v.Proved {
			v = was
		}
	}
	var was attest.Verdict
	a.know(func(k *memory) { was, k.proof = k.proof, v })
	if was != v || !v.Proved {
		poke(a.facts)
	}
	return v
}

// wasReady says whether this process has proved the share with the others before.
func (a *agent) wasReady() bool { return a.knows().state != coordinator.Joining }

// circle hears of nodes that wait to be seen, whenever the ledger moved: apart from
// what follow reads, which may take long, and is waited for by nobody.
func (a *agent) circle(ctx context.Context) error {
	var wait time.Duration
	asking := haste{poke: func() { poke(a.told) }}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-a.told:
		}
		learning, cancel := context.WithTimeout(ctx, a.cfg.Database.StatementTimeout)
		fresh, err := a.member.Learn(learning, a.session.Load().View().Incarnation, a.wasReady())
		cancel()
		switch {
		case err != nil && ctx.Err() == nil:
			a.log.Debug("not heard of other nodes", "err", err)
			poke(a.told)
		case fresh:
			poke(a.looks)
			wait = 0 // who comes in company is not to wait for the next
		}
		again := a.reconsider()
		if asking.next(again); again && asking.wait > asksAlone {
			poke(a.looks)
		}
		wait = min(max(2*wait, 10*time.Millisecond), 100*time.Millisecond)
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// asksAlone is how seldom a node asks only whether the others have seen it. Less often
// than that it looks as well: one of them may wait for something new from it.
const asksAlone = 200 * time.Millisecond

// reconsider takes in what the others say that they see, and reports whether to ask
// again soon.
func (a *agent) reconsider() (again bool) {
	k := a.knows()
	if !k.share.Usable() || k.proof.Proved {
		return false // what is proved is doubted only after a look
	}
	v := a.member.Verdict(a.session.Load().View().Incarnation, time.Now())
	if v.Proved {
		a.know(func(k *memory) { k.proof = v })
		poke(a.facts)
	}
	return v.Asks && !v.Hurry
}

// haste is how soon a node looks again while it waits for others: less and less.
type haste struct {
	poke func()
	wait time.Duration
}

func (h *haste) next(hurry bool) {
	if !hurry {
		h.wait = 0
		return
	}
	h.wait = min(h.wait+25*time.Millisecond, time.Second)
	time.AfterFunc(h.wait, h.poke)
}

// sawShare takes in what a probe found.
func (a *agent) sawShare(ctx context.Context, c appdata.Condition) error {
	var was appdata.Condition
	a.know(func(k *memory) { was, k.share, k.looked = k.share, c, true })
	poke(a.facts)
	if c.Usable() != was.Usable() {
		poke(a.lent) // duties
	}
	if c.State != appdata.OK && (c.State != was.State || c.Reason != was.Reason) { // it may be seen again until the database hears of it
		a.log.Warn("share", "state", c.State, "reason", c.Reason)
	}
	return a.reportShare(ctx, c)
}
