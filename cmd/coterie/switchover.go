package main

import (
	"context"
	"errors"
	"time"

	"github.com/lib/pq"
	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

// switchover is a lease that is to move, and how.
type switchover struct {
	lease, to, reason string
	now, noWait       bool
	deadline          time.Duration
}

func (c *cli) switchoverCommand() *cobra.Command {
	var s switchover
	cmd := &cobra.Command{
		Use:   "switchover LEASE",
		Short: "Move a lease to another node",
		Long: `Asks the holder of a lease to hand it over: between runs, or at once with --now,
which stops what runs. The node that you name keeps the lease, whatever balance
would do; without --to the one that holds least takes it. To stop waiting
(Ctrl-C) does not stop the move.`,
		Example: `  coterie switchover job/report-nightly --to app-b -m "app-a is slow"
  coterie switchover job/report-nightly -n`,
		Args:              one("LEASE"),
		ValidArgsFunction: c.completeNames("leases"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s.lease = args[0]
			ctx, cancel := c.context(cmd)
			defer cancel()
			k, err := c.open(ctx, cmd)
			if err != nil {
				return err
			}
			defer k.db.Close()
			return c.moveLease(ctx, k, s)
		},
	}
	cmd.Flags().StringVar(&s.to, "to", "", "`NODE` that is to hold it")
	cmd.Flags().BoolVar(&s.now, "now", false, "do not wait for the present run: stop it")
	cmd.Flags().BoolVar(&s.noWait, "no-wait", false, "ask, and do not wait until it has moved")
	cmd.Flags().DurationVar(&s.deadline, "deadline", 10*time.Minute, "wait this `TIME` at most; the move goes on (exit 7)")
	reasonFlag(cmd, &s.reason)
	return cmd
}

type heldLease struct {
	Holder *string
	Token  int64
}

const heldSQL = `SELECT holder, token FROM coterie.leases WHERE name = $1`

func (c *cli) moveLease(ctx context.Context, k *cluster, s switchover) error {
	var before []heldLease
	if err := k.db.SelectContext(ctx, &before, heldSQL, s.lease); err != nil {
		return err
	}
	if len(before) == 0 {
		return k.none(ctx, "COT-101", "leases", "lease", s.lease)
	}
	if c.flags.dryRun {
		to := s.to
		if to == "" {
			to = "the node that holds least"
		}
		c.say("Would move %s from %s to %s. No change made.", s.lease, orDash(before[0].Holder), to)
		return outcome(problem.ExitChanges)
	}
	var to *string
	if s.to != "" {
		to = &s.to
	}
	begun := time.Now()
	var moved struct {
		From  string `db:"from_node"`
		To    string `db:"to_node"`
		Token int64
	}
	err := k.command(ctx, &moved, `SELECT from_node, to_node, token FROM coterie.lease_move($1, $2, $3, $4, $5)`, s.lease, to, s.now, caller(), s.reason)
	if err != nil {
		return moveProblem(err)
	}
	if moved.From == moved.To {
		c.say("%s is held by %s already, and stays there.", s.lease, moved.To)
		return nil
	}
	if s.noWait {
		c.say("%s was asked to hand %s over to %s.", moved.From, s.lease, moved.To)
		return nil
	}
	return c.awaitMove(ctx, k, s, moved.From, moved.Token, begun)
}

// awaitMove waits until a lease has another token.
func (c *cli) awaitMove(ctx context.Context, k *cluster, s switchover, from string, token int64, begun time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, s.deadline)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var now []heldLease
		err := k.db.SelectContext(ctx, &now, heldSQL, s.lease)
		switch {
		case err == nil && len(now) == 1 && now[0].Token != token && now[0].Holder != nil:
			took := time.Since(begun)
			return c.document(table.Document{
				{Name: "schema", Value: "coterie.switchover/v1"},
				{Name: "lease", Value: s.lease},
				{Name: "from_node", Value: from},
				{Name: "to_node", Value: *now[0].Holder},
				{Name: "token", Value: now[0].Token},
				{Name: "took", Value: took.Seconds()},
			}, s.lease+": "+from+" -> "+*now[0].Holder+", after "+took.Round(time.Millisecond).String()+"\n")
		case ctx.Err() != nil:
			return problem.New("COT-105", nil, "%s is still with %s", s.lease, from)
		case err != nil:
			return err
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// moveProblem names what the database refuses.
func moveProblem(err error) error {
	said, ok := errors.AsType[*pq.Error](err)
	if !ok {
		return err
	}
	switch said.Code {
	case "CT030":
		return problem.New("COT-101", nil, "%s", said.Message)
	case "CT031", "CT032":
		return problem.New("COT-108", nil, "%s", said.Message)
	case "CT033":
		return problem.New("COT-107", nil, "%s", said.Message)
	}
	return err
}

func orDash(s *string) string {
	if s == nil {
		return "nobody"
	}
	return *s
}
