package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/coordinator/manifest"
	"github.com/coterie-ha/coterie/internal/config"
)

// equalOf is what the configuration says of files that must be equal on all nodes.
func equalOf(c config.Equal) (appdata.Equal, error) {
	q := appdata.Equal{Paths: c.Paths, Ignore: c.Ignore, Secret: c.Secret}
	for _, of := range []struct {
		kind  string
		rules []string
	}{{"xml", c.XML}, {"property", c.Properties}, {"line", c.Lines}} {
		for _, text := range of.rules {
			m, err := appdata.ParseMerge(of.kind, text)
			if err != nil {
				return q, fmt.Errorf("equal: %w", err)
			}
			q.Merge = append(q.Merge, m)
		}
	}
	return q, q.Check()
}

// own looks at files that this node has of its own and that must be as on the
// others, and tells what others want to see of them.
func (a *agent) own(ctx context.Context) error {
	if a.cfg.Equal.Root == "" {
		return a.forgetOwn(ctx)
	}
	equal, err := equalOf(a.cfg.Equal)
	if err != nil {
		return err
	}
	changed := make(chan struct{}, 1)
	loops, ctx := errgroup.WithContext(ctx)
	loops.Go(func() error { return a.lookAtOwn(ctx, equal, changed) })
	loops.Go(func() error { return a.watchOwn(ctx, equal, changed) })
	loops.Go(func() error { return a.answerOwn(ctx, equal, changed) })
	return loops.Wait()
}

// forgetOwn tells once that there is nothing of this node to be compared.
func (a *agent) forgetOwn(ctx context.Context) error {
	for {
		if incarnation := a.session.Load().View().Incarnation; incarnation != 0 {
			err := manifest.Store{DB: a.work, Node: a.cfg.Node.Name}.ForgetOwn(ctx, incarnation)
			if err == nil {
				<-ctx.Done()
				return context.Cause(ctx)
			}
			a.log.Debug("own files not forgotten yet", "err", err)
		}
		if err := pause(ctx, 5*time.Second); err != nil {
			return err
		}
	}
}

// lookAtOwn scans, every so often and when something has changed.
func (a *agent) lookAtOwn(ctx context.Context, equal appdata.Equal, changed <-chan struct{}) error {
	const rest = time.Second // between two scans, whatever changes
	s := manifest.OwnSurvey{
		Store: manifest.Store{DB: a.work, Node: a.cfg.Node.Name}, Scan: a.share.Own,
		Own: appdata.Own{Root: a.cfg.Equal.Root, Equal: equal, Names: a.cfg.Equal.Names, Bytes: int64(a.cfg.Equal.MiB) << 20},
	}
	said := ""
	for {
		wait := rest
		if incarnation := a.session.Load().View().Incarnation; incarnation != 0 {
			found, err := s.Run(ctx)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err == nil && (found.First || found.Changes > 0) {
				a.log.Info("own files", "root", a.cfg.Equal.Root, "names", found.Names, "changes", found.Changes, "took", found.Took)
			}
			if text := fmt.Sprint(err); err != nil && text != said {
				a.log.Warn("own files cannot be looked at", "err", err)
			}
			said = fmt.Sprint(err)
			if err := s.See(ctx, incarnation, a.cfg.Equal.Every, err); err != nil && ctx.Err() == nil {
				a.log.Debug("not told what is known of own files", "err", err)
			}
			poke(a.drifted)
			if err := pause(ctx, rest); err != nil {
				return err
			}
			wait = a.cfg.Equal.Every - rest
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		case <-changed:
			timer.Stop()
		}
	}
}

// watchOwn has them looked at when this host's kernel tells of a change. What a watch
// misses is found when their time comes.
func (a *agent) watchOwn(ctx context.Context, equal appdata.Equal, changed chan struct{}) error {
	for a.cfg.Equal.Watch {
		err := a.share.WatchOwn(ctx, a.cfg.Equal.Root, equal, func(d appdata.Dirty) error {
			if d.Ready || d.Lost != "" || len(d.Folders) > 0 {
				poke(changed)
			}
			return nil
		})
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		a.log.Debug("the watch of own files ended; beginning another", "err", err)
		if err := pause(ctx, 5*time.Second); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// answerOwn tells what others want of this node's files.
func (a *agent) answerOwn(ctx context.Context, equal appdata.Equal, changed chan struct{}) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-a.drifted:
		}
		incarnation := a.session.Load().View().Incarnation
		if incarnation == 0 {
			continue
		}
		if err := a.tellTexts(ctx, equal, incarnation); err != nil && ctx.Err() == nil {
			a.log.Debug("texts of own files not told", "err", err)
		}
		wrote, err := a.moveTakes(ctx, equal, incarnation)
		if err != nil && ctx.Err() == nil {
			a.log.Warn("files not brought from node to node", "err", err)
		}
		if wrote {
			poke(changed)
		}
	}
}

// tellTexts tells the texts of files that differ, for who compares them.
func (a *agent) tellTexts(ctx context.Context, equal appdata.Equal, incarnation int64) error {
	store := manifest.Store{DB: a.work, Node: a.cfg.Node.Name}
	wanted, err := store.TextsWanted(ctx)
	if err != nil {
		return err
	}
	for _, w := range wanted {
		read, err := a.share.Text(ctx, appdata.OwnText{Root: a.cfg.Equal.Root, Equal: equal, Path: w.Path})
		if err != nil {
			a.log.Debug("text not read", "path", w.Path, "err", err)
			continue
		}
		if read.Body != nil && read.Digest != w.Digest {
			continue // it has changed since, and is looked at again
		}
		if err := store.PutText(ctx, incarnation, w, read.Body); err != nil {
			return err
		}
	}
	return nil
}
