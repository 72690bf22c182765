package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

func (c *cli) trustsCommand() *cobra.Command {
	var wait time.Duration
	cmd := c.view(&cobra.Command{
		Use:   "trusts [NODE]",
		Short: "Whether servers trust one another, by real connections",
		Long: `A row per pair of nodes: each agent calls the servers of all nodes by TLS, its
own too, with the trust store as it stands in its files. With NODE: the pairs
that it is one of. Exit code 3 if one of them failed.`,
		Example: `  coterie trusts
  coterie trusts app-c
  coterie trusts --wait 30s            until all of them are ok
  coterie trusts -o json`,
		Args:              perhapsOne("NODE"),
		ValidArgsFunction: c.completeNames("nodes"),
	}, func(ctx context.Context, k *cluster, args []string) error {
		node := ""
		if len(args) > 0 {
			node = args[0]
			if _, err := k.node(ctx, node); err != nil {
				return err
			}
		}
		return c.showTrusts(ctx, k, node, wait)
	})
	cmd.Flags().DurationVar(&wait, "wait", 0, "longest `TIME` to wait until all nodes have the newest trust store and all pairs are ok")
	return cmd
}

// An agent that has not rendered the newest version has not tried it either.
const calmSQL = `
SELECT coalesce((SELECT bool_and(t.ok AND t.version >= (SELECT max(version) FROM coterie.trust_stores)) FROM coterie.trusts t
                 WHERE $1 IN ('', t.from_node, t.to_node)), false)
   AND coalesce((SELECT bool_and(r.ok) FROM coterie.trust_renderings r WHERE $1 IN ('', r.node)), true)`

func (c *cli) showTrusts(ctx context.Context, k *cluster, node string, wait time.Duration) error {
	late := false
	for begun := time.Now(); wait > 0; {
		var calm bool
		if err := k.db.GetContext(ctx, &calm, calmSQL, node); err != nil {
			return fmt.Errorf("look at the trust between nodes: %w", err)
		}
		if late = !calm && time.Since(begun) > wait; calm || late {
			break
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	rows, err := k.rows(ctx, "trusts", "WHERE $1 IN ('', v.from_node, v.to_node) ORDER BY v.from_node, v.to_node", node)
	if err != nil {
		return err
	}
	err = c.show(rows,
		table.Column("FROM", "from_node"),
		table.Column("TO", "to_node"),
		table.Column("RESULT", "result"),
		table.Number("MS", "latency_ms"),
		table.Span("TRIED", "tested_at"),
		table.Prose("REASON", "reason"),
		table.Column("ADDRESS", "address").AsWide(),
		table.Column("SHOWN", "fingerprint").AsWide(),
		table.Prose("REMEDY", "remedy").AsWide())
	if err != nil {
		return err
	}
	if late {
		return problem.New("COT-947", nil, "not all pairs are ok after %v", wait)
	}
	return c.judgeTrusts(rows)
}

// judgeTrusts is the problem of the first pair that failed.
func (c *cli) judgeTrusts(rows *table.Rows) error {
	if rows.Len() == 0 {
		c.say("No node says where its server is called: trust.address in its configuration.")
	}
	for i := range rows.Len() {
		if r := rows.Row(i); r.Value("ok") != nil && !r.Bool("ok") {
			p := problem.New("COT-940", nil, "%s to %s: %s", r.Text("from_node"), r.Text("to_node"), orElse(r.Text("reason"), r.Text("result")))
			p.Remedy = orElse(r.Text("remedy"), p.Remedy)
			return p
		}
	}
	return nil
}
