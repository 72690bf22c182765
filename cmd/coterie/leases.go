package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/table"
)

func (c *cli) leasesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "leases [LEASE]",
		Short: "Who holds what, since when, with which token",
		Example: `  coterie leases
  coterie leases job/audit-purge
  coterie leases -o json`,
		Args:              perhapsOne("LEASE"),
		ValidArgsFunction: c.completeNames("leases"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.showInventory(cmd, args, inventory{
				view: "leases", noun: "lease", unknown: "COT-101", fields: leaseFields(), text: c.leaseText,
			})
		},
	}
}

func leaseFields() []table.Field {
	return []table.Field{
		table.Column("LEASE", "name"),
		table.Column("HOLDER", "holder"),
		table.Number("TOKEN", "token"),
		table.Span("HELD", "acquired_at"),
		{Title: "EXPIRES", Show: leaseExpiry},
		table.Column("BEFORE", "from_node").AsWide(),
		table.Column("WANTED BY", "wanted_by").AsWide(),
	}
}

func leaseExpiry(r table.Row) string {
	left, held := r.Duration("expires_in")
	switch {
	case !held:
		return ""
	case left <= 0:
		return "overdue"
	}
	return "in " + table.Duration(left)
}

func (c *cli) leaseText(r table.Row) string {
	var lines facts
	lines.add("", "%s", r.Text("name"))
	if holder := r.Text("holder"); holder != "" {
		lines.add("holder", "%s, token %s, for %s", holder, r.Text("token"), table.Between(r.Time("acquired_at"), r.At()))
		lines.add("expires", "%s, unless it is renewed", leaseExpiry(r))
	} else {
		lines.add("holder", "nobody; the last token was %s", r.Text("token"))
	}
	if before := r.Text("from_node"); before != "" {
		lines.add("before", "%s, until %s (%s)", before, r.Text("freed_at"), r.Text("freed_by"))
	}
	if class := r.Text("class"); class != "" {
		lines.add("taken by", "nodes that can do %s", strings.TrimPrefix(class, "action/"))
	} else {
		lines.add("taken by", "whoever asks for it by name")
	}
	if others := r.Text("wanted_by"); others != "" {
		lines.add("wanted by", "%s", others)
	}
	return lines.String()
}
