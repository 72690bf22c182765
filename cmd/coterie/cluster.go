package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/sql/schema"
)

// cluster is the configured cluster: what this node's configuration says of it,
// and its database.
type cluster struct {
	cfg *config.Config
	db  *sqlx.DB
	rtt time.Duration // of one statement
}

// open reads the configuration, connects, and makes sure that the database has
// this program's schema and the configured cluster.
func (c *cli) open(ctx context.Context, cmd *cobra.Command) (*cluster, error) {
	cfg, err := c.load(cmd)
	if err != nil {
		return nil, err
	}
	return c.openConfigured(ctx, cfg)
}

func (c *cli) openConfigured(ctx context.Context, cfg *config.Config) (*cluster, error) {
	begun := time.Now()
	db, err := schema.Open(ctx, c.options(cfg))
	if err != nil {
		return nil, err
	}
	k := &cluster{cfg: cfg, db: db}
	if err := k.fits(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	c.detail("cluster %s: connected and checked in %v, one statement takes %v", cfg.Cluster,
		time.Since(begun).Round(time.Microsecond), k.rtt.Round(time.Microsecond))
	return k, nil
}

// options reach the database as the agent does, but wait no longer than a
// person would.
func (c *cli) options(cfg *config.Config) schema.Options {
	o := schema.Options{
		DSN:          cfg.Database.DSN,
		PasswordFile: cfg.Database.PasswordFile,
		Application:  "coterie command",
		Connect:      cfg.Database.ConnectTimeout,
		Budget:       cfg.Database.StatementTimeout,
		MaxConns:     2,
	}
	if t := c.flags.timeout; t > 0 {
		o.Connect, o.Budget = min(t, o.Connect), min(t, o.Budget)
	}
	return o
}

const clusterSQL = `SELECT name FROM coterie.clusters`

// fits refuses a database of another program or another cluster.
func (k *cluster) fits(ctx context.Context) error {
	if _, err := schema.Check(ctx, k.db); err != nil {
		return err
	}
	begun := time.Now()
	var name string
	err := k.db.GetContext(ctx, &name, clusterSQL)
	k.rtt = time.Since(begun)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return problem.New("COT-220", nil, "the database has the schema, but no cluster yet")
	case err != nil:
		return fmt.Errorf("read the cluster's name: %w", err)
	case name != k.cfg.Cluster:
		return problem.New("COT-209", nil, "the database holds cluster %q, and the configuration says %q", name, k.cfg.Cluster)
	}
	return nil
}

// rows reads a view, or those rows of it that a condition on v names.
func (k *cluster) rows(ctx context.Context, view, condition string, args ...any) (*table.Rows, error) {
	return table.Read(ctx, k.db, view, condition, args...)
}

// command calls one function that changes something. It is one statement on a
// connection of its own: a pool would say it again when the answer was lost.
func (k *cluster) command(ctx context.Context, into any, statement string, args ...any) error {
	conn, err := k.db.Connx(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.GetContext(ctx, into, statement, args...)
}

// names are those of a view's rows, for suggestions and completion.
func (k *cluster) names(ctx context.Context, view string) ([]string, error) {
	var names []string
	if err := k.db.SelectContext(ctx, &names, "SELECT name FROM coterie."+view+" ORDER BY name"); err != nil {
		return nil, fmt.Errorf("read the names of %s: %w", view, err)
	}
	return names, nil
}

// none is the problem of a thing that is not there, with what was probably meant.
func (k *cluster) none(ctx context.Context, code, view, noun, name string, also ...string) error {
	names, err := k.names(ctx, view)
	if err != nil {
		return err
	}
	return nearest(code, "no "+noun, name, append(names, also...))
}

// whileTyping is as long as somebody waits for a word to be completed, unless they said
// on this line how long they wait.
func (c *cli) whileTyping(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	return context.WithTimeout(cmd.Context(), cmp.Or(c.flags.timeout, time.Second))
}

// completeNames completes a word by the names of a view.
func (c *cli) completeNames(view string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := c.whileTyping(cmd)
		defer cancel()
		k, err := c.open(ctx, cmd)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		defer k.db.Close()
		names, err := k.names(ctx, view)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
