package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/coordinator/vouch"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/keystore/trust"
)

func (c *cli) trustCommand() *cobra.Command {
	return c.family("trust", "Whom the servers of the cluster trust", `  coterie trust show
  coterie trust status
  coterie trust add corp-root ca.pem -m "clients of the proxy"
  coterie trust remove corp-root
  coterie trust export --to pkcs12 --out proxy.p12 --password-file F`,
		c.trustShow(), c.trustStatus(), c.trustAdd(), c.trustRemove(), c.trustExport())
}

func (c *cli) trustShow() *cobra.Command {
	return c.view(&cobra.Command{
		Use:   "show",
		Short: "Show the certificates that all servers trust",
		Example: `  coterie trust show
  coterie trust show -o wide
  coterie trust show -o json`,
		Args: nothing,
	}, func(ctx context.Context, k *cluster, _ []string) error {
		rows, err := k.rows(ctx, "trust_entries", "ORDER BY v.alias")
		if err != nil {
			return err
		}
		return c.show(rows,
			table.Column("ALIAS", "alias"),
			table.Column("KIND", "kind"),
			table.Column("ENDS", "not_after"),
			table.Prose("SUBJECT", "subject"),
			table.Number("VERSION", "version").AsWide(),
			table.Column("FINGERPRINT", "fingerprint").AsWide(),
			table.Column("ADDED BY", "added_by").AsWide())
	})
}

func (c *cli) trustStatus() *cobra.Command {
	return c.view(&cobra.Command{
		Use:   "status",
		Short: "Show which version of the trust store each node has",
		Long: `Shows for each node which version of the trust store is in its files, and why
not the newest. Exit code 3 if a node does not have it.`,
		Example: `  coterie trust status
  coterie trust status -o json`,
		Args: nothing,
	}, func(ctx context.Context, k *cluster, _ []string) error {
		rows, err := k.rows(ctx, "trust_renderings", "ORDER BY v.node")
		if err != nil {
			return err
		}
		err = c.show(rows,
			table.Column("NODE", "node"),
			table.Number("VERSION", "version"),
			table.Number("NEWEST", "newest"),
			table.Column("STATE", "state"),
			table.Column("ADDRESS", "address"),
			table.Prose("ERROR", "error"),
			table.Column("SINCE", "since").AsWide())
		if err != nil {
			return err
		}
		for i := range rows.Len() {
			if r := rows.Row(i); !r.Bool("ok") {
				return problem.New("COT-941", nil, "%s: %s %s", r.Text("node"), r.Text("state"), r.Text("error"))
			}
		}
		return nil
	})
}

func (c *cli) trustAdd() *cobra.Command {
	var reason string
	cmd := c.view(&cobra.Command{
		Use:   "add ALIAS FILE",
		Short: "Have all servers trust a certificate that is of no node",
		Long: `Adds the first certificate of FILE (PEM or DER), of an authority or of a server
that is no node, to the trust store of all nodes, as added:ALIAS.`,
		Example: `  coterie trust add corp-root ca.pem -m "clients of the proxy"
  coterie trust add proxy proxy.cer -n`,
		Args: func(cmd *cobra.Command, args []string) error { return words(cmd, args, 2, 2, "ALIAS and FILE") },
	}, func(ctx context.Context, k *cluster, args []string) error {
		alias := args[0]
		if !keystoreName().MatchString(alias) {
			return usageProblem("%q is not an alias", alias).hint("", "a-z 0-9 . -, at most 63, beginning with a letter or digit")
		}
		cert, err := trust.FirstCertificate(args[1])
		if errors.Is(err, trust.ErrNoCertificate) {
			return problem.New("COT-945", nil, "%v", err)
		}
		if err != nil {
			return keystoreProblem(args[1], err)
		}
		steps := []string{fmt.Sprintf("trust %s on all nodes, as added:%s", cert.Subject, alias), "fingerprint " + trust.Fingerprint(cert.Raw)}
		if done, err := c.agree("Would add a certificate:", steps, "Go on?"); done || err != nil {
			return err
		}
		added, err := vouch.Add(ctx, k.db, alias, cert, caller(), reason)
		if err != nil {
			return vouchProblem(err)
		}
		text := fmt.Sprintf("Added %s as added:%s; all nodes follow.\n", cert.Subject, alias)
		if !added {
			text = fmt.Sprintf("added:%s is there already; nothing to do.\n", alias)
		}
		return c.document(table.Document{
			{Name: "schema", Value: "coterie.trust_add/v1"},
			{Name: "alias", Value: alias},
			{Name: "fingerprint", Value: trust.Fingerprint(cert.Raw)},
			{Name: "changed", Value: added},
		}, text)
	})
	reasonFlag(cmd, &reason)
	return cmd
}

func (c *cli) trustRemove() *cobra.Command {
	var reason string
	cmd := c.view(&cobra.Command{
		Use:   "remove ALIAS",
		Short: "Have no server trust a certificate any more that was added",
		Long: `Removes a certificate that was added. That of a node goes when the node leaves
for longer than the setting trust_linger, is evicted (coterie evict), or its
approval is withdrawn (coterie nodes withdraw).`,
		Example: `  coterie trust remove corp-root -m "replaced"`,
		Args:    one("ALIAS"),
	}, func(ctx context.Context, k *cluster, args []string) error {
		var there bool
		if err := k.db.GetContext(ctx, &there, `SELECT EXISTS (SELECT FROM coterie.trust_entries WHERE alias = 'added:' || $1::text)`, args[0]); err != nil {
			return fmt.Errorf("look for %s: %w", args[0], err)
		}
		if !there {
			return problem.New("COT-949", nil, "no certificate was added as %q", args[0])
		}
		if done, err := c.agree("Would remove a certificate:", []string{"no node trusts added:" + args[0] + " any more"}, "Go on?"); done || err != nil {
			return err
		}
		removed, err := vouch.Remove(ctx, k.db, args[0], caller(), reason)
		if err != nil {
			return err
		}
		return c.document(table.Document{
			{Name: "schema", Value: "coterie.trust_remove/v1"},
			{Name: "alias", Value: args[0]},
			{Name: "changed", Value: removed},
		}, fmt.Sprintf("Removed added:%s; all nodes follow.\n", args[0]))
	})
	reasonFlag(cmd, &reason)
	return cmd
}

// vouchProblem gives what the database refuses its code.
func vouchProblem(err error) error {
	said, ok := errors.AsType[*vouch.RefusedError](err)
	if !ok {
		return err
	}
	code := map[string]string{vouch.Taken: "COT-946", vouch.Crowd: "COT-942", vouch.Living: "COT-948"}[said.Code]
	return problem.New(code, nil, "%s", said.Said)
}
