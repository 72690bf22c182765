package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/coordinator/vouch"
	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/keystore"
	"github.com/coterie-ha/coterie/keystore/trust"
)

// exporting is what coterie trust export was asked for.
type exporting struct{ to, out, password string }

func (c *cli) trustExport() *cobra.Command {
	var v exporting
	cmd := c.view(&cobra.Command{
		Use:   "export --to FORM --out FILE",
		Short: "Write the trust store to a file, for a server that is no node",
		Long: `Writes whom the servers of the cluster trust to FILE, for somebody who calls
them and has no agent, such as a security proxy. A file that has these entries
already is left alone, so the command can stand in a schedule; another file is
replaced at once, and keeps its owner and mode. What a node published is written
only if the node's identity has signed it.`,
		Example: `  coterie trust export --to pem --out /etc/proxy/cluster.pem -y
  coterie trust export --to pkcs12 --out proxy.p12 --password-file F -n
  coterie trust export --to jks --out proxy.jks --password-file F -y`,
		Args: nothing,
	}, func(ctx context.Context, k *cluster, _ []string) error { return c.exportTrust(ctx, k, v) })
	cmd.Flags().StringVar(&v.to, "to", "", "`FORM` to write: pkcs12, jks or pem")
	cmd.Flags().StringVar(&v.out, "out", "", "`FILE` to write")
	cmd.Flags().StringVar(&v.password, "password-file", "", "`FILE` with the password that FILE gets; - for stdin (pem has none)")
	return cmd
}

func (c *cli) exportTrust(ctx context.Context, k *cluster, v exporting) error {
	form := keystore.Format(strings.ToLower(v.to))
	forms := []string{string(keystore.PKCS12), string(keystore.JKS), string(keystore.PEM)}
	switch {
	case v.out == "" || v.to == "":
		return usageProblem("coterie trust export needs --to and --out").hint("", "See: coterie trust export --help")
	case !slices.Contains(forms, string(form)):
		return usageProblem("no form of trust store %q", v.to).hint(config.Nearest(v.to, forms), "one of "+strings.Join(forms, ", "))
	case form == keystore.PEM && v.password != "":
		return usageProblem("PEM has no password").hint("", "leave --password-file away")
	}
	store, err := k.trustStore(ctx)
	if err != nil {
		return err
	}
	var pass keystore.Password
	switch {
	case v.password != "":
		pass, err = c.readPassword(v.password)
	case form != keystore.PEM:
		pass, err = c.askPassword("Password of " + v.out + ": ")
	}
	if err != nil {
		return err
	}
	return c.putExport(v, form, store, pass)
}

func (c *cli) putExport(v exporting, form keystore.Format, store trust.Store, pass keystore.Password) error {
	e := trust.Export{File: trust.File{Path: v.out, Format: form}, Password: pass}
	there, right, err := e.Look(store)
	if err != nil {
		return keystoreProblem(v.out, err)
	}
	what := plural(int64(len(store.Entries)), "certificate")
	text := fmt.Sprintf("%s has version %d of the trust store already; nothing to do.\n", v.out, store.Version)
	if !right {
		steps := []string{fmt.Sprintf("write %s: %s, %s", v.out, form, what)}
		if there {
			steps = append(steps, "what "+v.out+" has now is lost")
		}
		if there || c.flags.dryRun {
			if done, err := c.agree("Would export the trust store:", steps, "Go on?"); done || err != nil {
				return err
			}
		}
		if err := e.Write(store); err != nil {
			return keystoreProblem(v.out, err)
		}
		text = fmt.Sprintf("Wrote %s: version %d of the trust store, %s, %s.\n", v.out, store.Version, form, what)
	}
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.trust_export/v1"},
		{Name: "file", Value: v.out},
		{Name: "version", Value: store.Version},
		{Name: "entries", Value: len(store.Entries)},
		{Name: "changed", Value: !right},
	}, text)
}

// trustStore is the newest trust store, all of which holds.
func (k *cluster) trustStore(ctx context.Context) (trust.Store, error) {
	v, err := vouch.Look(ctx, k.db, "", true, "")
	if err != nil {
		return trust.Store{}, err
	}
	there, err := clusterIn(ctx, k.db)
	if err != nil {
		return trust.Store{}, err
	}
	store, err := trust.Store{Version: v.Version, Digest: v.Digest, Entries: v.Entries}.Believed(there.ID)
	if err != nil {
		return store, problem.New("COT-941", nil, "version %d of the trust store does not hold: %v", v.Version, err)
	}
	if len(store.Entries) == 0 { // a server that is started with it would not come up, or trust nobody
		p := problem.New("COT-941", nil, "no node has published a certificate, and none was added")
		p.Remedy = "set trust.address on the nodes, or: coterie trust add ALIAS FILE"
		return store, p
	}
	return store, nil
}
