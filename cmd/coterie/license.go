package main

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/license"
)

func (c *cli) licenseCommand() *cobra.Command {
	return c.family("license", "Licence seats: who holds them, what is refused, what was used", `  coterie license show
  coterie license seats floating
  coterie license apply -f pools.yaml -n
  coterie license report --month 2026-11 -o csv`,
		c.licenseShow(), c.licenseSeats(), c.licenseDenials(), c.licenseApply(), c.licenseWithdraw(), c.licenseCheckout(), c.licenseCheckin(),
		c.licenseReport(), c.licenseServers())
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

func (c *cli) licenseShow() *cobra.Command {
	return c.view(&cobra.Command{
		Use:   "show [POOL]",
		Short: "Show the pools of seats: entitled, in use, peak",
		Example: `  coterie license show
  coterie license show floating -o json`,
		Args:              perhapsOne("POOL"),
		ValidArgsFunction: c.completePools,
	}, func(ctx context.Context, k *cluster, args []string) error {
		condition, values := "ORDER BY v.pool", []any{}
		if len(args) > 0 {
			condition, values = "WHERE v.pool = $1", []any{args[0]}
		}
		rows, err := k.rows(ctx, "license_pools", condition, values...)
		if err != nil {
			return err
		}
		if len(args) > 0 && rows.Len() == 0 {
			return k.noPool(ctx, args[0])
		}
		if err := c.show(rows, poolFields()...); err != nil || len(args) == 0 || !c.plain() {
			return err
		}
		return c.showEntitlements(ctx, k, args[0])
	})
}

func poolFields() []table.Field {
	return []table.Field{
		table.Column("POOL", "pool"),
		table.Column("KIND", "kind"),
		table.Number("ENTITLED", "entitled"),
		table.Number("IN USE", "in_use"),
		table.Number("OVER", "overdraft"),
		table.Number("EXCESS", "excess").AsWide(),
		table.Number("FREE", "free"),
		table.Number("USED %", "used_pct"),
		table.Number("PEAK", "peak_today"),
		table.Number("DENIED", "denied_24h"),
		table.Column("BY NODE", "by_node").AsWide(),
		table.Number("ON SEVERAL", "on_several_nodes").AsWide(),
		table.Number("ESCROW", "escrowed").AsWide(),
	}
}

// showEntitlements shows where the seats come from, and whether each file's
// signature is that of a key which this node trusts.
func (c *cli) showEntitlements(ctx context.Context, k *cluster, pool string) error {
	rows, err := k.rows(ctx, "license_files", "WHERE v.pool = $1 ORDER BY v.serial", pool)
	if err != nil || rows.Len() == 0 {
		return err
	}
	if err := c.print("\n"); err != nil {
		return err
	}
	keys, err := trustedKeys(k.cfg.License.TrustedKeys)
	if err != nil {
		return err
	}
	return rows.Write(c.out, table.Table, table.Sheet{Width: c.width(), Indent: 2, Fields: []table.Field{
		{Title: "FILE", Show: func(r table.Row) string {
			if serial := r.Text("serial"); serial != "" {
				return serial
			}
			return "plain"
		}},
		table.Number("SEATS", "seats"),
		table.Column("BEGINS", "begins_at"),
		table.Column("ENDS", "ends_at"),
		table.Column("BOUND TO", "addresses"),
		{Title: "SIGNATURE", Show: func(r table.Row) string { return signatureState(r, keys) }},
	}})
}

func signatureState(r table.Row, keys []ed25519.PublicKey) string {
	if r.Text("serial") == "" {
		return "none: an operator's word"
	}
	if license.Verify(r.Text("document"), r.Text("signature"), keys) == nil {
		return "ok, key " + r.Text("signed_by")
	}
	return "not of a key that this node trusts"
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
			table.Column("PEAK AT", "peak_at"),
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

func (c *cli) licenseServers() *cobra.Command {
	var reason string
	cmd := c.view(&cobra.Command{
		Use:   "servers [LIST]",
		Short: "Show or name the external licence servers",
		Long: `Shows whether the external licence servers answer, seen from every node. With a
LIST such as 27000@a:27000@b:27000@c (as FlexNet has it) all nodes look at these
from now on, also those that join later. Three are a triad: two must answer.`,
		Example: `  coterie license servers
  coterie license servers 27000@lic1:27000@lic2:27000@lic3 -y
  coterie license servers none -y`,
		Args: perhapsOne("LIST"),
	}, func(ctx context.Context, k *cluster, args []string) error {
		if len(args) > 0 {
			return c.setServers(ctx, k, args[0], reason)
		}
		rows, err := k.rows(ctx, "license_servers", "ORDER BY v.place")
		if err != nil {
			return err
		}
		return c.show(rows,
			table.Column("SERVER", "server"),
			table.Column("STATE", "state"),
			table.Number("NODES", "answered"),
			table.Number("OF", "nodes"),
			table.Column("ENOUGH", "quorum"),
			table.Column("SEEN", "checked_at"),
			table.Prose("REASON", "reason"))
	})
	reasonFlag(cmd, &reason)
	return cmd
}

func (c *cli) setServers(ctx context.Context, k *cluster, list, reason string) error {
	var servers []license.Server
	if list != "none" {
		var err error
		if servers, err = license.ParseServers(list); err != nil {
			return usageProblem("%v", err)
		}
	}
	var lines []string
	for _, s := range servers {
		lines = append(lines, s.String())
	}
	if done, err := c.agree("Would make these the licence servers of all nodes:", append(lines, fmt.Sprintf("(%d)", len(lines))), "Go on?"); done || err != nil {
		return err
	}
	changed, err := license.SetServers(ctx, k.db, servers, caller(), reason)
	if err != nil {
		return err
	}
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.license_servers/v1"},
		{Name: "changed", Value: changed},
	}, map[bool]string{true: "The nodes look at them from now on.\n", false: "They are those already; nothing to do.\n"}[changed])
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
	ctx, cancel := context.WithTimeout(cmd.Context(), time.Second)
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

func trustedKeys(texts []string) (keys []ed25519.PublicKey, err error) {
	for i, text := range texts {
		key, err := license.ParseKey(text)
		if err != nil {
			return nil, problem.New("COT-210", err, "license.trusted_keys[%d]", i)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
