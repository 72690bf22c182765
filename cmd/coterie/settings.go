package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"strings"
	"time"

	"github.com/lib/pq"
	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

func (c *cli) settingsCommand() *cobra.Command {
	return c.family("settings", "Values that are equal on all nodes",
		`  coterie settings show
  coterie settings set session_ttl 12s -m "slow network"
  coterie settings propose heartbeat 1s -m "faster hand-overs"
  coterie settings approve 3 -y`,
		c.settingsShow(), c.settingsSet(), c.settingsPropose(), c.settingsChanges(), c.settingsApprove(), c.settingsReject())
}

func (c *cli) settingsShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Show the settings of the cluster",
		Example: `  coterie settings show
  coterie settings show -o json`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			k, err := c.open(ctx, cmd)
			if err != nil {
				return err
			}
			defer k.db.Close()
			rows, err := k.rows(ctx, "settings", "")
			if err != nil {
				return err
			}
			var waiting int64
			if err := k.db.GetContext(ctx, &waiting, waitingSQL); err != nil {
				return fmt.Errorf("read the changes: %w", err)
			}
			if waiting > 0 {
				c.say("%s for approval: coterie settings changes", plural(waiting, "change")+map[bool]string{true: " waits", false: " wait"}[waiting == 1])
			}
			return c.show(rows, table.Column("SETTING", "key"), settingValue(), table.Column("CHANGED", "changed_at"), table.Column("BY", "changed_by"))
		},
	}
}

// settingValue writes 6s where PostgreSQL writes 00:00:06.
func settingValue() table.Field {
	return table.Field{Title: "VALUE", Right: true, Show: func(r table.Row) string { return inWords(r.Text("value")) }}
}

func (c *cli) settingsSet() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "set KEY VALUE",
		Short: "Change a setting, for all nodes",
		Example: `  coterie settings set session_ttl 12s -m "slow network"
  coterie settings set heartbeat 1s -n`,
		Args: func(cmd *cobra.Command, args []string) error { return words(cmd, args, 2, 2, "KEY and VALUE") },
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			k, err := c.open(ctx, cmd)
			if err != nil {
				return err
			}
			defer k.db.Close()
			return c.setSetting(ctx, k, args[0], args[1], reason)
		},
	}
	reasonFlag(cmd, &reason)
	return cmd
}

const settingSQL = `SELECT value FROM coterie.settings WHERE key = $1`

// wantedSetting is a setting as somebody wants it to be, and as it is.
func (c *cli) wantedSetting(ctx context.Context, k *cluster, key, value string) (wanted, old time.Duration, err error) {
	var before []string
	if err := k.db.SelectContext(ctx, &before, settingSQL, key); err != nil {
		return 0, 0, fmt.Errorf("read setting %s: %w", key, err)
	}
	if len(before) == 0 {
		return 0, 0, c.noSetting(ctx, k, key)
	}
	if wanted, err = time.ParseDuration(value); err != nil {
		return 0, 0, problem.New("COT-216", nil, "%s: %q is not a duration (write 6s, 1500ms)", key, value)
	}
	old, err = table.ParseInterval(before[0])
	return wanted, old, err
}

func (c *cli) setSetting(ctx context.Context, k *cluster, key, value, reason string) error {
	wanted, old, err := c.wantedSetting(ctx, k, key, value)
	if err != nil {
		return err
	}
	if old == wanted {
		c.say("%s is %v already.", key, wanted)
		return nil
	}
	changed, err := c.change(ctx, k, key, wanted, reason)
	if err != nil {
		return settingProblem(key, wanted, err)
	}
	if c.flags.dryRun {
		_, err := c.agree("Would change a setting of the cluster:", []string{fmt.Sprintf("%s: %v -> %v", key, old, wanted)}, "")
		return err
	}
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.setting/v1"},
		{Name: "key", Value: key},
		{Name: "value", Value: wanted.Seconds()},
		{Name: "before", Value: old.Seconds()},
		{Name: "changed", Value: changed},
	}, fmt.Sprintf("%s: %v -> %v; nodes follow with their next heartbeat.\n", key, old, wanted))
}

const changeSQL = `SELECT coterie.setting_change($1, $2, $3, $4)`

// change changes a setting.
func (c *cli) change(ctx context.Context, k *cluster, key string, wanted time.Duration, reason string) (changed bool, err error) {
	err = c.said(ctx, k, &changed, changeSQL, key, fmt.Sprintf("%d microseconds", wanted.Microseconds()), caller(), reason)
	return changed, err
}

func settingProblem(key string, wanted time.Duration, err error) error {
	said, ok := errors.AsType[*pq.Error](err)
	if !ok {
		return err
	}
	switch {
	case said.Constraint == "terms_leave_room":
		p := problem.New("COT-216", nil, "%s cannot be %v: 2 * heartbeat + margin must be less than session_ttl", key, wanted)
		p.Remedy = "coterie settings show; change session_ttl first, or choose a shorter time"
		return p
	case said.Constraint == "terms_are_sane":
		return problem.New("COT-216", nil, "%s cannot be %v: heartbeat and margin are at least 50ms, session_ttl at most 10m", key, wanted)
	case strings.HasPrefix(string(said.Code), "23"), said.Code == "CT013":
		return problem.New("COT-216", nil, "%s cannot be %v: %s", key, wanted, said.Message)
	}
	return err
}

func (c *cli) noSetting(ctx context.Context, k *cluster, key string) error {
	var keys []string
	if err := k.db.SelectContext(ctx, &keys, `SELECT key FROM coterie.settings ORDER BY key`); err != nil {
		return fmt.Errorf("read the settings: %w", err)
	}
	return nearest("COT-221", "no setting", key, keys)
}

// caller is who acts, as people know them: the user of the operating system.
// The database adds the role by itself.
func caller() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "unknown"
}
