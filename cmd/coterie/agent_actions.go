package main

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/jobs"
	"github.com/coterie-ha/coterie/sql/schema"
)

// newRunner gives the runner what this node's configuration lets jobs do.
func (a *agent) newRunner() (*jobs.Runner, error) {
	r := &jobs.Runner{
		DB: a.work, Node: a.cfg.Node.Name, Tags: a.cfg.Node.Tags, Most: a.cfg.Node.MaxRuns, Log: a.log, Actions: map[string]jobs.Action{},
		Now: func() time.Time { return a.session.Load().Clock.Now() },
		Told: jobs.Told{
			Began:   a.metrics.RunBegan,
			Ended:   func(job string, o jobs.Outcome, took time.Duration) { a.metrics.RunEnded(job, string(o), took) },
			NotRun:  func(job string, o jobs.Outcome, slots int64) { a.metrics.NotRun(job, string(o), slots) },
			Refused: a.metrics.Fenced,
		},
	}
	r.Actions[jobs.PruneAction] = jobs.Func(r.Prune)
	maps.Copy(r.Actions, a.builtins())
	for _, c := range a.cfg.Actions {
		action, err := a.action(c)
		if err != nil {
			return nil, fmt.Errorf("action %s: %w", c.Name, err)
		}
		r.Actions[c.Name] = action
	}
	return r, nil
}

func (a *agent) action(c config.Action) (jobs.Action, error) {
	takes, err := params(c.Params)
	if err != nil {
		return nil, err
	}
	switch {
	case c.HTTP != nil:
		h := request(*c.HTTP)
		h.Takes = takes
		return h, nil
	case c.SQL != nil:
		return jobs.SQL{Open: a.openForRun, Statement: c.SQL.Statement, Role: c.SQL.Role, Takes: takes}, nil
	}
	const mib = 1 << 20
	return jobs.Exec{
		Argv: c.Command, Dir: c.Dir, User: c.User, Env: c.Env, Takes: takes, SHA256: c.SHA256, Spawn: a.spawn,
		Limits: jobs.Limits{
			OpenFiles: uint64(c.Limits.OpenFiles), Processes: uint64(c.Limits.Processes), CPU: c.Limits.CPU,
			FileBytes: uint64(c.Limits.FileMB) * mib, MemoryBytes: uint64(c.Limits.MemoryMB) * mib,
		},
	}, nil
}

// openForRun gives the statement of one run connections of its own. A network
// that swallows everything must not keep the run alive when its time is over.
func (a *agent) openForRun(ctx context.Context) (*sqlx.DB, error) {
	o := a.options("statement", 1)
	o.Budget = statementBudget
	var dialer net.Dialer
	o.Dial = func(dialing context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(dialing, network, address)
		if err == nil {
			context.AfterFunc(ctx, func() { time.AfterFunc(stopGrace, func() { conn.Close() }) })
		}
		return conn, err
	}
	return schema.Open(ctx, o)
}

// statementBudget is no limit that anybody meets: the timeout of the job is.
const statementBudget = 30 * 24 * time.Hour

func request(c config.Request) jobs.HTTP {
	return jobs.HTTP{
		Method: c.Method, URL: c.URL, Header: header(c.Headers), Body: c.Body, Expect: c.Expect, Timeout: c.Timeout,
		Success: c.Success, Failure: c.Failure, Progress: c.Progress, Message: c.Message, Poll: c.Poll,
	}
}

// params are what an action takes. The configuration has checked them.
func params(texts []string) ([]jobs.Param, error) {
	var takes []jobs.Param
	for _, text := range texts {
		p, err := config.ParseParam(text)
		if err != nil {
			return nil, err
		}
		takes = append(takes, jobs.Param{
			Name: p.Name, Type: jobs.ParamType(p.Type), Min: p.Min, Max: p.Max, Words: p.Words,
			Pattern: p.Pattern, Default: p.Default, Optional: p.Optional,
		})
	}
	return takes, nil
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
