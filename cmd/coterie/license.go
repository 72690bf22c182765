package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/table"
)

func (c *cli) licenseCommand() *cobra.Command {
	return c.family("license", "Licence seats: who holds them, what is refused, what was used", `  coterie license show
  coterie license seats floating
  coterie license apply -f pools.yaml -n
  coterie license report --month 2026-11 -o csv`,
		c.licenseShow(), c.licenseSeats(), c.licenseDenials(), c.licenseEvents(), c.licenseApply(), c.licenseWithdraw(),
		c.licenseCheckout(), c.licenseCheckin(), c.licenseReport(), c.licenseServers())
}

// view is a verb that shows a view of the database.
func (c *cli) view(cmd *cobra.Command, show func(ctx context.Context, k *cluster, args []string) error) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, cancel := c.context(cmd)
		defer cancel()
		k, err := c.open(ctx, cmd)
		if err != nil {
			return err
		}
		defer k.db.Close()
		return show(ctx, k, args)
	}
	return cmd
}

func (c *cli) licenseSeats() *cobra.Command {
	return c.view(&cobra.Command{
		Use:   "seats [POOL]",
		Short: "Show who holds seats, since when, on which nodes",
		Example: `  coterie license seats
  coterie license seats floating -o wide`,
		Args:              perhapsOne("POOL"),
		ValidArgsFunction: c.completePools,
	}, func(ctx context.Context, k *cluster, args []string) error {
		return c.ofPool(ctx, k, "license_seats", "ORDER BY v.pool, v.since, v.seat", args,
			table.Column("POOL", "pool"),
			table.Column("HOLDER", "holder"),
			table.Column("NODES", "nodes"),
			table.Span("HELD", "since"),
			table.Column("KIND", "kind"),
			table.Number("USES", "uses"),
			table.Number("SEAT", "seat").AsWide(),
			table.Column("HOSTS", "hosts").AsWide(),
			table.Column("LINGERS UNTIL", "linger_until").AsWide())
	})
}

func (c *cli) licenseDenials() *cobra.Command {
	return c.view(&cobra.Command{
		Use:   "denials [POOL]",
		Short: "Show who was refused a seat, and why",
		Example: `  coterie license denials
  coterie license denials floating -o csv`,
		Args:              perhapsOne("POOL"),
		ValidArgsFunction: c.completePools,
	}, func(ctx context.Context, k *cluster, args []string) error {
		return c.ofPool(ctx, k, "license_denials", "ORDER BY v.at DESC LIMIT 200", args,
			table.Column("WHEN", "at"),
			table.Column("POOL", "pool"),
			table.Column("HOLDER", "holder"),
			table.Number("TIMES", "times"),
			table.Column("NODE", "node"),
			table.Prose("REASON", "reason"))
	})
}

func (c *cli) licenseEvents() *cobra.Command {
	return c.view(&cobra.Command{
		Use:   "events [POOL]",
		Short: "Show what happened to seats, the newest first",
		Long: `Shows the newest 200 entries of the ledger of seats, also of what was granted
while the database was away. The view coterie.license_events has all of them.`,
		Example: `  coterie license events floating
  coterie license events -o csv`,
		Args:              perhapsOne("POOL"),
		ValidArgsFunction: c.completePools,
	}, func(ctx context.Context, k *cluster, args []string) error {
		return c.ofPool(ctx, k, "license_events", "ORDER BY v.id DESC LIMIT 200", args,
			table.Column("WHEN", "at"),
			table.Column("POOL", "pool"),
			table.Column("WHAT", "kind"),
			table.Column("HOLDER", "holder"),
			table.Column("NODE", "node"),
			table.Column("SESSION", "session").AsWide(),
			table.Number("SEATS", "seats"),
			table.Number("OVER", "over").AsWide(),
			table.Prose("REASON", "reason"))
	})
}

// ofPool shows the rows of a view, all of them or those of one pool.
func (c *cli) ofPool(ctx context.Context, k *cluster, view, order string, args []string, fields ...table.Field) error {
	condition, values := order, []any{}
	if len(args) > 0 {
		condition, values = "WHERE v.pool = $1 "+order, []any{args[0]}
		if pools, err := k.rows(ctx, "license_pools", "WHERE v.pool = $1", args[0]); err != nil {
			return err
		} else if pools.Len() == 0 {
			return k.noPool(ctx, args[0])
		}
	}
	rows, err := k.rows(ctx, view, condition, values...)
	if err != nil {
		return err
	}
	return c.show(rows, fields...)
}

func (c *cli) licenseReport() *cobra.Command {
	var month string
	cmd := c.view(&cobra.Command{
		Use:   "report [POOL]",
		Short: "Report peaks, full hours and refusals of a month",
		Example: `  coterie license report
  coterie license report --month 2026-11 -o csv
  coterie license report floating --month 2026-11 -o json`,
		Args:              perhapsOne("POOL"),
		ValidArgsFunction: c.completePools,
	}, func(ctx context.Context, k *cluster, args []string) error {
		first, err := time.Parse("2006-01", month)
		if month != "" && err != nil {
			return usageProblem("--month %q is not a month such as 2026-11", month)
		}
		condition, values := "WHERE v.month = date_trunc('month', coterie.clock(), 'UTC')", []any{}
		if month != "" {
			condition, values = "WHERE v.month = $1", []any{first}
		}
		if len(args) > 0 {
			values = append(values, args[0])
			condition += fmt.Sprintf(" AND v.pool = $%d", len(values))
		}
		rows, err := k.rows(ctx, "license_reports", condition+" ORDER BY v.pool", values...)
		if err != nil {
			return err
		}
		return c.show(rows,
			table.Column("POOL", "pool"),
			table.Number("ENTITLED", "entitled"),
			table.Number("PEAK", "peak"),
			table.Field{Title: "PEAK AT (UTC)", Show: func(r table.Row) string {
				if at := r.Time("peak_at"); !at.IsZero() {
					return at.UTC().Format("01-02 15:04")
				}
				return ""
			}},
			table.Number("MEAN", "mean_peak"),
			table.Number("OVER", "peak_over"),
			table.Number("HOURS", "hours").AsWide(),
			table.Number("FULL", "hours_full"),
			table.Number("DENIED", "denied"),
			table.Number("HOLDERS", "holders_denied").AsWide())
	})
	cmd.Flags().StringVar(&month, "month", "", "the `MONTH`, such as 2026-11 (default: this one, UTC)")
	return cmd
}

// noPool is the problem of a pool that is not there, with what was probably meant.
func (k *cluster) noPool(ctx context.Context, name string) error {
	names, err := k.poolNames(ctx)
	if err != nil {
		return err
	}
	return nearest("COT-801", "no pool", name, names)
}

func (k *cluster) poolNames(ctx context.Context) ([]string, error) {
	var names []string
	if err := k.db.SelectContext(ctx, &names, `SELECT pool FROM coterie.license_pools ORDER BY pool`); err != nil {
		return nil, fmt.Errorf("read the names of the pools: %w", err)
	}
	return names, nil
}

func (c *cli) completePools(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := c.whileTyping(cmd)
	defer cancel()
	k, err := c.open(ctx, cmd)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	defer k.db.Close()
	names, err := k.poolNames(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
