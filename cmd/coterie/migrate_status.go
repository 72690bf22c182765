package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/appdata/migrate"
	"github.com/coterie-ha/coterie/internal/table"
)

func (c *cli) migrateStatus() *cobra.Command {
	return &cobra.Command{
		Use:   "status [PLAN]",
		Short: "How far a plan is, or all that the database has heard of",
		Long: `With a plan: how far it is, by its journal, without a database. Without one:
the view coterie.migrations, with what each plan was last heard to say.`,
		Example: `  coterie migrate status
  coterie migrate status plan-20261122-k3x9ab.json`,
		Args: perhapsOne("PLAN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return c.planStatus(args[0])
			}
			ctx, cancel := c.context(cmd)
			defer cancel()
			k, err := c.open(ctx, cmd)
			if err != nil {
				return err
			}
			defer k.db.Close()
			rows, err := k.rows(ctx, "migrations", "ORDER BY v.begun_at")
			if err != nil {
				return err
			}
			return c.show(rows, table.Column("NODE", "node"), table.Column("PLAN", "plan"), table.Column("PHASE", "phase"),
				table.Column("FILES", "files_done"), table.Column("OF", "files_total"), table.Column("READING", "reading"), table.Column("READER", "reader"), table.Column("READ BY", "read_by"), table.Column("MESSAGE", "message"))
		},
	}
}

func (c *cli) planStatus(file string) error {
	p, j, err := migrate.Status(file)
	if err != nil {
		return migrateProblem(p, err)
	}
	lines := []string{p.ID + " is " + migrate.Phase(j) + ": " + p.From + " to " + p.To}
	for _, r := range j.Records {
		word := "begun"
		if r.Done {
			word = "done"
		}
		lines = append(lines, "  "+r.At+"  "+string(r.Step)+" "+word)
	}
	readings, err := p.Readings()
	if err != nil {
		return err
	}
	for _, r := range readings {
		lines = append(lines, "  "+r.At+"  read by "+r.Host)
	}
	return c.migrated(p, j, strings.Join(lines, "\n")+"\n")
}
