package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/jobs"
)

// pausing is what is to stand still, or to go on.
type pausing struct {
	paused  bool
	allJobs bool
	job     string
	reason  string
}

// pauseCommand is pause or unpause.
func (c *cli) pauseCommand(paused bool) *cobra.Command {
	p := pausing{paused: paused}
	cmd := &cobra.Command{
		Use: "pause [JOB]", Short: "Freeze a job, all jobs, or hand-overs between nodes",
		Long: `Freezes a job, with --jobs all of them, or else hand-overs. Of a paused job
nothing is begun: what runs goes on, what is asked for waits, and the slots of
that time are recorded as skipped when the pause ends. While hand-overs are
frozen no lease moves for balance or by switchover; jobs go on where they are,
and what loses its holder is taken as ever.`,
		Example: `  coterie pause report-nightly -m "the printer is away"
  coterie pause --jobs -m "release 7.3"
  coterie pause -m "storage maintenance"`,
		Args:              perhapsOne("JOB"),
		ValidArgsFunction: c.completeNames("jobs"),
		RunE:              func(cmd *cobra.Command, args []string) error { return c.runPause(cmd, p, args) },
	}
	if !paused {
		cmd.Use, cmd.Short = "unpause [JOB]", "Thaw a job, all jobs, or hand-overs between nodes"
		cmd.Long = `Ends a pause: of a job, with --jobs that of all jobs, or else of hand-overs. A
job that was paused by itself as well stays so.`
		cmd.Example = `  coterie unpause report-nightly
  coterie unpause --jobs
  coterie unpause`
	}
	cmd.Flags().BoolVar(&p.allJobs, "jobs", false, "all jobs")
	reasonFlag(cmd, &p.reason)
	return cmd
}

func (c *cli) runPause(cmd *cobra.Command, p pausing, args []string) error {
	if len(args) > 0 {
		if p.job = args[0]; p.allJobs {
			return usageProblem("%s takes JOB or --jobs, not both", cmd.CommandPath()).hint("", "See: "+cmd.CommandPath()+" --help")
		}
	}
	ctx, cancel := c.context(cmd)
	defer cancel()
	k, err := c.open(ctx, cmd)
	if err != nil {
		return err
	}
	defer k.db.Close()
	what, are := "Hand-overs of cluster "+k.cfg.Cluster, "are"
	switch {
	case p.allJobs:
		what = "All jobs"
	case p.job != "":
		what, are = p.job, "is"
	}
	if c.flags.dryRun {
		c.say("Would %s: %s. No change made.", cmd.Name(), what)
		return outcome(problem.ExitChanges)
	}
	changed, err := c.pause(ctx, k, p)
	if errors.Is(err, jobs.ErrNoJob) {
		return k.none(ctx, "COT-510", "jobs", "job", p.job)
	}
	if err != nil {
		return err
	}
	state := map[bool]string{true: "paused", false: "no longer paused"}[p.paused]
	if !changed {
		state += " already"
	}
	c.say("%s %s %s.", what, are, state)
	return nil
}

func (c *cli) pause(ctx context.Context, k *cluster, p pausing) (changed bool, err error) {
	switch {
	case p.job == "" && !p.allJobs:
		err = k.command(ctx, &changed, `SELECT coterie.cluster_pause($1, $2, $3)`, p.paused, caller(), p.reason)
		return changed, err
	case p.paused:
		return jobs.PauseJobs(ctx, k.db, p.job, caller(), p.reason)
	}
	return jobs.UnpauseJobs(ctx, k.db, p.job, caller(), p.reason)
}
