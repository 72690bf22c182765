package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/coordinator/keyring"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/keystore/rollout"
)

// activating is what coterie keystore activate and rollback were asked for.
type activating struct {
	name, reason   string
	version        int64
	wait, patience time.Duration
}

// usualPatience is in what time something must move, or all nodes go back.
const usualPatience = 2 * time.Minute

func (v *activating) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&v.name, "name", usualKeystore, "`NAME` of the keystore")
	cmd.Flags().DurationVar(&v.wait, "wait", 10*time.Minute, "`TIME` to wait for the end; 0 does not wait")
	cmd.Flags().DurationVar(&v.patience, "patience", usualPatience, "`TIME` in which something must move, or all nodes go back")
	reasonFlag(cmd, &v.reason)
}

func (c *cli) keystoreActivate() *cobra.Command {
	var v activating
	cmd := &cobra.Command{
		Use:   "activate",
		Short: "Bring a version to all nodes, one first, proved by handshakes",
		Long: `Every living node opens the version and looks at it as its server would. If all
would take it, one puts it in place, has its server reload, and proves by a
handshake that it is served; then the others do. If one cannot, all of them get
back what they had. A node that is away catches up before it is ready again.

Ctrl-C stops only the waiting. What is active already is left alone.`,
		Example: `  coterie keystore activate -n
  coterie keystore activate -y -m "renewed"
  coterie keystore activate --version 3 -y --wait 0`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withRollout(cmd, v, func(ctx context.Context, k *cluster) error {
				version, active, err := k.toActivate(ctx, v)
				if err != nil {
					return err
				}
				return c.activate(ctx, k, v, version, active)
			})
		},
	}
	v.add(cmd)
	cmd.Flags().Int64Var(&v.version, "version", 0, "`NUMBER` of the version (default: the newest)")
	return cmd
}

func (c *cli) keystoreRollback() *cobra.Command {
	var v activating
	cmd := &cobra.Command{
		Use:   "rollback",
		Short: "Bring back the version that was active before",
		Long: `Calls back the rollout that is under way, so that all nodes get back what they
had; if there is none, brings the version that was active before the present one
to all nodes, in the same steps as activate.`,
		Example: `  coterie keystore rollback -n
  coterie keystore rollback -y -m "clients do not know the issuer"`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withRollout(cmd, v, func(ctx context.Context, k *cluster) error { return c.rollback(ctx, k, v) })
		},
	}
	v.add(cmd)
	return cmd
}

func (c *cli) withRollout(cmd *cobra.Command, v activating, do func(context.Context, *cluster) error) error {
	if v.patience < time.Second || v.wait < 0 {
		return usageProblem("--patience must be at least 1s, and --wait not less than 0").hint("", "See: coterie keystore activate --help")
	}
	ctx, cancel := c.context(cmd)
	defer cancel()
	k, err := c.open(ctx, cmd)
	if err != nil {
		return err
	}
	defer k.db.Close()
	return do(ctx, k)
}

// noVersion is the problem of a version that is not there; 0 is the newest of none.
func noVersion(name string, version int64) error {
	if version != 0 {
		return problem.New("COT-918", nil, "%s has no version %d", name, version)
	}
	p := problem.New("COT-918", nil, "no version of %s was staged yet", name)
	p.Remedy = "coterie keystore stage FILE"
	return p
}

const standingSQL = `
SELECT coalesce(max(version), 0) AS newest, coalesce(max(version) FILTER (WHERE state = 'active'), 0) AS active
FROM coterie.keystores WHERE name = $1`

// toActivate is the version that was asked for, and the one that is active.
func (k *cluster) toActivate(ctx context.Context, v activating) (version, active int64, err error) {
	var standing struct{ Newest, Active int64 }
	if err := k.db.GetContext(ctx, &standing, standingSQL, v.name); err != nil {
		return 0, 0, fmt.Errorf("read the versions of %s: %w", v.name, err)
	}
	if version = v.version; version == 0 {
		version = standing.Newest
	}
	if version < 1 || version > standing.Newest {
		return 0, 0, noVersion(v.name, version)
	}
	return version, standing.Active, nil
}

func (c *cli) activate(ctx context.Context, k *cluster, v activating, version, active int64) error {
	if version == active {
		return c.activated(keyring.Progress{Name: v.name, Version: version, Phase: rollout.Done}, false)
	}
	plan := []string{"every living node looks at it and votes", "one node puts it in place and proves it, then the others"}
	if active != 0 {
		plan = append(plan, fmt.Sprintf("if one cannot, all go back to version %d", active))
	} else {
		plan = append(plan, "if one cannot, all get back what they have now")
	}
	if done, err := c.agree(fmt.Sprintf("Would bring version %d of %s to all nodes:", version, v.name), plan, "Go on?"); done || err != nil {
		return err
	}
	id, err := keyring.Activate(ctx, k.db, keyring.Activation{
		Name: v.name, Version: version, Active: active, Patience: v.patience, By: caller(), Reason: v.reason,
	})
	if conflict, ok := errors.AsType[*keyring.ConflictError](err); ok {
		p := problem.New("COT-925", nil, "%s", conflict.Said)
		if conflict.Hint != "" {
			p.Remedy = conflict.Hint
		}
		return p
	}
	if errors.Is(err, keyring.ErrNoVersion) {
		return noVersion(v.name, version)
	}
	if err != nil {
		return err
	}
	if id == 0 {
		return c.activated(keyring.Progress{Name: v.name, Version: version, Phase: rollout.Done}, false)
	}
	return c.followRollout(ctx, k, v, id)
}

func (c *cli) rollback(ctx context.Context, k *cluster, v activating) error {
	last, found, err := keyring.FindRollout(ctx, k.db, v.name, 0)
	if err != nil {
		return err
	}
	if found && last.Phase.Open() {
		if done, err := c.agree(fmt.Sprintf("Would call version %d of %s back:", last.Version, v.name), []string{"every node gets back what it had"}, "Go on?"); done || err != nil {
			return err
		}
		if _, err := keyring.Recall(ctx, k.db, last.ID, caller(), v.reason); err != nil {
			return err
		}
		v.version = -1 // that it goes back is what is wanted
		return c.followRollout(ctx, k, v, last.ID)
	}
	_, active, err := k.toActivate(ctx, v)
	if err != nil {
		return err
	}
	before, err := k.before(ctx, v.name, active)
	if err != nil {
		return err
	}
	return c.activate(ctx, k, v, before, active)
}

const beforeSQL = `
SELECT coalesce((SELECT previous FROM coterie.keystore_rollouts WHERE name = $1 AND version = $2 AND phase = 'done' ORDER BY id DESC LIMIT 1), 0)`

// before is the version that was active before another.
func (k *cluster) before(ctx context.Context, name string, active int64) (before int64, err error) {
	if err := k.db.GetContext(ctx, &before, beforeSQL, name, active); err != nil {
		return 0, fmt.Errorf("read the rollouts of %s: %w", name, err)
	}
	if before == 0 {
		return 0, problem.New("COT-927", nil, "no version of %s was active before", name)
	}
	return before, nil
}

// followRollout waits for the end of a rollout, and tells its steps.
func (c *cli) followRollout(ctx context.Context, k *cluster, v activating, id int64) error {
	deadline := time.Now().Add(v.wait)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var told rollout.Phase
	for {
		p, found, err := keyring.FindRollout(ctx, k.db, v.name, id)
		if err != nil {
			return err
		}
		if !found {
			return problem.New("COT-918", nil, "rollout %d of %s is gone", id, v.name)
		}
		if p.Phase != told {
			c.say("%s", steps(p))
			told = p.Phase
		}
		switch {
		case !p.Phase.Open():
			return c.ended(p, v.version == -1)
		case v.wait == 0:
			return c.activated(p, true)
		case time.Now().After(deadline):
			pr := problem.New("COT-928", nil, "version %d of %s: %s after %s", p.Version, v.name, p.Phase, table.Duration(v.wait))
			return pr
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// steps says in words how far a rollout is.
func steps(p keyring.Progress) string {
	switch p.Phase {
	case rollout.Voting:
		return fmt.Sprintf("version %d of %s: every node looks at it", p.Version, p.Name)
	case rollout.Canary:
		return p.Canary + " goes first"
	case rollout.Rest:
		return "the others follow"
	case rollout.Back:
		return "all go back: " + p.Failure
	}
	return fmt.Sprintf("%s after %s", p.Phase, table.Duration(time.Duration(p.Seconds*float64(time.Second))))
}

// ended is what became of a rollout; that it went back is what a rollback wants.
func (c *cli) ended(p keyring.Progress, wanted bool) error {
	switch {
	case p.Phase == rollout.Done, wanted:
		return c.activated(p, true)
	case p.Phase == rollout.Refused:
		return problem.New("COT-923", nil, "version %d of %s: %s", p.Version, p.Name, p.Failure)
	}
	return problem.New("COT-924", nil, "version %d of %s: %s", p.Version, p.Name, p.Failure)
}

func (c *cli) activated(p keyring.Progress, did bool) error {
	text := fmt.Sprintf("Version %d of %s is active already; nothing to do.\n", p.Version, p.Name)
	switch {
	case did && p.Phase == rollout.Done:
		text = fmt.Sprintf("Version %d of %s is active: every node serves it.\n", p.Version, p.Name)
	case did && p.Phase.Open():
		text = fmt.Sprintf("Version %d of %s is on its way: coterie keystore status\n", p.Version, p.Name)
	case did:
		text = fmt.Sprintf("Version %d of %s is called back: every node has what it had.\n", p.Version, p.Name)
	}
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.keystore_activate/v1"},
		{Name: "name", Value: p.Name},
		{Name: "version", Value: p.Version},
		{Name: "rollout", Value: p.ID},
		{Name: "phase", Value: string(p.Phase)},
		{Name: "seconds", Value: p.Seconds},
	}, text)
}
