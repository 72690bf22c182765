package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/coordinator/keyring"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/keystore"
)

// usualKeystore is the name of the keystore that a cluster's servers serve from.
const usualKeystore = "server"

// staging is what coterie keystore stage was asked for.
type staging struct {
	pass   passwordFlags
	name   string
	alias  string
	hosts  []string
	reason string
}

func (c *cli) keystoreStage() *cobra.Command {
	var v staging
	cmd := &cobra.Command{
		Use:   "stage FILE",
		Short: "Store the next version of the keystore, sealed to each node",
		Long: `Looks whether servers and their clients would take the keystore, and stores it
as the next version. File and passwords are encrypted; only the nodes of the
cluster, and who has a recovery key, can open them. A node that joins later gets
its copy from one that has it. Staging the newest version again does nothing.`,
		Example: `  coterie keystore stage tomcat.keystore --password-file F -n
  coterie keystore stage new.p12 --password-file F --alias web -y -m "renewed"`,
		Args: one("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			k, err := c.open(ctx, cmd)
			if err != nil {
				return err
			}
			defer k.db.Close()
			return c.stageKeystore(ctx, k, args[0], v)
		},
	}
	v.pass.add(cmd)
	cmd.Flags().StringVar(&v.name, "name", usualKeystore, "`NAME` of the keystore")
	cmd.Flags().StringVar(&v.alias, "alias", "", "`ALIAS` of the key that is served (default: the only one)")
	cmd.Flags().StringSliceVar(&v.hosts, "host", nil, "`NAMES` by which clients call the cluster")
	reasonFlag(cmd, &v.reason)
	return cmd
}

func (c *cli) stageKeystore(ctx context.Context, k *cluster, file string, v staging) error {
	if !keystoreName().MatchString(v.name) {
		return usageProblem("%q is not a name of a-z 0-9 . -", v.name).hint("", "See: coterie keystore stage --help")
	}
	s, data, err := c.readKeystore(file, v.pass)
	if err != nil {
		return err
	}
	if s.Format != keystore.PKCS12 && s.Format != keystore.JKS {
		p := problem.New("COT-905", nil, "%s is %s, and servers are given pkcs12 or jks", file, s.Format)
		p.Remedy = "coterie keystore convert " + file + " --to pkcs12 --out OTHER, then stage that"
		return p
	}
	if v.alias, err = c.chooseAlias(file, s, v.alias); err != nil {
		return err
	}
	newest, err := keyring.FindNewest(ctx, k.db, v.name)
	if err != nil {
		return err
	}
	served, err := c.fit(file, s, keystore.Want{Alias: v.alias, Hosts: v.hosts, Now: newest.Now})
	if err != nil {
		return err
	}
	next := versionOf(s, data, served)
	next.Name, next.Version, next.By, next.Reason = v.name, newest.Version.Int64+1, caller(), v.reason
	if newest.SHA256.String == next.SHA256 && newest.Alias.String == next.Alias && (newest.State.String == "staged" || newest.State.String == "active") {
		return c.keystoreStaged(v.name, newest.Version.Int64, false, nil)
	}
	to, id, err := recipients(ctx, k.db)
	if err != nil {
		return err
	}
	if done, err := c.agree(fmt.Sprintf("Would stage version %d of %s:", next.Version, next.Name), stagePlan(next, to), "Go on?"); done || err != nil {
		return err
	}
	return c.sealAndStage(ctx, k, id, next, bundleOf(s, data, served), to)
}

// versionOf is what is told of a keystore of which a key is to be served.
func versionOf(s *keystore.Store, data []byte, served keystore.Entry) keyring.Version {
	sum, f := sha256.Sum256(data), served.Facts()
	return keyring.Version{
		Format: string(s.Format), Bytes: len(data), SHA256: hex.EncodeToString(sum[:]), Alias: served.Alias,
		Fingerprint: f.Fingerprint, Subject: f.Subject, NotBefore: f.NotBefore, NotAfter: f.NotAfter,
	}
}

// bundleOf is a keystore with all that opens it.
func bundleOf(s *keystore.Store, data []byte, served keystore.Entry) keystore.Bundle {
	b := keystore.Bundle{File: data, Store: string(s.Password()), Alias: served.Alias}
	if served.Password != "" {
		b.Keys = []string{string(served.Password)}
	}
	return b
}

func (c *cli) sealAndStage(ctx context.Context, k *cluster, id string, next keyring.Version, b keystore.Bundle, to []keystore.Recipient) error {
	next, err := sealed(id, next, b, to)
	if err != nil {
		return err
	}
	err = keyring.Stage(ctx, k.db, next)
	if conflict, ok := errors.AsType[*keyring.ConflictError](err); ok {
		p := problem.New("COT-917", nil, "%s", conflict.Said)
		if conflict.Hint != "" {
			p.Remedy = conflict.Hint
		}
		return p
	}
	if err != nil {
		return err
	}
	return c.keystoreStaged(next.Name, next.Version, true, to)
}

// sealed is a version with its content and a copy for each recipient.
func sealed(id string, v keyring.Version, b keystore.Bundle, to []keystore.Recipient) (keyring.Version, error) {
	content, copies, err := keystore.Seal(keystore.Place{Cluster: id, Name: v.Name, Version: v.Version}, b, to)
	v.Content = content
	for _, one := range copies {
		v.Copies = append(v.Copies, keyring.Copy(one))
	}
	return v, err
}

// fit is the entry that servers serve, if they and their clients would take it.
func (c *cli) fit(file string, s *keystore.Store, w keystore.Want) (keystore.Entry, error) {
	var bad []string
	for _, f := range keystore.Check(s, w) {
		if f.Grave == keystore.Fatal {
			bad = append(bad, f.Text)
			continue
		}
		c.say("%s: %s", file, f.Text)
	}
	if len(bad) > 0 {
		p := problem.New("COT-913", nil, "%s: %s", file, strings.Join(bad, "; "))
		p.Exit = problem.ExitRefused
		return keystore.Entry{}, p
	}
	e, err := s.Served(w.Alias)
	return e, keystoreProblem(file, err)
}

// recipients are all nodes of the cluster and the recovery keys, and the cluster's id.
func recipients(ctx context.Context, db *sqlx.DB) ([]keystore.Recipient, string, error) {
	var id string
	if err := db.GetContext(ctx, &id, `SELECT id FROM coterie.clusters`); err != nil {
		return nil, "", fmt.Errorf("read the cluster's id: %w", err)
	}
	keys, err := keyring.Keys(ctx, db)
	if err != nil {
		return nil, "", err
	}
	var to []keystore.Recipient
	nodes := 0
	for _, key := range keys {
		claim := claimOf(key)
		switch {
		case key.Node == "":
		case len(key.Seal) == 0:
			return nil, "", problem.New("COT-915", nil, "%s has published no key to which a keystore could be sealed", key.Name)
		default:
			nodes++
			if err := claim.Verify(id); err != nil {
				return nil, "", problem.New("COT-916", nil, "%v", err)
			}
		}
		to = append(to, claim.Recipient)
	}
	if nodes == 0 {
		return nil, "", problem.New("COT-915", nil, "the cluster has no node yet")
	}
	return to, id, nil
}

func stagePlan(v keyring.Version, to []keystore.Recipient) []string {
	lines := []string{
		fmt.Sprintf("certificate of %s, alias %s, SHA-256 %.16s...", v.Subject, v.Alias, v.Fingerprint),
		fmt.Sprintf("valid from %s until %s", v.NotBefore.UTC().Format("2006-01-02 15:04"), v.NotAfter.UTC().Format("2006-01-02 15:04 UTC")),
	}
	for _, r := range to {
		lines = append(lines, fmt.Sprintf("sealed to %s, key %.16s", r.Name, r.Fingerprint()))
	}
	return lines
}

func (c *cli) keystoreStaged(name string, version int64, done bool, to []keystore.Recipient) error {
	names := []string{}
	for _, r := range to {
		names = append(names, r.Name)
	}
	text := fmt.Sprintf("Staged version %d of %s, sealed to %s.\n", version, name, strings.Join(names, ", "))
	if !done {
		text = fmt.Sprintf("Version %d of %s has it; nothing to do.\n", version, name)
	}
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.keystore_stage/v1"},
		{Name: "name", Value: name},
		{Name: "version", Value: version},
		{Name: "staged", Value: done},
		{Name: "recipients", Value: names},
	}, text)
}
