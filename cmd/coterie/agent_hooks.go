package main

import (
	"context"
	"time"

	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/jobs"
)

// newHooks are those of this node's configuration that are for runs.
func (a *agent) newHooks() []jobs.Hook {
	var hooks []jobs.Hook
	for _, c := range a.cfg.Hooks {
		if len(c.Files) == 0 {
			hooks = append(hooks, a.hook(c))
		}
	}
	return hooks
}

func (a *agent) hook(c config.Hook) jobs.Hook {
	h := jobs.Hook{Name: c.Name, On: c.On, Jobs: c.Jobs, Timeout: c.Timeout}
	if c.HTTP != nil {
		h.Action = request(*c.HTTP)
	} else {
		h.Action = jobs.Exec{Argv: c.Command, User: c.User, Env: c.Env, Dir: a.cfg.Node.StateDir, Spawn: a.spawn}
	}
	return h
}

// noticeEvery is how often a node with hooks looks for what others could not tell.
const noticeEvery = 30 * time.Second

// notify has hooks tell what became of runs, when something became of them.
func (a *agent) notify(ctx context.Context) error {
	hooks := a.newHooks()
	if len(hooks) == 0 {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	tick := time.NewTicker(noticeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-a.noticed:
		case <-tick.C:
		}
		if v := a.session.Load().View(); v.Incarnation != 0 {
			if err := a.runner.Notify(ctx, v.Incarnation, hooks); err != nil && ctx.Err() == nil {
				a.log.Debug("hooks did not tell", "err", err)
			}
		}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
}
