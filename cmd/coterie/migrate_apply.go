package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/appdata/migrate"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

func (c *cli) migrateApply() *cobra.Command {
	var r migrate.Run
	var copyOnly bool
	var reason string
	cmd := &cobra.Command{
		Use:   "apply PLAN",
		Short: "Copy, prove, and tell the server of the share",
		Long: `Copies all that the plan names to a stage on the share, reads both ends and
compares them, gives the copies their names, and tells the server where they
are: one exact edit of its properties file, or links in the old places. The
originals stay as they are. Whatever ends it, the same command goes on from
there, and reads again only what it has not proved; until the last step the
server uses its old folders.

The server must be stopped. With --copy only the copy is made, while it may be
at work: what it writes meanwhile is copied again later, and the stop is short.`,
		Example: `  coterie migrate apply plan-20261122-k3x9ab.json -n
  coterie migrate apply plan-20261122-k3x9ab.json --copy -y
  coterie migrate apply plan-20261122-k3x9ab.json -y -m "second server"`,
		Args: one("PLAN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			if r.Workers < 0 || r.Workers > 256 {
				return usageProblem("--workers is 1 to 256")
			}
			r.PlanFile, r.Goal = args[0], migrate.Apply
			if copyOnly {
				r.Goal = migrate.PreCopy
			}
			return c.runMigration(ctx, cmd, r, reason)
		},
	}
	cmd.Flags().BoolVar(&copyOnly, "copy", false, "only copy; the server may be at work")
	cmd.Flags().IntVar(&r.Workers, "workers", 0, "`NUMBER` of files at work at once (default: what suits the share)")
	reasonFlag(cmd, &reason)
	return cmd
}

func (c *cli) migrateRollback() *cobra.Command {
	r := migrate.Run{Goal: migrate.Rollback}
	var reason string
	cmd := &cobra.Command{
		Use:   "rollback PLAN",
		Short: "Go back to the old folders, and take the copies from the share",
		Long: `Gives the server's properties file back as it was, to the byte, or takes the
links away; then takes from the share what the plan has put there. The server
must be stopped. It is refused once files of the share have changed since the
server uses them, or further servers use it: with --leave-share the server goes
back, and what is on the share stays there.`,
		Example: `  coterie migrate rollback plan-20261122-k3x9ab.json -n
  coterie migrate rollback plan-20261122-k3x9ab.json -y
  coterie migrate rollback plan-20261122-k3x9ab.json -y --leave-share`,
		Args: one("PLAN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			r.PlanFile = args[0]
			return c.runMigration(ctx, cmd, r, reason)
		},
	}
	cmd.Flags().BoolVar(&r.Leave, "leave-share", false, "leave on the share what is there; it may be away")
	reasonFlag(cmd, &reason)
	return cmd
}

func (c *cli) migrateFinish() *cobra.Command {
	r := migrate.Run{Goal: migrate.Finish}
	var reason string
	cmd := &cobra.Command{
		Use:   "finish PLAN",
		Short: "Delete the originals",
		Long: `Deletes the originals that are as they were proved; others stay, and are told.
Another host must have read each file back from the share through its own
mount: agents do so by themselves once the server was told of the share, and
elsewhere: coterie migrate verify SHARE, there. Where there is no other host,
say --alone. There is no way back from here.`,
		Example: `  coterie migrate finish plan-20261122-k3x9ab.json -n
  coterie migrate finish plan-20261122-k3x9ab.json -y
  coterie migrate finish plan-20261122-k3x9ab.json -y --alone`,
		Args: one("PLAN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			r.PlanFile = args[0]
			return c.runMigration(ctx, cmd, r, reason)
		},
	}
	cmd.Flags().BoolVar(&r.Alone, "alone", false, "there is no other host that could read the share")
	reasonFlag(cmd, &reason)
	return cmd
}

// runMigration asks, and takes the steps to the goal.
func (c *cli) runMigration(ctx context.Context, cmd *cobra.Command, r migrate.Run, reason string) error {
	p, j, err := migrate.Status(r.PlanFile)
	if err != nil {
		return migrateProblem(p, err)
	}
	steps, err := migrate.Steps(r.Goal, p, j)
	if err != nil {
		return migrateProblem(p, err)
	}
	if len(steps) == 0 {
		if r.Goal == migrate.Rollback && p.Litter() { // of a way back that was killed at its very end
			if _, _, err := r.Do(ctx); err != nil {
				return migrateProblem(p, err)
			}
		}
		return c.migrated(p, j, "Nothing is left to do.\n")
	}
	if done, err := c.agree("Would take these steps:", steps, "Go on?"); done || err != nil {
		return err
	}
	tell := c.teller(ctx, cmd, p, reason)
	defer tell.close()
	r.Progress, r.Boundary, r.ByRenames = new(migrate.Progress), boundary(), byRenames()
	if r.Goal == migrate.Finish {
		if r.Words, err = tell.words(ctx); err != nil {
			c.say("What agents have read back is not known: %v", asProblem(err))
		}
	}
	r.Told = func(s migrate.Step) { c.say("%s", migrate.Sentence(s, p)) }
	err = c.watchMigration(ctx, r.Progress, tell, func() error {
		var err error
		p, j, err = r.Do(ctx)
		return err
	})
	tell.last(ctx, j, r, err)
	if err != nil {
		return migrateProblem(p, err)
	}
	if left := j.Fact(migrate.Clear, "left"); r.Goal == migrate.Finish && left != "" && left != "0" {
		if err := c.migrated(p, j, ""); err != nil {
			return err
		}
		return problem.New("COT-413", nil, "%s originals below %s are not as they were proved, or are on the share no more, and were left", left, p.From)
	}
	asked := r.Goal == migrate.Apply && !p.Join && tell.ask(ctx, j.Fact(migrate.Prove, "manifest"))
	return c.migrated(p, j, c.migrationEnded(r, p, asked))
}

// migrationEnded says what is so now, and what comes next.
func (c *cli) migrationEnded(r migrate.Run, p migrate.Plan, asked bool) string {
	switch r.Goal {
	case migrate.PreCopy:
		return fmt.Sprintf("Copied. Stop the server, then: %s\n", c.again("migrate apply %s", r.PlanFile))
	case migrate.Rollback:
		if r.Leave {
			return fmt.Sprintf("The server uses %s again. What is in %s was left there.\n", p.From, p.To)
		}
		return fmt.Sprintf("All is as it was before the plan: the server uses %s.\n", p.From)
	case migrate.Finish:
		return fmt.Sprintf("The originals are deleted. The application data are in %s alone.\n", p.To)
	}
	if p.Join {
		return fmt.Sprintf("The server uses %s. Start it. To go back: %s\n", p.To, c.again("migrate rollback %s", r.PlanFile))
	}
	elsewhere := "on another node:  coterie migrate verify " + p.To
	if asked {
		elsewhere = fmt.Sprintf("another node's agent reads all of it back; to wait for it:\n                    %s\n  without agents, on another node:\n                    coterie migrate verify %s",
			c.again("migrate verify %s", r.PlanFile), p.To)
	}
	return fmt.Sprintf(`The server uses %s; its own folders are as they were.
  %s
  then here:        %s
  to go back:       %s
`, p.To, elsewhere, c.again("migrate finish %s", r.PlanFile), c.again("migrate rollback %s", r.PlanFile))
}

func (c *cli) migrated(p migrate.Plan, j migrate.Journal, text string) error {
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.migration/v1"},
		{Name: "plan", Value: p.ID},
		{Name: "phase", Value: migrate.Phase(j)},
		{Name: "installation", Value: p.Install},
		{Name: "share", Value: p.To},
	}, text)
}
