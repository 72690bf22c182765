package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/coordinator"
	"github.com/coterie-ha/coterie/coordinator/vouch"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

// joining is what coterie join was asked for.
type joining struct {
	token string
	wait  time.Duration
}

func (c *cli) joinCommand() *cobra.Command {
	var v joining
	cmd := c.view(&cobra.Command{
		Use:   "join",
		Short: "Ask that this installation may join, and show its fingerprint",
		Long: `Makes the identity of this installation, unless it has one, asks the cluster to
admit it, and shows its fingerprint, by which whoever approves it knows that it
is this machine: coterie nodes approve NODE --fingerprint F. With a one-time
token nobody need do that. A cluster that does not ask for approval admits
everybody who has a login of its database, and says so. Saying it again is
harmless, also while the agent is at work.`,
		Example: `  coterie -c app-d.yaml join
  coterie -c app-d.yaml join --token-file T       T is one line; - for stdin
  coterie -c app-d.yaml join --wait 10m           until somebody approved it`,
		Args: nothing,
	}, func(ctx context.Context, k *cluster, _ []string) error { return c.join(ctx, k, v) })
	cmd.Flags().StringVar(&v.token, "token-file", "", "`FILE` with a one-time token; - for stdin")
	cmd.Flags().DurationVar(&v.wait, "wait", 0, "longest `TIME` to wait for the approval")
	return cmd
}

func (c *cli) join(ctx context.Context, k *cluster, v joining) error {
	var token *vouch.Token
	if v.token != "" {
		text, err := c.readPassword(v.token)
		if err != nil {
			return err
		}
		t, err := vouch.ParseToken(string(text))
		if err != nil {
			return problem.New("COT-943", nil, "%s: %v", v.token, err)
		}
		token = &t
	}
	node := k.cfg.Node.Name
	if c.flags.dryRun {
		steps := []string{fmt.Sprintf("ask cluster %s to admit %s", k.cfg.Cluster, node)}
		if _, err := coordinator.FindIdentity(k.cfg.Node.StateDir); err != nil {
			steps = append([]string{"make an identity in " + k.cfg.Node.StateDir}, steps...)
		}
		_, err := c.agree("Would join:", steps, "")
		return err
	}
	there, err := clusterIn(ctx, k.db)
	if err != nil {
		return err
	}
	if there.Name != k.cfg.Cluster {
		return problem.New("COT-209", nil, "the database holds cluster %q, and the configuration says %q", there.Name, k.cfg.Cluster)
	}
	identity, err := coordinator.OpenIdentity(k.cfg.Node.StateDir)
	if err != nil {
		return err
	}
	answer, err := c.askToJoin(ctx, k, identity.ID(), token, v.wait)
	if err != nil {
		return err
	}
	return c.joined(k, identity.ID(), answer, v)
}

// askToJoin asks, and again until it is decided or the time is over.
func (c *cli) askToJoin(ctx context.Context, k *cluster, id string, token *vouch.Token, wait time.Duration) (vouch.Answer, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("ask for the name of this host: %w", err)
	}
	for begun := time.Now(); ; {
		answer, err := vouch.Ask(ctx, k.db, id, k.cfg.Node.Name, host, token)
		if err != nil {
			return "", vouchProblem(err)
		}
		if answer != vouch.Pending || time.Since(begun) >= wait {
			return answer, nil
		}
		if token = nil; time.Since(begun) < time.Second {
			c.say("%s waits for approval; its fingerprint is %s", k.cfg.Node.Name, id)
		}
		if err := pause(ctx, time.Second); err != nil {
			return "", err
		}
	}
}

// joined tells what came of it, and what comes next.
func (c *cli) joined(k *cluster, id string, answer vouch.Answer, v joining) error {
	node := k.cfg.Node.Name
	switch answer {
	case vouch.Rejected:
		return problem.New("COT-943", nil, "the token does not admit %s", node)
	case vouch.Withdrawn:
		p := problem.New("COT-942", nil, "the approval of %s was withdrawn; its fingerprint is %s", node, id)
		p.Exit = problem.ExitRefused
		return p
	}
	text := map[vouch.Answer]string{
		vouch.Open:     "This cluster asks nobody for approval: a login of its database admits.",
		vouch.Pending:  "It waits for approval.",
		vouch.Approved: "It is approved.",
	}[answer]
	lines := facts{{"", fmt.Sprintf("%s wants to be a node of %s. %s", node, k.cfg.Cluster, text)}}
	lines.add("    fingerprint", "%s", id)
	if answer == vouch.Pending {
		lines.add("    elsewhere", "coterie nodes approve %s --fingerprint %s", node, id)
	}
	lines.add("    next", "%s", c.again("agent"))
	err := c.document(table.Document{
		{Name: "schema", Value: "coterie.join/v1"},
		{Name: "node", Value: node},
		{Name: "cluster", Value: k.cfg.Cluster},
		{Name: "fingerprint", Value: id},
		{Name: "state", Value: string(answer)},
	}, lines.String())
	if err == nil && answer == vouch.Pending && v.wait > 0 {
		return problem.New("COT-947", nil, "%s is not approved yet", node)
	}
	return err
}

func (c *cli) evictCommand() *cobra.Command {
	var reason string
	cmd := c.view(&cobra.Command{
		Use:   "evict NODE",
		Short: "Put a node out of the cluster for good",
		Long: `For a node that is not to come back: its certificates leave the trust store of
all others at once, and its installation may not join again unless somebody
approves it (coterie nodes approve). A node that lives is refused: stop its
agent first. An agent that stops for a while needs nothing of this.`,
		Example: `  coterie evict app-c -m "sold"
  coterie evict app-c -n`,
		Args:              one("NODE"),
		ValidArgsFunction: c.completeNames("nodes"),
	}, func(ctx context.Context, k *cluster, args []string) error {
		r, err := k.node(ctx, args[0])
		if err != nil {
			return err
		}
		if done, err := c.agree("Would evict "+args[0]+":", []string{args[0] + ": " + r.Text("state") + " -> evicted", "no server trusts its certificates any more"}, "Go on?"); done || err != nil {
			return err
		}
		out, err := vouch.Evict(ctx, k.db, args[0], caller(), reason)
		if refused, ok := errors.AsType[*vouch.RefusedError](err); ok {
			return problem.New("COT-948", nil, "not evicted: %s", refused.Said)
		}
		if err != nil {
			return err
		}
		text := fmt.Sprintf("%s is out of the cluster; all nodes follow.\n", args[0])
		if !out {
			text = fmt.Sprintf("%s is out already; nothing to do.\n", args[0])
		}
		return c.document(table.Document{
			{Name: "schema", Value: "coterie.evict/v1"},
			{Name: "node", Value: args[0]},
			{Name: "changed", Value: out},
		}, text)
	})
	reasonFlag(cmd, &reason)
	return cmd
}
