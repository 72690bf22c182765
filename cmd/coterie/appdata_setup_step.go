package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coterie-ha/coterie/appdata/migrate"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

// Who does a step is heard of every stepBeat, and believes no longer than stepTrust after
// it last was that the step is its own; others take it after stepSilence (which
// app_step_begin knows as well).
const (
	stepBeat    = 2 * time.Second
	stepTrust   = 9 * time.Second
	stepSilence = 12 * time.Second
	stepEnd     = 10 * time.Second // to say how it ended, also when it was stopped
)

const (
	stepBeginSQL = `SELECT coalesce(coterie.app_step_begin($1, $2, $3, $4, $5, $6, $7), 0)`
	stepBeatSQL  = `SELECT coterie.app_step_beat($1, $2, $3)`
	stepEndSQL   = `SELECT coterie.app_step_end($1, $2, $3, $4, $5, $6, $7)`
)

var (
	errStepLost    = errors.New("nothing was heard of this process for a while, and another may have taken the step")
	errStepStopped = errors.New("it was stopped before it was done")
)

// doStep begins a step as it was seen, does it, and says how it ended. That somebody else
// was quicker is no error: how it is will be read again.
func (c *cli) doStep(ctx context.Context, v *settingUp, row setupRow) error {
	step := v.step(row.Step)
	var token int64
	begun := time.Now()
	if err := v.k.command(ctx, &token, stepBeginSQL, v.plan.Name, v.plan.digest(), row.Step, row.Node, row.Token, row.Beats, caller()); err != nil {
		return err
	}
	if token == 0 {
		return pause(ctx, lookEvery)
	}
	c.say("%s: %s", step.Name, step.verb())
	mine, out := begunStep{row.Step, token, begun}, stepOutcome{said: v.reason}
	if step.ByHand == "" {
		out = c.mindedStep(ctx, v, step, mine)
	}
	return c.endStep(ctx, v, mine, out)
}

// begunStep is a step that this process has begun.
type begunStep struct {
	step  string
	token int64
	begun time.Time // before it was asked for
}

// stepOutcome is how a step ended.
type stepOutcome struct {
	made, said string
	err        error
}

// mindedStep does a step while it is told that this process is there, and stops when that
// is not heard.
func (c *cli) mindedStep(ctx context.Context, v *settingUp, step *setupStep, mine begunStep) (out stepOutcome) {
	inside, cancel := context.WithCancelCause(ctx)
	var loop sync.WaitGroup
	loop.Go(func() { cancel(v.beat(inside, mine)) })
	out = c.perform(inside, v, step)
	if out.err != nil && errors.Is(context.Cause(inside), errStepLost) {
		out.err = errStepLost
	}
	cancel(nil)
	loop.Wait()
	return out
}

// beat says again and again that this process is there; errStepLost when it was not heard.
func (v *settingUp) beat(ctx context.Context, mine begunStep) error {
	tick := time.NewTicker(stepBeat)
	defer tick.Stop()
	trusted := mine.begun.Add(stepTrust)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		begun := time.Now()
		heard := false
		asking, cancel := context.WithDeadline(ctx, trusted)
		err := v.k.command(asking, &heard, stepBeatSQL, v.plan.Name, mine.step, mine.token)
		cancel()
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil && !heard, time.Now().After(trusted):
			return errStepLost
		case err == nil:
			trusted = begun.Add(stepTrust)
		}
	}
}

// perform calls the command of a step, in this process.
func (c *cli) perform(ctx context.Context, v *settingUp, step *setupStep) (out stepOutcome) {
	args := slices.Concat(v.passed, []string{"--output=json", "--yes", "--no-input"}, step.Run)
	if step.Of != "" {
		rows, err := v.rows(ctx)
		if err != nil {
			return stepOutcome{err: err}
		}
		made := ""
		for _, row := range rows {
			if row.Step == step.Of {
				made = row.Made
			}
		}
		if made == "" { // any bundle would do then
			return stepOutcome{err: problem.New("COT-375", nil, "step %s has not told which bundle it made", step.Of)}
		}
		args = append(args, "--digest="+made)
	}
	var result bytes.Buffer
	inner := &cli{in: strings.NewReader(""), out: &result, err: c.err}
	root := inner.root()
	root.SetArgs(args)
	out.err = root.ExecuteContext(ctx)
	c.detail("%s", table.Safe(result.String()))
	var told struct{ Digest, Bundle string } // of coterie.bundle_export and its like
	if err := json.NewDecoder(&result).Decode(&told); err == nil {
		out.made = told.Digest + told.Bundle
	}
	if out.err == nil {
		return out
	}
	if p := asProblem(out.err); slices.Contains(step.Accept, p.Code) {
		out.err, out.said = nil, p.Error()
	}
	return out
}

// endStep says how a step ended, also when this command was stopped; a failure is its own.
func (c *cli) endStep(ctx context.Context, v *settingUp, mine begunStep, out stepOutcome) error {
	var failed *problem.Problem
	if out.err != nil {
		cause := out.err
		if ctx.Err() != nil {
			cause = errStepStopped
		} else if !errors.Is(cause, errStepLost) {
			cause = asProblem(cause)
		}
		failed = problem.New("COT-325", cause, "step %s of %s", mine.step, v.plan.Name)
		if p, ok := errors.AsType[*problem.Problem](cause); ok {
			failed.Remedy = p.Remedy + "; then the same command again"
		}
		out.said, out.made = cause.Error(), ""
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepEnd)
	defer cancel()
	ended := false
	said := migrate.WithoutSecrets(table.Safe(out.said))
	if err := v.k.command(ending, &ended, stepEndSQL, v.plan.Name, mine.step, mine.token, out.err == nil, out.made, said, caller()); err != nil {
		return fmt.Errorf("say how step %s ended: %w", mine.step, err)
	}
	if failed != nil {
		return failed
	}
	if !ended {
		return problem.New("COT-325", errStepLost, "step %s of %s", mine.step, v.plan.Name)
	}
	return nil
}
