package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/lib/pq"
	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

const (
	proposeSQL = `SELECT coterie.change_propose($1, $2, $3, $4)`
	decideSQL  = `SELECT coterie.change_decide($1, $2::coterie.change_state, $3, $4)`
	waitingSQL = `SELECT count(*) FROM coterie.changes WHERE state = 'pending'`
)

func (c *cli) settingsPropose() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "propose KEY VALUE",
		Short: "Propose a change of a setting to those who may make it",
		Long: `For who may not change settings, such as with the login of a node: the change
waits until an operator approves or rejects it. What could not be set is refused
at once. The same change waits once, whoever proposes it.`,
		Example: `  coterie settings propose session_ttl 12s -m "slow network"
  coterie settings propose heartbeat 1s -n`,
		Args: func(cmd *cobra.Command, args []string) error { return words(cmd, args, 2, 2, "KEY and VALUE") },
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withCluster(cmd, func(ctx context.Context, k *cluster) error { return c.propose(ctx, k, args[0], args[1], reason) })
		},
	}
	reasonFlag(cmd, &reason)
	return cmd
}

func (c *cli) settingsChanges() *cobra.Command {
	return &cobra.Command{
		Use:   "changes",
		Short: "Show the changes that were proposed, and what was decided",
		Example: `  coterie settings changes
  coterie settings changes -o json`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withCluster(cmd, func(ctx context.Context, k *cluster) error {
				rows, err := k.rows(ctx, "changes", "ORDER BY v.id DESC LIMIT 1000")
				if err != nil {
					return err
				}
				return c.show(rows,
					table.Number("NUMBER", "id"),
					table.Column("SETTING", "key"),
					settingValue(),
					table.Column("STATE", "state"),
					table.Column("PROPOSED BY", "proposed_by"),
					table.Column("DECIDED BY", "decided_by"),
					table.Prose("REASON", "reason"),
					table.Column("PROPOSED", "proposed_at").AsWide(),
					table.Column("LOGIN", "login").AsWide(),
					table.Column("ANSWER", "answer").AsWide())
			})
		},
	}
}

func (c *cli) settingsApprove() *cobra.Command {
	return c.decision("approve", "applied", "Make a change that was proposed", "change %d applied: %s is %s.\n",
		"Makes the change, as coterie settings set would, if it is possible still.")
}

func (c *cli) settingsReject() *cobra.Command {
	return c.decision("reject", "rejected", "Refuse a change that was proposed", "change %d rejected: %s stays %s.\n",
		"Refuses the change. Whoever proposed it sees the answer in coterie settings\nchanges.")
}

// decision is a verb that decides about a change.
func (c *cli) decision(verb, state, short, said, long string) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: verb + " NUMBER", Short: short, Long: long,
		Example: "  coterie settings " + verb + " 3 -n\n  coterie settings " + verb + " 3 -y -m \"after the audit\"",
		Args:    one("NUMBER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || number < 1 {
				return usageProblem("%q is not the number of a change", args[0]).hint("", "See: coterie settings changes")
			}
			return c.withCluster(cmd, func(ctx context.Context, k *cluster) error {
				return c.decideChange(ctx, k, decided{number, verb, state, said, reason})
			})
		},
	}
	reasonFlag(cmd, &reason)
	return cmd
}

// withCluster has a verb work with the cluster's database.
func (c *cli) withCluster(cmd *cobra.Command, work func(context.Context, *cluster) error) error {
	ctx, cancel := c.context(cmd)
	defer cancel()
	k, err := c.open(ctx, cmd)
	if err != nil {
		return err
	}
	defer k.db.Close()
	return work(ctx, k)
}

func (c *cli) propose(ctx context.Context, k *cluster, key, value, reason string) error {
	wanted, old, err := c.wantedSetting(ctx, k, key, value)
	if err != nil {
		return err
	}
	if old == wanted {
		c.say("%s is %v already.", key, wanted)
		return nil
	}
	var number sql.NullInt64
	seconds := fmt.Sprintf("%d microseconds", wanted.Microseconds())
	if err := c.said(ctx, k, &number, proposeSQL, key, seconds, caller(), reason); err != nil {
		if pe, ok := errors.AsType[*pq.Error](err); ok && pe.Code == "CT061" {
			return problem.New("COT-229", nil, "%s: coterie settings changes", pe.Message)
		}
		return settingProblem(key, wanted, err)
	}
	if c.flags.dryRun {
		_, err := c.agree("Would propose a change of the cluster:", []string{fmt.Sprintf("%s: %v -> %v", key, old, wanted)}, "")
		return err
	}
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.change/v1"},
		{Name: "id", Value: number.Int64},
		{Name: "key", Value: key},
		{Name: "value", Value: wanted.Seconds()},
		{Name: "current", Value: old.Seconds()},
		{Name: "state", Value: "pending"},
	}, fmt.Sprintf("change %d waits for approval: %s: %v -> %v\n", number.Int64, key, old, wanted))
}

// decided is what was decided about a change.
type decided struct {
	number                    int64
	verb, state, said, reason string
}

func (c *cli) decideChange(ctx context.Context, k *cluster, d decided) error {
	rows, err := k.rows(ctx, "changes", "WHERE v.id = $1", d.number)
	if err != nil {
		return err
	}
	if rows.Len() == 0 {
		return problem.New("COT-229", nil, "nobody proposed a change %d", d.number)
	}
	row := rows.Row(0)
	if row.Text("state") == d.state {
		c.say("change %d is %s already, by %s.", d.number, d.state, row.Text("decided_by"))
		return nil
	}
	now, value := inWords(row.Text("current")), inWords(row.Text("value"))
	var changed bool
	if c.flags.dryRun {
		err = c.said(ctx, k, &changed, decideSQL, d.number, d.state, caller(), d.reason)
	}
	if err == nil {
		var done bool
		title := fmt.Sprintf("Would %s change %d, proposed by %s:", d.verb, d.number, row.Text("proposed_by"))
		if done, err = c.agree(title, []string{fmt.Sprintf("%s: %s -> %s", row.Text("key"), now, value)}, "Go on?"); done {
			return err
		}
	}
	if err == nil {
		err = c.said(ctx, k, &changed, decideSQL, d.number, d.state, caller(), d.reason)
	}
	if pe, ok := errors.AsType[*pq.Error](err); ok && pe.Code == "CT062" {
		return problem.New("COT-229", nil, "%s", pe.Message)
	}
	if err != nil {
		wanted, bad := time.ParseDuration(value)
		return errors.Join(bad, settingProblem(row.Text("key"), wanted, err))
	}
	if d.state == "applied" {
		now = value
	}
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.change/v1"},
		{Name: "id", Value: d.number},
		{Name: "key", Value: row.Text("key")},
		{Name: "state", Value: d.state},
		{Name: "changed", Value: changed},
	}, fmt.Sprintf(d.said, d.number, row.Text("key"), now))
}

// said says a statement that commands; in a dry run it is taken back, so that all
// constraints are asked and nothing changes.
func (c *cli) said(ctx context.Context, k *cluster, into any, statement string, args ...any) error {
	if !c.flags.dryRun {
		return k.command(ctx, into, statement, args...)
	}
	tx, err := k.db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	return errors.Join(tx.GetContext(ctx, into, statement, args...), tx.Rollback())
}

// inWords is 6s where PostgreSQL writes 00:00:06.
func inWords(value string) string {
	if d, err := table.ParseInterval(value); err == nil {
		return d.String()
	}
	return value
}
