package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coterie-ha/coterie/coordinator/vouch"
	"github.com/coterie-ha/coterie/keystore"
	"github.com/coterie-ha/coterie/keystore/rollout"
	"github.com/coterie-ha/coterie/keystore/trust"
)

// How the servers of others are called: with twenty nodes a round takes a second, and
// if all of them hang, half a minute; it is nobody's but this loop's.
const (
	callTimeout = 5 * time.Second
	callAtOnce  = 4
	callEvery   = 50 * time.Millisecond
	callRest    = time.Second // after a round
)

// call calls the servers of all nodes now and then, and when whom to trust moved.
func (t *trustee) call(ctx context.Context) error {
	every := time.NewTicker(t.cfg.Trust.TestEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.due:
		case <-every.C:
		}
		to, life := t.target.Load(), t.session.Load().View().Incarnation
		if to == nil || life == 0 || len(to.peers) == 0 {
			continue
		}
		calls := t.callAll(ctx, to.peers)
		if calls == nil {
			continue // the agent ends
		}
		t.called(calls)
		if err := t.tested(ctx, life, to.version, calls); err != nil && ctx.Err() == nil {
			t.log.Debug("calls not reported", "err", err)
		}
		if err := pause(ctx, callRest); err != nil {
			return err
		}
	}
}

func (t *trustee) callAll(ctx context.Context, peers []trust.Peer) []trust.Call {
	roots, err := t.files.Roots()
	if err == nil {
		return trust.Caller{Roots: roots, Timeout: callTimeout, AtOnce: callAtOnce, Every: callEvery}.Round(ctx, peers)
	}
	var calls []trust.Call
	for _, p := range peers {
		calls = append(calls, trust.Call{Node: p.Node, Result: trust.NoStore, Detail: err.Error()})
	}
	return calls
}

// called has metrics tell what came of the calls.
func (t *trustee) called(calls []trust.Call) {
	ok := map[string]bool{}
	for _, c := range calls {
		ok[c.Node] = c.Result == trust.OK
	}
	t.know(func(k *memory) { k.trust.Called = ok })
}

func (t *trustee) tested(ctx context.Context, life, version int64, calls []trust.Call) error {
	ctx, cancel := t.budget(ctx)
	defer cancel()
	_, err := t.self(life).Tested(ctx, version, calls)
	return err
}

// announce has the others trust a certificate that the server here may show soon.
func (a *agent) announce(version int64, e keystore.Entry) {
	if a.cfg.Trust.Address == "" || len(e.Chain) == 0 {
		return
	}
	a.announces(announced{version, e.Chain[0].DER})
}

// unannounce takes back what no server here will show after all.
func (a *agent) unannounce(v rollout.View) {
	if was := a.knows().announced; was.version != 0 && !v.Expects(was.version) {
		a.announces(announced{})
	}
}

func (a *agent) announces(now announced) {
	news := false
	a.know(func(k *memory) {
		news = string(k.announced.certificate) != string(now.certificate)
		k.announced = now
	})
	if news {
		poke(a.vouched)
	}
}

// oneReload has a server reloaded once at a time: for its keystore, or for whom it
// trusts.
func (a *agent) oneReload(reload func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case a.reloads <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		defer func() { <-a.reloads }()
		return reload(ctx)
	}
}

// errUntrusted means that others would refuse what a server is about to show.
var errUntrusted = errors.New("not all nodes trust the new certificate yet")

// awaitTrust waits until every living node trusts a certificate of this one, so that
// no connection fails because it is shown too early.
func (a *agent) awaitTrust(ctx context.Context, fingerprint string) error {
	if a.cfg.Trust.Address == "" || a.knows().untrusted != "" {
		return nil // nobody calls it, or nobody trusts it yet anyway
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Keystore.Patience/2)
	defer cancel()
	last := ""
	for {
		who, err := vouch.Unknowing(ctx, a.work, a.cfg.Node.Name, fingerprint)
		switch {
		case err == nil && who == "":
			return nil
		case err == nil:
			last = who
		case ctx.Err() == nil || last == "": // that the time was over in the midst of asking tells nobody anything
			last = err.Error()
		}
		if pause(ctx, 50*time.Millisecond) != nil {
			return fmt.Errorf("%w: %s", errUntrusted, last)
		}
	}
}
