package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/license"
)

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
	text := map[bool]string{true: "The nodes look at them from now on.\n", false: "They are those already; nothing to do.\n"}
	said := func(changed bool) error {
		return c.document(table.Document{
			{Name: "schema", Value: "coterie.license_servers/v1"},
			{Name: "changed", Value: changed},
		}, text[changed])
	}
	before, err := license.ReadServers(ctx, k.db)
	if err != nil {
		return err
	}
	if slices.Equal(before, servers) {
		return said(false)
	}
	lines := []string{"none"}
	if len(servers) > 0 {
		lines = nil
	}
	for _, s := range servers {
		lines = append(lines, s.String())
	}
	if done, err := c.agree("Would make these the licence servers of all nodes:", lines, "Go on?"); done || err != nil {
		return err
	}
	changed, err := license.SetServers(ctx, k.db, servers, caller(), reason)
	if err != nil {
		return err
	}
	return said(changed)
}
