package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/coordinator/keyring"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

func (c *cli) keystoreEncryption() *cobra.Command {
	return c.view(&cobra.Command{
		Use:   "encryption",
		Short: "Show which encryption.keystore each node sees",
		Long: `Shows what each node sees of the encryption keystore on the share, which has the
key of what the server keeps secret. The first that a node saw is the one that
all must see; a node that sees another stays joining. Exit code 3 if a living
node does.`,
		Example: `  coterie keystore encryption
  coterie keystore encryption -o json`,
		Args: nothing,
	}, func(ctx context.Context, k *cluster, _ []string) error {
		rows, err := k.rows(ctx, "encryptions", "ORDER BY v.node")
		if err != nil {
			return err
		}
		err = c.show(rows,
			table.Column("NODE", "node"),
			table.Column("OK", "ok"),
			table.Column("SINCE", "seen_at"),
			table.Prose("SHA-256", "sha256"),
			table.Prose("ERROR", "error"),
			table.Column("LIVING", "living").AsWide(),
			table.Column("PATH", "path").AsWide(),
			table.Column("EXPECTED", "expected").AsWide(),
			table.Column("BY", "recorded_by").AsWide())
		if err != nil {
			return err
		}
		for i := range rows.Len() {
			if row := rows.Row(i); row.Bool("living") && !row.Bool("ok") {
				return problem.New("COT-930", nil, "%s, %s: %s", row.Text("node"), row.Text("path"), orElse(row.Text("error"), orElse(row.Text("sha256"), "there is none")))
			}
		}
		return nil
	})
}

// noFile stands for that there is no encryption keystore.
const noFile = "none"

func (c *cli) keystoreAccept() *cobra.Command {
	var digest, reason string
	cmd := c.view(&cobra.Command{
		Use:   "accept",
		Short: "Say that another encryption.keystore is meant from now on",
		Long: `Takes the encryption keystore that all living nodes see, or with --sha256 the
one that some see, as the one that all must see. Nodes that wait for it become
ready within seconds. The file itself is not touched. Compare it with your
backup first: what was encrypted by the former key can be read with that one
only.`,
		Example: `  coterie keystore accept -n
  coterie keystore accept -y -m "new key after the audit"
  coterie keystore accept --sha256 3c5a0e91 -y
  coterie keystore accept --sha256 none -y`,
		Args: nothing,
	}, func(ctx context.Context, k *cluster, _ []string) error {
		return c.accept(ctx, k, digest, reason)
	})
	cmd.Flags().StringVar(&digest, "sha256", "", "`DIGEST` of the file, or its beginning; none for no file (default: what all see)")
	reasonFlag(cmd, &reason)
	return cmd
}

func (c *cli) accept(ctx context.Context, k *cluster, digest, reason string) error {
	sights, err := keyring.Sights(ctx, k.db)
	if err != nil {
		return err
	}
	if len(sights) == 0 {
		return problem.New("COT-931", nil, "no node looks at an encryption keystore")
	}
	meant, err := meantBy(sights, digest)
	if err != nil {
		return err
	}
	was := sights[0].Expected.String
	if meant != was {
		plan := []string{fmt.Sprintf("%s, before: %s", orElse(meant, noFile), orElse(was, noFile)), "the file itself is not touched"}
		if done, err := c.agree("Would have all nodes see this encryption keystore:", plan, "Go on?"); done || err != nil {
			return err
		}
		done, err := keyring.Accept(ctx, k.db, meant, was, caller(), reason)
		if err != nil {
			return err
		}
		if !done {
			return problem.New("COT-932", nil, "it is another meanwhile, or nobody sees %s any more", orElse(meant, "that there is none"))
		}
	}
	text := fmt.Sprintf("All nodes must see %s.\n", orElse(meant, "that there is no encryption keystore"))
	if meant == was {
		text = fmt.Sprintf("That is what all nodes must see already: %s; nothing to do.\n", orElse(meant, noFile))
	}
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.keystore_accept/v1"},
		{Name: "path", Value: sights[0].Path},
		{Name: "sha256", Value: meant},
		{Name: "before", Value: was},
		{Name: "accepted", Value: meant != was},
	}, text)
}

// meantBy is the digest that a word names among those that living nodes see; without
// a word, the only one. Empty: there is no file.
func meantBy(sights []keyring.Sight, word string) (string, error) {
	var seen, told []string
	for _, s := range sights {
		if !s.Living {
			continue
		}
		what := orElse(s.SHA256.String, noFile)
		told = append(told, fmt.Sprintf("%s sees %.16s", s.Node, orElse(s.Error, what)))
		if s.Error == "" && !slices.Contains(seen, what) && (word == "" || strings.HasPrefix(what, strings.ToLower(word)) && (len(word) >= 8 || what == noFile)) {
			seen = append(seen, what)
		}
	}
	if len(seen) != 1 || word == "" && slices.ContainsFunc(sights, func(s keyring.Sight) bool { return s.Living && s.Error != "" }) {
		return "", problem.New("COT-932", nil, "%s", orElse(strings.Join(told, "; "), "no living node looks at one"))
	}
	if seen[0] == noFile {
		return "", nil
	}
	return seen[0], nil
}
