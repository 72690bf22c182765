package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/coordinator/vouch"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

func (c *cli) nodesApprovals() *cobra.Command {
	return c.view(&cobra.Command{
		Use:   "approvals",
		Short: "Show which installations asked to join, and what was decided",
		Example: `  coterie nodes approvals
  coterie nodes approvals -o json`,
		Args: nothing,
	}, func(ctx context.Context, k *cluster, _ []string) error {
		rows, err := k.rows(ctx, "approvals", "ORDER BY v.state, v.asked_at, v.id")
		if err != nil {
			return err
		}
		return c.show(rows,
			table.Column("NODE", "node"),
			table.Column("STATE", "state"),
			table.Column("FINGERPRINT", "id"),
			table.Column("HOW", "how"),
			table.Span("ASKED", "asked_at"),
			table.Column("HOST", "host").AsWide(),
			table.Column("BY", "decided_by").AsWide(),
			table.Prose("REASON", "reason").AsWide())
	})
}

func (c *cli) nodesApprove() *cobra.Command {
	var fingerprint, reason string
	cmd := c.view(&cobra.Command{
		Use:   "approve NODE",
		Short: "Let an installation join that asked to",
		Long: `Approves the installation that wants to be NODE. Its fingerprint is shown here
and there (coterie join): compare them. With -y the fingerprint must be given,
since nobody looks. A node that was evicted may come back by this.`,
		Example: `  coterie nodes approve app-d
  coterie nodes approve app-d --fingerprint 6b1f... -y -m "ticket 4711"`,
		Args:              one("NODE"),
		ValidArgsFunction: c.completeNames("nodes"),
	}, func(ctx context.Context, k *cluster, args []string) error {
		return c.decide(ctx, k, args[0], fingerprint, vouch.Approved, reason)
	})
	cmd.Flags().StringVar(&fingerprint, "fingerprint", "", "`FINGERPRINT` that coterie join shows there")
	reasonFlag(cmd, &reason)
	return cmd
}

func (c *cli) nodesWithdraw() *cobra.Command {
	var fingerprint, reason string
	cmd := c.view(&cobra.Command{
		Use:   "withdraw NODE",
		Short: "Have no server trust the certificates of a node any more, at once",
		Long: `For a machine that is not trusted any more, also while it lives and also where
nobody is asked for approval: its certificates leave the trust store of all
others. It keeps what it holds; stop its agent and evict it to end that.`,
		Example:           `  coterie nodes withdraw app-c -m "broken into"`,
		Args:              one("NODE"),
		ValidArgsFunction: c.completeNames("nodes"),
	}, func(ctx context.Context, k *cluster, args []string) error {
		return c.decide(ctx, k, args[0], fingerprint, vouch.Withdrawn, reason)
	})
	cmd.Flags().StringVar(&fingerprint, "fingerprint", "", "`FINGERPRINT` of the installation, if there are several")
	reasonFlag(cmd, &reason)
	return cmd
}

// decide approves an installation, or withdraws that.
func (c *cli) decide(ctx context.Context, k *cluster, node, fingerprint string, to vouch.Answer, reason string) error {
	a, err := c.meant(ctx, k, node, fingerprint, to)
	if err != nil {
		return err
	}
	if a.State != string(to) {
		if to == vouch.Approved && c.flags.yes && fingerprint == "" {
			return usageProblem("-y needs --fingerprint: nobody compares it").hint("", "coterie nodes approvals")
		}
		verb := map[vouch.Answer]string{vouch.Approved: "Would approve ", vouch.Withdrawn: "Would withdraw the approval of "}[to]
		steps := []string{"fingerprint " + a.ID, "host " + orElse(a.Host, "unknown")}
		if done, err := c.agree(verb+node+":", steps, "Is this the fingerprint that is shown there?"); done || err != nil {
			return err
		}
	}
	done, err := vouch.Decide(ctx, k.db, a, to, caller(), reason)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%s (%s) is %s; all nodes follow.\n", node, a.ID, to)
	if !done {
		text = fmt.Sprintf("%s (%s) is %s already; nothing to do.\n", node, a.ID, to)
	}
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.approval/v1"},
		{Name: "node", Value: node},
		{Name: "fingerprint", Value: a.ID},
		{Name: "state", Value: string(to)},
		{Name: "changed", Value: done},
	}, text)
}

// meant is the installation that is meant: that of the fingerprint, or the only one
// about which the same is not decided.
func (c *cli) meant(ctx context.Context, k *cluster, node, fingerprint string, to vouch.Answer) (vouch.Approval, error) {
	all, err := vouch.Approvals(ctx, k.db, node)
	if err != nil {
		return vouch.Approval{}, err
	}
	if len(all) == 0 {
		return vouch.Approval{}, k.none(ctx, "COT-610", "nodes", "node", node)
	}
	fingerprint = strings.ToLower(strings.TrimSpace(fingerprint))
	var open []vouch.Approval
	for _, a := range all {
		if a.ID == fingerprint {
			return a, nil
		}
		if a.State != string(to) {
			open = append(open, a)
		}
	}
	switch {
	case fingerprint != "":
		return vouch.Approval{}, problem.New("COT-944", nil, "nobody who wants to be %s has the fingerprint %s", node, fingerprint)
	case len(open) > 1:
		p := problem.New("COT-944", nil, "%d installations want to be %s", len(open), node)
		p.Remedy = "coterie nodes approvals; then say which: --fingerprint"
		return vouch.Approval{}, p
	case len(open) == 1:
		return open[0], nil
	}
	return all[0], nil
}

func (c *cli) nodesApproval() *cobra.Command {
	var reason string
	cmd := c.view(&cobra.Command{
		Use:   "approval on|off",
		Short: "Choose whether an installation that joins must be approved",
		Long: `By default it is off: whoever has a login of the database joins. When it is
switched on, the nodes that are in the cluster are approved; who comes later
is not ready, and in nobody's trust store, until somebody approves it or it
brings a one-time token.`,
		Example: `  coterie nodes approval on -m "audit"
  coterie nodes approval off -n`,
		Args: one("on or off"),
	}, func(ctx context.Context, k *cluster, args []string) error {
		flip, step := vouch.SwitchOn, "nodes that are in the cluster are approved, who joins later waits for approval"
		switch args[0] {
		case "on":
		case "off":
			flip, step = vouch.SwitchOff, "whoever has a login of the database joins; who waits is admitted"
		default:
			return usageProblem("approval is on or off, not %q", args[0]).hint("", "See: coterie nodes approval --help")
		}
		if done, err := c.agree("Would switch approval "+args[0]+":", []string{step}, "Go on?"); done || err != nil {
			return err
		}
		done, err := flip(ctx, k.db, caller(), reason)
		if err != nil {
			return err
		}
		text := "Approval is " + args[0] + ".\n"
		if !done {
			text = "Approval is " + args[0] + " already; nothing to do.\n"
		}
		return c.document(table.Document{
			{Name: "schema", Value: "coterie.approval_switch/v1"},
			{Name: "on", Value: args[0] == "on"},
			{Name: "changed", Value: done},
		}, text)
	})
	reasonFlag(cmd, &reason)
	return cmd
}

// tokenFlags say what a token is to be good for.
type tokenFlags struct {
	node, out string
	good      time.Duration
	list      bool
}

func (c *cli) nodesToken() *cobra.Command {
	var v tokenFlags
	cmd := c.view(&cobra.Command{
		Use:   "token",
		Short: "Make a one-time token that approves an installation",
		Long: `Makes a token for one installation. It is shown once, or written to a file that
only you read; the database keeps a hash. It ends when it is used, after --for,
or when it was tried with a wrong secret ten times.`,
		Example: `  coterie nodes token --node app-d --out token
  coterie nodes token --for 10m > token
  coterie nodes token --list`,
		Args: nothing,
	}, func(ctx context.Context, k *cluster, _ []string) error {
		if v.list {
			return c.showTokens(ctx, k)
		}
		return c.makeToken(ctx, k, v)
	})
	cmd.Flags().StringVar(&v.node, "node", "", "the only `NAME` that it is good for")
	cmd.Flags().DurationVar(&v.good, "for", 10*time.Minute, "`TIME` that it is good for, at most 7 days")
	cmd.Flags().StringVar(&v.out, "out", "", "`FILE` to write it to, which must not be there yet")
	cmd.Flags().BoolVar(&v.list, "list", false, "show what became of tokens")
	return cmd
}

func (c *cli) showTokens(ctx context.Context, k *cluster) error {
	rows, err := k.rows(ctx, "join_tokens", "ORDER BY v.made_at DESC, v.id")
	if err != nil {
		return err
	}
	return c.show(rows,
		table.Column("TOKEN", "id"),
		table.Column("STATE", "state"),
		table.Column("NODE", "node"),
		table.Column("EXPIRES", "expires_at"),
		table.Column("MADE BY", "made_by"),
		table.Number("WRONG", "wrong"),
		table.Column("USED BY", "used_by").AsWide())
}

func (c *cli) makeToken(ctx context.Context, k *cluster, v tokenFlags) error {
	switch {
	case v.good < time.Second || v.good > 7*24*time.Hour:
		return usageProblem("--for %v is not between 1s and 168h", v.good).hint("", "See: coterie nodes token --help")
	case v.node != "" && !keystoreName().MatchString(v.node):
		return usageProblem("%q is not the name of a node", v.node).hint("", "a-z 0-9 . -, at most 63")
	}
	if c.flags.dryRun {
		_, err := c.agree("Would make a token:", []string{"good once, for " + table.Duration(v.good)}, "")
		return err
	}
	t := vouch.NewToken()
	// The file first: a token that nobody has would only be a hole.
	if v.out != "" {
		if err := createSecret(v.out, []byte(t.Reveal()+"\n")); err != nil {
			return err
		}
	}
	ends, err := t.Keep(ctx, k.db, v.node, v.good, caller())
	if err != nil {
		return err
	}
	c.say("Good once, until %s. On the new node: coterie join --token-file FILE", ends.UTC().Format("2006-01-02 15:04:05 MST"))
	doc := table.Document{
		{Name: "schema", Value: "coterie.join_token/v1"},
		{Name: "id", Value: t.ID()},
		{Name: "expires_at", Value: ends},
	}
	if v.out != "" {
		return c.document(append(doc, table.Member{Name: "file", Value: v.out}), fmt.Sprintf("Wrote %s.\n", v.out))
	}
	return c.document(append(doc, table.Member{Name: "token", Value: t.Reveal()}), t.Reveal()+"\n")
}
