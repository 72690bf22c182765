package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/coordinator/keyring"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/keystore/rollout"
)

func (c *cli) keystoreStatus() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what each node has and serves",
		Long: `Shows for each node which version of the keystore it has in place, what its
server showed in a handshake, and what is wrong with it; and on stderr how the
last rollout went, what its copy on the share has, and when it was last renewed.
Exit code 3 if a node does not have the active version.`,
		Example: `  coterie keystore status
  coterie keystore status -o wide
  coterie keystore status --name server -o json`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			k, err := c.open(ctx, cmd)
			if err != nil {
				return err
			}
			defer k.db.Close()
			return c.keystoreStanding(ctx, k, name)
		},
	}
	cmd.Flags().StringVar(&name, "name", usualKeystore, "`NAME` of the keystore")
	return cmd
}

func (c *cli) keystoreStanding(ctx context.Context, k *cluster, name string) error {
	rows, err := k.rows(ctx, "certificates", "WHERE v.keystore = $1 ORDER BY v.node", name)
	if err != nil {
		return err
	}
	err = c.show(rows,
		table.Column("NODE", "node"),
		table.Number("VERSION", "version"),
		table.Column("STATE", "state"),
		table.Column("OK", "ok"),
		table.Column("ENDS", "not_after"),
		table.Prose("ERROR", "error"),
		table.Column("SERVED", "served_fingerprint").AsWide(),
		table.Column("REPORTED", "reported_at").AsWide())
	if err != nil {
		return err
	}
	if err := c.keystoreBeside(ctx, k, name); err != nil {
		return err
	}
	last, found, err := keyring.FindRollout(ctx, k.db, name, 0)
	switch {
	case err != nil:
		return err
	case !found:
		c.say("No version of %s was brought to the nodes yet: coterie keystore activate", name)
		return nil
	}
	why := ""
	if last.Failure != "" {
		why = ": " + last.Failure
	}
	c.say("Version %d, by %s: %s%s", last.Version, last.BegunBy, steps(last), why)
	for i := range rows.Len() {
		if row := rows.Row(i); last.Phase == rollout.Done && !row.Bool("ok") {
			return problem.New("COT-926", nil, "%s: %s %s", row.Text("node"), row.Text("state"), row.Text("error"))
		}
	}
	return nil
}

// keystoreBeside tells of its copy on the share, and of its renewal, where there are.
func (c *cli) keystoreBeside(ctx context.Context, k *cluster, name string) error {
	copies, err := k.rows(ctx, "keystore_files", "WHERE v.name = $1", name)
	if err != nil {
		return err
	}
	for i := range copies.Len() {
		row := copies.Row(i)
		state := "is not the active version"
		if row.Bool("ok") {
			state = "is the active version"
		}
		c.say("Its copy on the share, %s, %s; %s looked at it last%s", row.Text("path"), state, row.Text("node"), after(": ", row.Text("error")))
	}
	renewals, err := k.rows(ctx, "renewals", "WHERE v.name = $1", name)
	if err != nil {
		return err
	}
	for i := range renewals.Len() {
		row := renewals.Row(i)
		c.say("Its renewal was last tried by %s at %s%s", row.Text("node"), utc(row.Time("begun_at")), after(", and failed: ", row.Text("error")))
	}
	return nil
}

// after is a text with what comes before it; nothing if there is none.
func after(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}
