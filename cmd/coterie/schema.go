package main

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/sql/schema"
)

// migrateBudget is how long one migration may take. Nothing else waits for it
// but whoever called.
const migrateBudget = 2 * time.Minute

func (c *cli) schemaCommand() *cobra.Command {
	return c.family("schema", "The tables and views in the database",
		`  coterie schema status
  coterie schema upgrade -n
  coterie schema upgrade -y
  coterie schema print > schema.sql`,
		c.schemaStatus(), c.schemaUpgrade(), c.schemaPrint())
}

// openForSchema connects to a database that may not have the schema yet.
func (c *cli) openForSchema(ctx context.Context, cmd *cobra.Command) (*config.Config, *sqlx.DB, error) {
	cfg, err := c.load(cmd)
	if err != nil {
		return nil, nil, err
	}
	o := c.options(cfg)
	o.Budget = max(o.Budget, migrateBudget)
	db, err := schema.Open(ctx, o)
	return cfg, db, err
}

func (c *cli) schemaStatus() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Compare the schema in the database with this program's",
		Example: `  coterie schema status
  coterie schema status -o json`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			_, db, err := c.openForSchema(ctx, cmd)
			if err != nil {
				return err
			}
			defer db.Close()
			state, err := schema.Status(ctx, db)
			if err != nil {
				return err
			}
			if err := c.show(versions(state), table.Number("VERSION", "version"), table.Column("NAME", "name"),
				table.Column("APPLIED", "applied_at"), table.Column("BY", "applied_by")); err != nil {
				return err
			}
			if state.Problem != nil {
				return state.Problem
			}
			if current(state) {
				c.say("%s  schema %d is this program's", signWell, state.Version)
				return nil
			}
			c.say("%s  an upgrade is due: %s", signLook, c.again("schema upgrade"))
			return outcome(problem.ExitDegraded)
		},
	}
}

func current(s schema.State) bool { return s.Version > 0 && len(s.Pending) == 0 && s.CodeCurrent }

// versions are the migrations that were applied, then those that were not.
func versions(s schema.State) *table.Rows {
	rows := &table.Rows{View: "schema_versions", Columns: []string{"version", "name", "applied_at", "applied_by", "sha256"}}
	for _, a := range s.Applied {
		rows.Values = append(rows.Values, []any{int64(a.Version), a.Name, a.AppliedAt, a.AppliedBy, a.SHA256})
	}
	for _, name := range s.Pending {
		number, _, _ := strings.Cut(path.Base(name), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			panic("a migration has no number: " + name) // schema has checked it
		}
		rows.Values = append(rows.Values, []any{version, name, nil, nil, nil})
	}
	return rows
}

// upgradeLines are what an upgrade would do.
func upgradeLines(s schema.State) []string {
	var lines []string
	for _, name := range s.Pending {
		lines = append(lines, "apply migration "+name)
	}
	if !s.CodeCurrent {
		lines = append(lines, "apply functions, views and grants")
	}
	return lines
}

func (c *cli) schemaUpgrade() *cobra.Command {
	return &cobra.Command{
		Use:   "upgrade",
		Short: "Bring the schema in the database up to this program's",
		Long: `Bring the schema in the database up to this program's, in one transaction: if
anything in it fails, nothing has changed. Agents go on working meanwhile.`,
		Example: `  coterie schema upgrade -n     what would be done
  coterie schema upgrade -y`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			_, db, err := c.openForSchema(ctx, cmd)
			if err != nil {
				return err
			}
			defer db.Close()
			state, err := schema.Status(ctx, db)
			if err == nil {
				err = state.Problem
			}
			if err != nil {
				return err
			}
			if current(state) {
				return c.upgraded(schema.Result{From: state.Version, To: state.Version}, fmt.Sprintf("Schema %d is current; nothing to do.\n", state.Version))
			}
			if done, err := c.agree(fmt.Sprintf("Would upgrade the schema from %d to %d:", state.Version, state.Latest), upgradeLines(state), "Upgrade now?"); done || err != nil {
				return err
			}
			r, err := schema.Migrate(ctx, db)
			if err != nil {
				return err
			}
			return c.upgraded(r, fmt.Sprintf("Schema upgraded from %d to %d.\n", r.From, r.To))
		},
	}
}

func (c *cli) upgraded(r schema.Result, text string) error {
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.schema_upgrade/v1"},
		{Name: "from", Value: r.From},
		{Name: "to", Value: r.To},
		{Name: "applied", Value: append([]string{}, r.Applied...)},
	}, text)
}

// agree shows a plan. In a dry run that is all (done); else somebody must agree.
func (c *cli) agree(title string, lines []string, question string) (done bool, err error) {
	text := title + "\n  " + strings.Join(lines, "\n  ") + "\n"
	if !c.flags.dryRun {
		c.say("%s", strings.TrimSuffix(text, "\n"))
		return false, c.confirm(question)
	}
	err = c.document(table.Document{
		{Name: "schema", Value: "coterie.plan/v1"},
		{Name: "title", Value: title},
		{Name: "steps", Value: lines},
	}, text+"Nothing was changed.\n")
	if err != nil {
		return true, err
	}
	return true, outcome(problem.ExitChanges)
}

func (c *cli) schemaPrint() *cobra.Command {
	return &cobra.Command{
		Use:     "print",
		Short:   "Print the SQL that makes the schema",
		Example: `  coterie schema print > schema.sql`,
		Args:    nothing,
		RunE:    func(*cobra.Command, []string) error { return schema.Print(c.out) },
	}
}
