package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/sql/schema"
)

func (c *cli) appdataWatch() *cobra.Command {
	return c.view(&cobra.Command{
		Use:   "watch [PATH]",
		Short: "Show changes of the share as they are noticed",
		Long: `Prints each change of the share, or of what is below one path of it, as soon as
a node tells of it or a scan finds it, until you stop it (Ctrl-C). Nodes tell at
once what their own host changes, when appdata.watch is on; what comes from
elsewhere, scans find.`,
		Example: `  coterie appdata watch
  coterie appdata watch conf -o jsonl`,
		Args: perhapsOne("PATH"),
	}, func(ctx context.Context, k *cluster, args []string) error {
		if !followable(c.flags.format()) {
			return usageProblem("a watch has no end, and %s is one document", c.flags.format()).hint("", "Use -o jsonl")
		}
		path := ""
		if len(args) > 0 {
			path = args[0]
		}
		return c.followChanges(ctx, k, path)
	})
}

// followChanges shows what comes after now. Notifications are hints; it looks
// once a second anyway.
func (c *cli) followChanges(ctx context.Context, k *cluster, path string) error {
	var last int64
	if err := k.db.GetContext(ctx, &last, `SELECT coalesce(max(head), 0) FROM coterie.appdata_trees WHERE name = 'share'`); err != nil {
		return err
	}
	c.say("watching the share of %s; Ctrl-C ends it", k.cfg.Cluster)
	hints := make(chan struct{}, 1)
	loops, inside := errgroup.WithContext(ctx)
	loops.Go(func() error {
		o := schema.Options{DSN: k.cfg.Database.DSN, PasswordFile: k.cfg.Database.PasswordFile, Application: "coterie watch", Connect: k.cfg.Database.ConnectTimeout}
		return schema.Listener{Options: o, Channel: "coterie_appdata"}.Run(inside, hints)
	})
	loops.Go(func() error {
		tick := time.NewTicker(followEvery)
		defer tick.Stop()
		for {
			if err := c.showChanges(inside, k, path, &last); err != nil {
				return err
			}
			select {
			case <-inside.Done():
				return context.Cause(inside)
			case <-hints:
			case <-tick.C:
			}
		}
	})
	if err := loops.Wait(); ctx.Err() == nil {
		return err
	}
	return nil // to be stopped is how this ends
}

// showChanges prints what is numbered above last: numbers rise in the order of
// commits, so none is passed over.
func (c *cli) showChanges(ctx context.Context, k *cluster, path string, last *int64) error {
	rows, err := k.rows(ctx, "appdata_changes", `
WHERE v.tree = 'share' AND v.seq > $1 AND ($2 = '' OR v.path = $2 OR starts_with(v.path, $2 || '/'))
ORDER BY v.seq LIMIT 10000`, *last, path)
	if err != nil || rows.Len() == 0 {
		return err
	}
	*last = rows.Row(rows.Len() - 1).Int("seq")
	return c.showMore(rows, changeFields()...)
}

func changeFields() []table.Field {
	return []table.Field{
		{Title: "TIME (UTC)", Show: func(r table.Row) string { return r.Time("at").UTC().Format("01-02 15:04:05") }},
		table.Column("CHANGE", "change"),
		{Title: "PATH", Show: func(r table.Row) string {
			if from := r.Text("from_path"); from != "" {
				return fmt.Sprintf("%s from %s", r.Text("path"), from)
			}
			return r.Text("path")
		}, Text: true},
		table.Column("SEEN BY", "seen_by"),
		table.Column("SOURCE", "source"),
	}
}
