package main

import (
	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/table"
)

func (c *cli) takeoversCommand() *cobra.Command {
	var last int
	cmd := &cobra.Command{
		Use:   "takeovers",
		Short: "Leases that went from one node to another, and how long it took",
		Example: `  coterie takeovers
  coterie takeovers --last 5 -o wide`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			k, err := c.open(ctx, cmd)
			if err != nil {
				return err
			}
			defer k.db.Close()
			rows, err := k.rows(ctx, "takeovers", "WHERE v.token IN (SELECT token FROM coterie.takeovers ORDER BY token DESC LIMIT $1) ORDER BY v.token", last)
			if err != nil {
				return err
			}
			return c.show(rows,
				table.Column("WHEN", "claimed_at"),
				table.Column("LEASE", "lease"),
				table.Column("FROM", "from_node").AsWide(),
				table.Column("TO", "to_node"),
				table.Number("TOOK", "took"),
				table.Column("CAUSE", "cause"),
				table.Number("TOKEN", "token").AsWide())
		},
	}
	cmd.Flags().IntVar(&last, "last", 50, "show the last `NUMBER`")
	return cmd
}
