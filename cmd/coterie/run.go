package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/jobs"
)

// wish is a run that somebody asks for.
type wish struct {
	job, reason string
	wait        bool
	deadline    time.Duration
	due         time.Time // which run it is
	words       []string  // parameters, as they were typed
}

func (c *cli) runCommand() *cobra.Command {
	var w wish
	cmd := &cobra.Command{
		Use:   "run JOB",
		Short: "Ask for one run of a job now",
		Long: `Ask for one run of a job now. It is a run like any other: one node has it, it is
fenced, and it does not overlap another run of the job. To stop waiting (Ctrl-C)
does not stop the run.`,
		Example: `  coterie run audit-purge
  coterie run audit-purge --wait -m "disk is full"
  coterie run audit-purge --wait --deadline 5m
  coterie run audit-purge --param days=30`,
		Args:              one("JOB"),
		ValidArgsFunction: c.completeNames("jobs"),
		RunE: func(cmd *cobra.Command, args []string) error {
			w.job = args[0]
			ctx := cmd.Context()
			k, err := c.open(ctx, cmd)
			if err != nil {
				return err
			}
			defer k.db.Close()
			return c.ask(ctx, k, w)
		},
	}
	reasonFlag(cmd, &w.reason)
	cmd.Flags().StringArrayVar(&w.words, "param", nil, "hand this `NAME=VALUE` to the action; may be repeated")
	cmd.Flags().BoolVar(&w.wait, "wait", false, "wait until the run has ended; its outcome is the exit code")
	cmd.Flags().DurationVar(&w.deadline, "deadline", 0, "with --wait: how long (default: as long as it takes)")
	return cmd
}

func (c *cli) ask(ctx context.Context, k *cluster, w wish) error {
	job, err := k.rows(ctx, "jobs", "WHERE v.name = $1", w.job)
	if err != nil {
		return err
	}
	if job.Len() == 0 {
		return k.none(ctx, "COT-510", "jobs", "job", w.job)
	}
	params, err := k.checkedParams(w, job.Row(0).Text("action"))
	if err != nil {
		return err
	}
	if c.flags.dryRun {
		_, err := c.agree("Would ask for a run of "+w.job+":", []string{whereItRuns(w.job, job.Row(0))}, "")
		return err
	}
	if w.due, err = jobs.Request(ctx, k.db, jobs.Asking{Job: w.job, By: caller(), Reason: w.reason, Params: params}); err != nil {
		return requestProblem(w.job, err)
	}
	if w.wait {
		return c.waitForRun(ctx, k, w)
	}
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.request/v1"},
		{Name: "job", Value: w.job},
		{Name: "due_at", Value: w.due.UTC().Format(time.RFC3339Nano)},
	}, fmt.Sprintf("A run of %s is asked for.\n    see it  %s\n", w.job, c.again("jobs %s", w.job)))
}

func whereItRuns(job string, r table.Row) string {
	if r.Bool("queue") {
		return "action " + r.Text("action") + ", on the first node that has room"
	}
	return "action " + r.Text("action") + ", on the node that holds job/" + job
}

// checkedParams are those that were typed. What the action takes is known here if
// this node has it; otherwise the node that runs it judges.
func (k *cluster) checkedParams(w wish, action string) (jobs.Params, error) {
	given, err := jobs.ParseParams(w.words)
	if err != nil {
		return nil, usageProblem("%v", err).hint("", "See: coterie run --help")
	}
	for _, c := range k.cfg.Actions {
		takes, err := params(c.Params)
		if err != nil {
			return nil, err
		}
		for name := range given {
			if c.Name != action {
				continue
			}
			if err := jobs.CheckParam(takes, name, given[name]); err != nil {
				return nil, problem.New("COT-507", nil, "%s: %v", w.job, err)
			}
		}
	}
	return given, nil
}

func requestProblem(job string, err error) error {
	switch {
	case errors.Is(err, jobs.ErrDisabled):
		p := problem.New("COT-504", nil, "%s is disabled", job)
		p.Remedy = "remove enabled: false from its definition, and coterie jobs apply"
		return p
	case errors.Is(err, jobs.ErrTooMany):
		p := problem.New("COT-504", err, "no further run of %s is queued", job)
		p.Remedy = "coterie why " + job
		return p
	case errors.Is(err, jobs.ErrNoJob):
		return problem.New("COT-510", nil, "no job %q", job)
	}
	return err
}

const runWhere = `WHERE v.job = $1 AND v.due_at = $2`

// waitForRun waits until the run has its end, and tells its steps.
func (c *cli) waitForRun(ctx context.Context, k *cluster, w wish) error {
	c.say("A run of %s is asked for. Ctrl-C stops only the waiting.", w.job)
	if w.deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, w.deadline, errDeadline)
		defer cancel()
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	told := ""
	for {
		runs, err := k.rows(ctx, "runs", runWhere, w.job, w.due)
		if err == nil && runs.Len() == 0 {
			told, err = c.tellWaiting(ctx, k, w.job, w.due, told)
		}
		switch {
		case ctx.Err() != nil:
			return w.waited(context.Cause(ctx))
		case err != nil:
			return err
		case runs.Len() > 0 && runs.Row(0).Text("outcome") != "running":
			return c.ran(w, runs)
		case runs.Len() > 0 && told != "begun":
			told = "begun"
			r := runs.Row(0)
			c.say("  %s  %s took it, token %d", r.Time("started_at").UTC().Format("15:04:05"), r.Text("node"), r.Int("token"))
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// tellWaiting says why a run has not begun, when that has changed.
func (c *cli) tellWaiting(ctx context.Context, k *cluster, job string, due time.Time, told string) (string, error) {
	rows, err := k.rows(ctx, "jobs", "WHERE v.name = $1", job)
	if err != nil || rows.Len() == 0 {
		return told, err
	}
	r := rows.Row(0)
	message := r.Text("message")
	if r.Bool("queue") {
		if rows, err = k.rows(ctx, "requests", runWhere, job, due); err != nil || rows.Len() == 0 {
			return told, err
		}
		if message = rows.Row(0).Text("message"); rows.Row(0).Text("state") != "waiting" {
			return told, nil
		}
	} else if r.Text("runner") != "" && r.Text("running_since") == "" {
		return told, nil // it is about to begin
	}
	if message != "" && message != told {
		c.say("  waiting: %s", table.Safe(message))
		return message, nil
	}
	return told, nil
}

// ran tells how a run ended, and what it said.
func (c *cli) ran(w wish, runs *table.Rows) error {
	r := runs.Row(0)
	if c.plain() {
		took, _ := r.Duration("took")
		if err := c.print(fmt.Sprintf("%s: %s on %s, took %s\n%s", w.job, runOutcome(r), r.Text("node"), table.Duration(took), tailText(runs))); err != nil {
			return err
		}
	} else if err := c.show(runs, runFields()...); err != nil {
		return err
	}
	if r.Text("outcome") == "succeeded" {
		return nil
	}
	p := problem.New("COT-503", nil, "the run of %s did not succeed: %s", w.job, runOutcome(r))
	p.Why = r.Text("reason")
	p.Remedy = c.again("jobs %s", w.job)
	return p
}

// waited is a waiting that ended before the run did.
func (w wish) waited(cause error) error {
	why := "the waiting was stopped"
	if errors.Is(cause, errDeadline) {
		why = "it took longer than " + table.Duration(w.deadline)
	}
	p := problem.New("COT-505", nil, "the run of %s has not ended: %s", w.job, why)
	p.Remedy = fmt.Sprintf("coterie jobs %s; the run goes on by itself", w.job)
	return p
}
