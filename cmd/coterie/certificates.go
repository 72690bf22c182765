package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/jobs/upkeep"
	"github.com/coterie-ha/coterie/sql/schema"
)

func (c *cli) certificatesCommand() *cobra.Command {
	return &cobra.Command{
		Use: verbCertificates, Hidden: true, Args: nothing,
		Short:   "Look at the certificates that the configuration names",
		Example: "  coterie run CERTIFICATES       a job with this action starts it",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := calledFor()
			if err != nil {
				return err
			}
			cfg, err := c.load(cmd)
			if err != nil {
				return err
			}
			seen, err := c.look(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			db, err := schema.Open(cmd.Context(), c.options(cfg))
			if err != nil {
				return err
			}
			defer db.Close()
			return c.tellCertificates(cmd.Context(), db, s, seen)
		},
	}
}

// look looks at what the configuration names; what is relative is on the share.
func (c *cli) look(ctx context.Context, cfg *config.Config) ([]upkeep.Sight, error) {
	places := upkeep.Places{Endpoints: cfg.Certificates.Endpoints}
	for _, name := range cfg.Certificates.Files {
		if !filepath.IsAbs(name) {
			name = filepath.Join(cfg.AppData.Path, name)
		}
		places.Files = append(places.Files, name)
	}
	if file := cfg.Certificates.PasswordFile; file != "" {
		text, err := c.passwordText(file)
		if err != nil {
			return nil, fmt.Errorf("passwords of keystores: %s: %w", file, err)
		}
		for line := range strings.Lines(string(text)) {
			places.Passwords = append(places.Passwords, strings.TrimRight(line, "\r\n"))
		}
	}
	return upkeep.Look(ctx, places), nil
}

// tellCertificates writes down what was seen, and fails when something ends within a
// day: then hooks tell, too.
func (c *cli) tellCertificates(ctx context.Context, db *sqlx.DB, s slotOf, seen []upkeep.Sight) error {
	doc, err := json.Marshal(seen)
	if err != nil {
		return err
	}
	var found []struct {
		Place, Alias, Severity, What string
	}
	err = oneConn(ctx, db, func(conn *sqlx.Conn) error {
		return conn.SelectContext(ctx, &found, `SELECT place, alias, severity, what FROM coterie.certificates_seen($1, $2, $3::jsonb)`, s.job, s.token, string(doc))
	})
	if err != nil {
		return fmt.Errorf("write down what was seen: %w", err)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s looked at, %d to be looked after\n", plural(int64(len(seen)), "certificate"), len(found))
	urgent := 0
	for _, f := range found {
		alias := ""
		if f.Alias != "" {
			alias = " (" + f.Alias + ")"
		}
		fmt.Fprintf(&text, "%s: %s%s: %s\n", f.Severity, f.Place, alias, f.What)
		if f.Severity == "error" {
			urgent++
		}
	}
	if err := c.print(text.String()); err != nil {
		return err
	}
	if urgent > 0 {
		return problem.New("COT-530", nil, "%d within a day, or already", urgent)
	}
	return nil
}
