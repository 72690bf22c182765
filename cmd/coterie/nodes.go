package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/table"
)

func (c *cli) nodesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "nodes [NODE]",
		Short: "Nodes: goal, state, when last seen, share, message",
		Example: `  coterie nodes
  coterie nodes app-a
  coterie nodes -o json
  coterie nodes --columns name,address,version
  coterie nodes approvals              who waits for approval`,
		Args:              perhapsOne("NODE"),
		ValidArgsFunction: c.completeNames("nodes"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.showInventory(cmd, args, inventory{
				view: "nodes", noun: "node", unknown: "COT-610", fields: nodeFields(), text: c.nodeText,
			})
		},
	}
	cmd.AddCommand(c.nodesApprovals(), c.nodesApprove(), c.nodesWithdraw(), c.nodesApproval(), c.nodesToken())
	return cmd
}

func nodeFields() []table.Field {
	return []table.Field{
		table.Column("NODE", "name"),
		table.Column("GOAL", "goal"),
		table.Column("STATE", "state"),
		table.Span("SEEN", "last_seen_at"),
		table.Number("JOBS", "jobs_running"),
		table.Number("LEASES", "leases_held").AsWide(),
		table.Column("STORAGE", "storage_state").AsProse(),
		table.Column("ADDRESS", "address").AsWide(),
		table.Column("VERSION", "version").AsWide(),
		table.Column("APP", "app_version").AsWide(),
		table.Column("HOST", "host").AsWide(),
		table.Column("TAGS", "tags").AsWide(),
		{Title: "MESSAGE", Show: nodeMessage, Text: true},
	}
}

// nodeMessage is what the node says, or else what people said of it.
func nodeMessage(r table.Row) string {
	if message := r.Text("message"); message != "" {
		return message
	}
	if r.Text("goal") == "ready" || r.Text("goal_by") == "" {
		return ""
	}
	return strings.TrimSuffix(r.Text("goal_by")+": "+r.Text("goal_reason"), ": ")
}

// nodeText is all that is worth saying of one node.
func (c *cli) nodeText(r table.Row) string {
	head := []string{r.Text("name")}
	for _, part := range []string{r.Text("address"), version("coterie", r.Text("version")), version("application", r.Text("app_version"))} {
		if part != "" {
			head = append(head, part)
		}
	}
	if started := r.Time("started_at"); !started.IsZero() {
		head = append(head, "up "+table.Between(started, r.At()))
	}
	lines := facts{{"", strings.Join(head, "    ")}}
	lines.add("goal", "%s%s", pad(r.Text("goal"), 10), since(r, "goal_by", "goal_at", "goal_reason"))
	lines.add("state", "%s%s", pad(r.Text("state"), 10), nodeState(r))
	if s := r.Text("storage_state"); s != "" {
		lines.add("share", "%s", s)
	}
	if tags := r.Text("tags"); tags != "" {
		lines.add("tags", "%s", tags)
	}
	if actions := r.Text("actions"); actions != "" {
		lines.add("actions", "%s", actions)
	}
	lines.add("events", "%s", c.again("events --node %s", r.Text("name")))
	return lines.String()
}

func nodeState(r table.Row) string {
	var parts []string
	if n := r.Int("jobs_running"); n > 0 {
		parts = append(parts, plural(n, "job")+" running")
	}
	if n := r.Int("leases_held"); n > 0 {
		parts = append(parts, plural(n, "lease"))
	}
	if seen := r.Time("last_seen_at"); !seen.IsZero() {
		parts = append(parts, "last seen "+table.Ago(seen, r.At()))
	}
	if message := r.Text("message"); message != "" {
		parts = append(parts, message)
	}
	return strings.Join(parts, ", ")
}

func version(of, number string) string {
	if number == "" {
		return ""
	}
	return of + " " + number
}

// since is who did something, when and why.
func since(r table.Row, by, at, reason string) string {
	if r.Text(by) == "" {
		return ""
	}
	text := "by " + r.Text(by)
	if when := r.Text(at); when != "" {
		text += ", " + when
	}
	if why := r.Text(reason); why != "" {
		text += fmt.Sprintf(": %q", why)
	}
	return text
}
