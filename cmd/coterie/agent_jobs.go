package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/coterie-ha/coterie/coordinator/supervisor"
	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/jobs"
)

// newRunner gives the runner what this node's configuration lets jobs do.
func (a *agent) newRunner() *jobs.Runner {
	r := &jobs.Runner{
		DB: a.work, Node: a.cfg.Node.Name, Tags: a.cfg.Node.Tags, Log: a.log, Actions: map[string]jobs.Action{},
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

// spawn runs a job's program below the supervisor.
func (a *agent) spawn(ctx context.Context, c jobs.Command) (jobs.Exit, error) {
	return runTree(ctx, a.supervisor, supervisor.Command{
		ID: c.ID, Argv: c.Argv, Dir: c.Dir, User: c.User, Env: c.Env, Output: c.Output,
	}, func(err error) { a.log.Error("run", "run", c.ID, "err", err) })
}

// runTree runs a program as a tree of its own. When ctx ends the tree is asked
// to stop, and killed after a grace; runTree returns when nothing of it is left.
func runTree(ctx context.Context, line *supervisor.Client, c supervisor.Command, trouble func(error)) (jobs.Exit, error) {
	p, err := line.Start(ctx, c)
	if err != nil {
		return jobs.Exit{}, err
	}
	ended := make(chan struct{})
	var stopping sync.WaitGroup
	stopping.Go(func() { stopWith(ctx, p, ended, trouble) })
	defer stopping.Wait()
	defer close(ended)
	for {
		// Stopping what runs must outlive the authority to run it.
		exit, err := p.Wait(context.WithoutCancel(ctx))
		_, stuck := errors.AsType[*supervisor.StuckError](err)
		if lost := errors.Is(err, supervisor.ErrGone) || errors.Is(err, supervisor.ErrSilent); stuck && !lost {
			trouble(err) // it lives on: its run is not over
			if perr := pause(context.WithoutCancel(ctx), time.Second); perr != nil {
				return jobs.Exit{}, perr
			}
			continue
		}
		if err != nil {
			return jobs.Exit{}, fmt.Errorf("run %s: %w", c.ID, err)
		}
		return exitOf(exit), nil
	}
}

// stopWith ends a program when ctx ends, unless it has ended before.
func stopWith(ctx context.Context, p *supervisor.Process, ended <-chan struct{}, trouble func(error)) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		trouble(err)
	}
	timer := time.NewTimer(stopGrace)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		if err := p.Signal(syscall.SIGKILL); err != nil {
			trouble(err)
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
