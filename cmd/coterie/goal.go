package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lib/pq"
	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

// goal is what drain and resume are about: a node, what it is to become, and
// how long to wait for that.
type goal struct {
	node       string
	wanted     string // the goal, which is also the state that fulfils it
	reason     string
	deadline   time.Duration
	self       bool
	noWait     bool
	allowEmpty bool
	stop       bool // what still runs when the deadline has passed
}

func (c *cli) drainCommand() *cobra.Command {
	g := &goal{wanted: "drained"}
	cmd := &cobra.Command{
		Use:   "drain NODE",
		Short: "Take a node out of service: no new work, hand over, wait",
		Long: `Take a node out of service. Load balancers are told first; then it takes no new
work, hands its leases over, and finishes what it runs. It keeps its place in
the cluster. To stop waiting (Ctrl-C) does not stop the drain. With --stop what
still runs at the deadline is stopped, and goes by the rules of its job.`,
		Example: `  coterie drain app-c -m "kernel update"
  coterie drain --self -y --deadline 5m
  coterie drain app-c --deadline 10m --stop
  coterie drain app-c -n`,
		Args:              g.args,
		ValidArgsFunction: c.completeNames("nodes"),
		RunE:              func(cmd *cobra.Command, args []string) error { return c.runGoal(cmd, g, args) },
	}
	g.flags(cmd, "how long to wait (default: drain.deadline of the configuration)")
	cmd.Flags().BoolVar(&g.stop, "stop", false, "stop what still runs when the deadline has passed")
	cmd.Flags().BoolVar(&g.allowEmpty, "allow-empty", false, "even if no other node is ready")
	return cmd
}

func (c *cli) resumeCommand() *cobra.Command {
	g := &goal{wanted: "ready"}
	cmd := &cobra.Command{
		Use:   "resume NODE",
		Short: "Take a drained node back into service",
		Example: `  coterie resume app-c
  coterie resume --self`,
		Args:              g.args,
		ValidArgsFunction: c.completeNames("nodes"),
		RunE:              func(cmd *cobra.Command, args []string) error { return c.runGoal(cmd, g, args) },
	}
	g.flags(cmd, "how long to wait (default: 1m)")
	return cmd
}

func (g *goal) flags(cmd *cobra.Command, deadline string) {
	reasonFlag(cmd, &g.reason)
	cmd.Flags().BoolVar(&g.self, "self", false, "the node of this configuration")
	cmd.Flags().BoolVar(&g.noWait, "no-wait", false, "set the goal and do not wait for the node")
	cmd.Flags().DurationVar(&g.deadline, "deadline", 0, deadline)
}

func (g *goal) args(cmd *cobra.Command, args []string) error {
	if g.self {
		return nothing(cmd, args)
	}
	return words(cmd, args, 1, 1, "NODE, or --self")
}

func (c *cli) runGoal(cmd *cobra.Command, g *goal, args []string) error {
	ctx := cmd.Context()
	k, err := c.open(ctx, cmd)
	if err != nil {
		return err
	}
	defer k.db.Close()
	g.node = k.cfg.Node.Name
	if len(args) > 0 {
		g.node = args[0]
	}
	if g.deadline <= 0 {
		g.deadline = time.Minute
		if g.wanted == "drained" {
			g.deadline = k.cfg.Drain.Deadline
		}
	}
	before, err := k.node(ctx, g.node)
	if err != nil {
		return err
	}
	if before.Text("goal") == g.wanted && before.Text("state") == g.wanted {
		return c.reached(g, before, false)
	}
	if done, err := c.setGoal(ctx, k, g, before); done || err != nil {
		return err
	}
	if g.noWait {
		return c.reached(g, before, true)
	}
	return c.waitForGoal(ctx, k, g)
}

// node is the row of one node.
func (k *cluster) node(ctx context.Context, name string) (table.Row, error) {
	rows, err := k.rows(ctx, "nodes", "WHERE v.name = $1", name)
	if err != nil {
		return table.Row{}, err
	}
	if rows.Len() == 0 {
		return table.Row{}, k.none(ctx, "COT-610", "nodes", "node", name)
	}
	return rows.Row(0), nil
}

const (
	drainSQL  = `SELECT coterie.node_drain($1, $2, $3, $4)`
	resumeSQL = `SELECT coterie.node_goal($1, 'ready', $2, $3)`
)

// setGoal says what it will do, asks, and writes the goal. A dry run is done then.
func (c *cli) setGoal(ctx context.Context, k *cluster, g *goal, before table.Row) (done bool, err error) {
	if before.Text("goal") == g.wanted {
		return false, nil // somebody else has; all that is left is to wait
	}
	if g.wanted == "drained" && !g.allowEmpty && before.Text("state") == "ready" {
		if err := c.lastReady(ctx, k, g.node); err != nil {
			return false, err
		}
	}
	if c.flags.dryRun || g.wanted == "drained" {
		steps := []string{fmt.Sprintf("goal of %s: %s -> %s", g.node, before.Text("goal"), g.wanted)}
		if n := before.Int("leases_held"); n > 0 {
			steps = append(steps, plural(n, "lease")+" to hand over, each after the run that it is in")
		}
		if done, err := c.agree("Would "+map[string]string{"drained": "drain ", "ready": "resume "}[g.wanted]+g.node+":", steps, "Go on?"); done || err != nil {
			return done, err
		}
	}
	var changed bool
	if g.wanted == "drained" {
		err = k.command(ctx, &changed, drainSQL, g.node, caller(), g.reason, g.allowEmpty)
	} else {
		err = k.command(ctx, &changed, resumeSQL, g.node, caller(), g.reason)
	}
	if said, ok := errors.AsType[*pq.Error](err); ok && said.Code == "CT014" {
		return false, c.lastReadyProblem(g.node)
	}
	if err != nil {
		return false, fmt.Errorf("set the goal of %s: %w", g.node, err)
	}
	return false, nil
}

const othersReadySQL = `SELECT EXISTS (SELECT FROM coterie.nodes WHERE name <> $1 AND state = 'ready' AND goal = 'ready')`

// lastReady refuses early, before anybody is asked; node_drain refuses for sure.
func (c *cli) lastReady(ctx context.Context, k *cluster, node string) error {
	var others bool
	if err := k.db.GetContext(ctx, &others, othersReadySQL, node); err != nil {
		return fmt.Errorf("look for other ready nodes: %w", err)
	}
	if !others {
		return c.lastReadyProblem(node)
	}
	return nil
}

func (c *cli) lastReadyProblem(node string) error {
	p := problem.New("COT-120", nil, "refused: %s is the last ready node; nobody would serve", node)
	p.Remedy = "first resume another node, or: " + c.again("drain %s --allow-empty", node)
	return p
}

// reached is the end: the node is what it should be, or was told to become it.
func (c *cli) reached(g *goal, r table.Row, waiting bool) error {
	text := fmt.Sprintf("%s is %s.", g.node, g.wanted)
	switch {
	case waiting:
		text = fmt.Sprintf("%s: goal %s. It is %s.", g.node, g.wanted, r.Text("state"))
	case g.wanted == "drained":
		text += " It keeps its place in the cluster.\n    later  " + c.again("resume %s", g.node)
	}
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.goal/v1"},
		{Name: "node", Value: g.node},
		{Name: "goal", Value: g.wanted},
		{Name: "state", Value: r.Text("state")},
	}, text+"\n")
}
