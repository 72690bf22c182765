package main

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/appdata/worker"
	"github.com/coterie-ha/coterie/coordinator/manifest"
	"github.com/coterie-ha/coterie/leases"
)

// watchShare tells the journal what this host changes in the share, and what anybody
// changes in a critical part of it, when the configuration wants that. The watch lives while the share can be used; what it
// may have missed a scan is asked to find.
func (a *agent) watchShare(ctx context.Context) error {
	if !a.cfg.AppData.Watch && len(a.cfg.AppData.Critical) == 0 {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return a.keepWatching(ctx, worker.Of{Layout: a.cfg.AppData.Layout, Events: a.cfg.AppData.Watch, Critical: a.cfg.AppData.Critical})
}

// listenShare tells the journal of what the share's file server says that anybody changed,
// for as long as this node has the lease for that.
func (a *agent) listenShare(ctx context.Context, _ leases.Grant) error {
	a.log.Info("listening to the share's file server")
	return a.keepWatching(ctx, worker.Of{Layout: a.cfg.AppData.Layout, Listen: true})
}

// keepWatching begins a watch anew when it ends.
func (a *agent) keepWatching(ctx context.Context, of worker.Of) error {
	for again := false; ; again = true {
		if err := a.awaitShare(ctx); err != nil {
			return err
		}
		err := a.watchOnce(ctx, of, again)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		a.log.Warn("the watch of the share ended; beginning another", "err", err)
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
}

// awaitShare waits until the share is proved, and was scanned once: before that
// there is nothing from which it could differ.
func (a *agent) awaitShare(ctx context.Context) error {
	for {
		if k := a.knows(); k.share.Usable() && k.proof.Proved && a.session.Load().View().Incarnation != 0 {
			asking, cancel := context.WithTimeout(ctx, a.cfg.Database.StatementTimeout)
			known, err := manifest.Store{DB: a.work, Node: a.cfg.Node.Name}.Known(asking)
			cancel()
			if err == nil && known {
				return nil
			}
		}
		if err := pause(ctx, 5*time.Second); err != nil {
			return err
		}
	}
}

var errShareLost = errors.New("the share cannot be used")

// watchOnce is one watch, from its beginning to the end of the worker or the share.
func (a *agent) watchOnce(ctx context.Context, of worker.Of, again bool) error {
	loops, inside := errgroup.WithContext(ctx)
	told := make(chan appdata.Dirty, 64) // while the database is slow, events gather in the worker
	loops.Go(func() error {
		return a.share.Watch(inside, a.shareNow(), of, func(d appdata.Dirty) error {
			select {
			case told <- d:
				return nil
			case <-inside.Done():
				return context.Cause(inside)
			}
		})
	})
	loops.Go(func() error { return a.tellChanges(inside, told, again) })
	loops.Go(func() error {
		for a.knows().share.Usable() {
			if err := pause(inside, time.Second); err != nil {
				return err
			}
		}
		return errShareLost
	})
	return loops.Wait()
}

// shareNow is the share, as it must be for anything in it to be believed.
func (a *agent) shareNow() appdata.Share {
	return a.member.Claim(appdata.Share{Path: a.cfg.AppData.Path, Cluster: a.cfg.Cluster, ID: a.cluster, Node: a.cfg.Node.Name})
}

func (a *agent) teller() manifest.Teller {
	return manifest.Teller{
		Store:       manifest.Store{DB: a.work, Node: a.cfg.Node.Name},
		Incarnation: a.session.Load().View().Incarnation, Layout: a.cfg.AppData.Layout, Look: a.share.Look,
	}
}

// tellChanges writes into the journal what the watch names. What could not be
// written, a scan is to find.
func (a *agent) tellChanges(ctx context.Context, told <-chan appdata.Dirty, again bool) error {
	doubt := ""
	if again {
		doubt = "the watch began anew"
	}
	for {
		var d appdata.Dirty
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case d = <-told:
		}
		if d.Ready {
			a.log.Info("watching the share", "folders", d.Watched)
		}
		if d.Deaf != "" {
			a.log.Warn("nobody tells of what other hosts change in the share; scans find it", "why", d.Deaf)
		}
		if d.Lost != "" {
			doubt = d.Lost
		}
		if len(d.Folders) > 0 {
			if _, err := a.teller().Tell(ctx, a.shareNow(), d); err != nil && ctx.Err() == nil {
				a.log.Warn("changes of the share are left to a scan", "folders", len(d.Folders), "err", err)
				doubt = err.Error()
			}
		}
		if doubt == "" {
			continue
		}
		if err := a.teller().Doubt(ctx, doubt); err != nil {
			if ctx.Err() == nil {
				a.log.Warn("no scan was asked for yet", "err", err) // with the next change
			}
			continue
		}
		doubt = ""
	}
}
