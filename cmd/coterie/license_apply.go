package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/license"
)

func (c *cli) licenseApply() *cobra.Command {
	var file, reason string
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Apply a signed licence file, or an operator's definition of pools",
		Long: `A signed licence file brings seats; its signature must be that of a key of
license.trusted_keys. Several files add up. A definition (YAML or JSON) says by
which rules the seats of pools are given; what it does not say stays as it is.
Both may be applied again. Either is applied as a whole or not at all.`,
		Example: `  coterie license apply -f pools.yaml -n      what it would change
  coterie license apply -f pools.yaml -y -m "ten more for the testers"
  coterie license apply -f acme-2026.lic -y`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return usageProblem("coterie license apply needs -f FILE").hint("", "See: coterie license apply --help")
			}
			text, err := c.readFile(file)
			if err != nil {
				return err
			}
			ctx, cancel := c.context(cmd)
			defer cancel()
			k, err := c.open(ctx, cmd)
			if err != nil {
				return err
			}
			defer k.db.Close()
			if license.IsFile(text) {
				return c.loadFile(ctx, k, file, text, reason)
			}
			return c.definePools(ctx, k, file, text, reason)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "licence `FILE` or definition, - for stdin")
	reasonFlag(cmd, &reason)
	return cmd
}

// loadFile applies a signed file.
func (c *cli) loadFile(ctx context.Context, k *cluster, name string, text []byte, reason string) error {
	keys, err := trustedKeys(k.cfg.License.TrustedKeys)
	if err != nil {
		return err
	}
	f, err := license.Open(text, keys)
	if err != nil {
		return problem.New("COT-803", err, "%s", name)
	}
	var id string
	if err := k.db.GetContext(ctx, &id, `SELECT id FROM coterie.clusters`); err != nil {
		return fmt.Errorf("read the cluster's id: %w", err)
	}
	if err := f.For(id); err != nil {
		return problem.New("COT-803", err, "%s", name)
	}
	var applied bool
	if err := k.db.GetContext(ctx, &applied, `SELECT EXISTS (SELECT FROM coterie.license_files WHERE serial = $1 AND document = $2)`, f.Serial, f.Text); err != nil {
		return fmt.Errorf("read what is applied: %w", err)
	}
	if applied {
		return c.appliedPools(nil)
	}
	var lines []string
	for _, g := range f.Pools {
		lines = append(lines, fmt.Sprintf("%s: %s%s", g.Pool, plural(int64(g.Seats), "seat"), validity(g)))
	}
	if done, err := c.agree(fmt.Sprintf("Would apply %s of %s, signed by %s:", f.Serial, orNobody(strings.Fields(f.Issuer)), f.SignedBy), lines, "Go on?"); done || err != nil {
		return err
	}
	var pools []string
	err = k.once(ctx, func(conn *sqlx.Conn) (err error) {
		pools, err = license.Load(ctx, conn, f, caller(), reason)
		return err
	})
	if err != nil {
		return licenseProblem(err)
	}
	return c.appliedPools(pools)
}

func validity(g license.Grant) (text string) {
	if g.Begins != nil {
		text += " from " + g.Begins.UTC().Format("2006-01-02 15:04")
	}
	if g.Ends != nil {
		text += " until " + g.Ends.UTC().Format("2006-01-02 15:04")
	}
	if len(g.Addresses) > 0 {
		text += " on " + strings.Join(g.Addresses, ", ")
	}
	return text
}

// definePools applies an operator's definition.
func (c *cli) definePools(ctx context.Context, k *cluster, name string, text []byte, reason string) error {
	var any map[string]any
	if err := yaml.Unmarshal(text, &any); err != nil {
		return problem.New("COT-804", err, "%s", name)
	}
	plain, err := json.Marshal(any)
	if err != nil {
		return problem.New("COT-804", err, "%s", name)
	}
	d, err := license.ParseDefinition(plain)
	if err != nil {
		return problem.New("COT-804", nil, "%s\n  %s", name, strings.ReplaceAll(err.Error(), "\n", "\n  "))
	}
	lines, err := license.Plan(ctx, k.db, d)
	if err != nil {
		return licenseProblem(err)
	}
	if len(lines) == 0 {
		return c.appliedPools(nil)
	}
	if done, err := c.agree("Would change these pools:", lines, "Go on?"); done || err != nil {
		return err
	}
	var pools []string
	err = k.once(ctx, func(conn *sqlx.Conn) (err error) {
		pools, err = license.Define(ctx, conn, d, caller(), reason)
		return err
	})
	if err != nil {
		return licenseProblem(err)
	}
	return c.appliedPools(pools)
}

func (c *cli) appliedPools(pools []string) error {
	text := "Nothing to do: it is as the file says.\n"
	if len(pools) > 0 {
		text = "Applied to " + strings.Join(pools, ", ") + ".\n"
	}
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.license_apply/v1"},
		{Name: "pools", Value: append([]string{}, pools...)},
	}, text)
}

// licenseProblem is what the database refuses about pools.
func licenseProblem(err error) error {
	said, ok := errors.AsType[*pq.Error](err)
	if !ok {
		return err
	}
	switch code := string(said.Code); {
	case code == "CT032":
		p := problem.New("COT-805", nil, "%s", said.Message)
		if said.Hint != "" {
			p.Remedy = said.Hint
		}
		return p
	case strings.HasPrefix(code, "23"), strings.HasPrefix(code, "22"):
		return problem.New("COT-804", nil, "%s", said.Message)
	}
	return err
}

func (c *cli) licenseWithdraw() *cobra.Command {
	var reason string
	cmd := c.view(&cobra.Command{
		Use:     "withdraw SERIAL",
		Short:   "Withdraw a licence file: its seats are granted no more",
		Example: `  coterie license withdraw ACME-2025 -y -m "replaced"`,
		Args:    one("SERIAL"),
	}, func(ctx context.Context, k *cluster, args []string) error {
		if done, err := c.agree("Would withdraw the licence file:", args, "Go on?"); done || err != nil {
			return err
		}
		var done bool
		err := k.once(ctx, func(conn *sqlx.Conn) (err error) {
			done, err = license.Withdraw(ctx, conn, args[0], caller(), reason)
			return err
		})
		if err != nil {
			return err
		}
		return c.document(table.Document{
			{Name: "schema", Value: "coterie.license_withdraw/v1"},
			{Name: "withdrawn", Value: done},
		}, map[bool]string{true: "Withdrawn; holders keep their seats.\n", false: "It is not applied; nothing to do.\n"}[done])
	})
	reasonFlag(cmd, &reason)
	return cmd
}

// once does something on a connection of its own: a pool would say it again when
// the answer was lost.
func (k *cluster) once(ctx context.Context, do func(*sqlx.Conn) error) error {
	conn, err := k.db.Connx(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return do(conn)
}
