package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"sync"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/coordinator/keyring"
	"github.com/coterie-ha/coterie/internal/atomicfile"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/keystore"
)

var keystoreName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`) })

func (c *cli) keystoreRecoveryKey() *cobra.Command {
	var out, reason string
	cmd := c.view(&cobra.Command{
		Use:   "recovery-key --out FILE",
		Short: "Make a key that opens the keystores when all nodes are lost",
		Long: `Writes a new recovery key to FILE, and registers its public half: what is staged
from now on is sealed to it as well. Keep the file offline: who has it and the
database has the private keys of the servers. It cannot be made again.`,
		Example: `  coterie keystore recovery-key --out /media/stick/recovery.key -m "safe"`,
		Args:    nothing,
	}, func(ctx context.Context, k *cluster, _ []string) error {
		if out == "" {
			return usageProblem("coterie keystore recovery-key needs --out FILE").hint("", "See: coterie keystore recovery-key --help")
		}
		if done, err := c.agree("Would make a recovery key:", []string{"write its secret half to " + out, "seal what is staged from now on to it as well"}, "Go on?"); done || err != nil {
			return err
		}
		file, r, err := keystore.NewRecovery()
		if err != nil {
			return err
		}
		// The file first: a registered key that nobody has would only look like safety.
		if err := createSecret(out, file); err != nil {
			return err
		}
		if _, err := keyring.Register(ctx, k.db, r.Seal, caller(), reason); err != nil {
			return err
		}
		return c.document(table.Document{
			{Name: "schema", Value: "coterie.keystore_recovery_key/v1"},
			{Name: "file", Value: out},
			{Name: "name", Value: r.Name},
			{Name: "fingerprint", Value: r.Fingerprint()},
		}, fmt.Sprintf("Wrote %s: %s. Move it to where no server reads it.\n", out, r.Name))
	})
	cmd.Flags().StringVar(&out, "out", "", "`FILE` to write; it must not be there yet")
	reasonFlag(cmd, &reason)
	return cmd
}

// createSecret writes a file that only its owner reads, and replaces none.
func createSecret(path string, data []byte) error {
	err := atomicfile.Create(path, data, 0o600)
	switch {
	case err == nil, errors.Is(err, atomicfile.ErrNotDurable):
		return nil
	case errors.Is(err, fs.ErrExist):
		p := problem.New("COT-914", nil, "%s is there already", path)
		p.Remedy, p.Exit = "name another file, or move that away", problem.ExitRefused
		return p
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return problem.New("COT-914", err, "%s", path)
}

// recovering is what coterie keystore recover was asked for.
type recovering struct {
	key, name, out, password string
	version                  int64
}

func (c *cli) keystoreRecover() *cobra.Command {
	var v recovering
	cmd := c.view(&cobra.Command{
		Use:   "recover --recovery-key FILE --out OTHER",
		Short: "Open a version of a keystore with the recovery key",
		Long: `Takes a version out of the database and writes it to a file, and its password to
another if that is asked for. No node is needed.`,
		Example: `  coterie keystore recover --recovery-key recovery.key --out tomcat.keystore
  coterie keystore recover --recovery-key K --version 3 --out F --password-out P`,
		Args: nothing,
	}, func(ctx context.Context, k *cluster, _ []string) error { return c.recover(ctx, k, v) })
	cmd.Flags().StringVar(&v.key, "recovery-key", "", "`FILE` with the recovery key")
	cmd.Flags().StringVar(&v.name, "name", usualKeystore, "`NAME` of the keystore")
	cmd.Flags().Int64Var(&v.version, "version", 0, "`NUMBER` of the version (default: the newest)")
	cmd.Flags().StringVar(&v.out, "out", "", "`OTHER` file to write; it must not be there yet")
	cmd.Flags().StringVar(&v.password, "password-out", "", "`FILE` to write the password to")
	return cmd
}

func (c *cli) recover(ctx context.Context, k *cluster, v recovering) error {
	if v.key == "" || v.out == "" {
		return usageProblem("coterie keystore recover needs --recovery-key and --out").hint("", "See: coterie keystore recover --help")
	}
	text, err := keystore.ReadFile(v.key)
	if err != nil {
		return keystoreProblem(v.key, err)
	}
	opener, err := keystore.OpenRecovery(text)
	if err != nil {
		return keystoreProblem(v.key, err)
	}
	newest, err := keyring.FindNewest(ctx, k.db, v.name)
	if err != nil {
		return err
	}
	if v.version == 0 {
		v.version = newest.Version.Int64
	}
	if v.version < 1 || v.version > newest.Version.Int64 {
		return noVersion(v.name, v.version)
	}
	var id string
	if err := k.db.GetContext(ctx, &id, `SELECT id FROM coterie.clusters`); err != nil {
		return fmt.Errorf("read the cluster's id: %w", err)
	}
	content, own, err := keyring.Fetch(ctx, k.db, v.name, v.version, opener.Name)
	if errors.Is(err, keyring.ErrClosed) {
		return problem.New("COT-916", nil, "version %d of %s is not sealed to %s", v.version, v.name, opener.Name)
	}
	if err != nil {
		return err
	}
	b, err := opener.Open(keystore.Place{Cluster: id, Name: v.name, Version: v.version}, content, own)
	if err != nil {
		return sealProblem(err)
	}
	if done, err := c.agree("Would recover a keystore:", []string{fmt.Sprintf("write version %d of %s to %s", v.version, v.name, v.out)}, "Go on?"); done || err != nil {
		return err
	}
	if v.password != "" {
		if err := createSecret(v.password, []byte(b.Store+"\n")); err != nil {
			return err
		}
	}
	if err := createSecret(v.out, b.File); err != nil {
		return err
	}
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.keystore_recover/v1"},
		{Name: "file", Value: v.out},
		{Name: "name", Value: v.name},
		{Name: "version", Value: v.version},
		{Name: "alias", Value: b.Alias},
	}, fmt.Sprintf("Wrote %s: version %d of %s, alias %s.\n", v.out, v.version, v.name, b.Alias))
}
