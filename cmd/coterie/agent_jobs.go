package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/coterie-ha/coterie/coordinator/supervisor"
	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/jobs"
)

// newRunner gives the runner what this node's configuration lets jobs do.
func (a *agent) newRunner() *jobs.Runner {
	r := &jobs.Runner{
		DB: a.work, Node: a.cfg.Node.Name, Log: a.log, Actions: map[string]jobs.Action{},
		Now: func() time.Time { return a.session.Load().Clock.Now() },
	}
	for _, action := range a.cfg.Actions {
		r.Actions[action.Name] = a.action(action)
	}
	return r
}

func (a *agent) action(c config.Action) jobs.Action {
	if c.HTTP != nil {
		return jobs.HTTP{Method: c.HTTP.Method, URL: c.HTTP.URL, Header: header(c.HTTP.Headers), Body: c.HTTP.Body, Expect: c.HTTP.Expect}
	}
	return jobs.Exec{Argv: c.Command, Dir: c.Dir, User: c.User, Env: c.Env, Spawn: a.spawn}
}

// header splits "Name: value" lines, which the configuration has checked.
func header(lines []string) http.Header {
	h := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return h
}

// stopGrace is how long a program has between TERM and KILL when its run must end.
const stopGrace = time.Second / 2

// spawn runs a program below the supervisor. When ctx ends the whole tree is
// asked to stop, and killed after a grace; spawn returns when nothing of it is left.
func (a *agent) spawn(ctx context.Context, c jobs.Command) (jobs.Exit, error) {
	// Stopping what runs must outlive the authority to run it.
	beyond := context.WithoutCancel(ctx)
	p, err := a.supervisor.Start(ctx, supervisor.Command{
		ID: c.ID, Argv: c.Argv, Dir: c.Dir, User: c.User, Env: c.Env, Output: c.Output,
	})
	if err != nil {
		return jobs.Exit{}, err
	}
	ended := make(chan struct{})
	defer close(ended)
	go a.stopWith(ctx, p, ended)
	for {
		exit, err := p.Wait(beyond)
		if stuck := new(supervisor.StuckError); errors.As(err, &stuck) {
			a.log.Error("a run cannot be killed; it is not over", "run", c.ID, "err", err)
			continue
		}
		if err != nil {
			return jobs.Exit{}, fmt.Errorf("run %s: %w", c.ID, err)
		}
		return exitOf(exit), nil
	}
}

// stopWith ends a program when ctx ends, unless it has ended before.
func (a *agent) stopWith(ctx context.Context, p *supervisor.Process, ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		a.log.Warn("cannot ask a run to stop", "err", err)
	}
	timer := time.NewTimer(stopGrace)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		if err := p.Signal(syscall.SIGKILL); err != nil {
			a.log.Warn("cannot kill a run", "err", err)
		}
	}
}

func exitOf(e supervisor.Exit) jobs.Exit {
	exit := jobs.Exit{Code: e.Code}
	if e.Signal != 0 {
		exit.Signal = e.Signal.String()
	}
	return exit
}

// will is what the supervisor says when this process is dead: it ends exactly
// this session.
func (a *agent) will(incarnation int64) []string {
	return []string{"/proc/self/exe", "-c", a.cfg.File(), "release",
		"--session", a.cfg.Node.Name + "/" + strconv.FormatInt(incarnation, 10)}
}
