package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/coordinator"
	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/jobs"
	"github.com/coterie-ha/coterie/sql/schema"
)

func (c *cli) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Prepare database and share for the configured cluster",
		Long: `Prepare the configured database for the configured cluster: roles, schema, and
the cluster's row; and mark the shared folder as the cluster's own, which is how
every node knows it from an empty mount point. Needed once, from any node.
Saying it again does no harm.`,
		Example: `  coterie -c app-a.yaml init -n     what would be done
  coterie -c app-a.yaml init -y`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			cfg, db, err := c.openForSchema(ctx, cmd)
			if err != nil {
				return err
			}
			defer db.Close()
			return c.initialise(ctx, cfg, db)
		},
	}
}

func (c *cli) initialise(ctx context.Context, cfg *config.Config, db *sqlx.DB) error {
	state, err := schema.Status(ctx, db)
	if err == nil {
		err = state.Problem
	}
	if err != nil {
		return err
	}
	there, err := clusterIn(ctx, db)
	if err != nil {
		return err
	}
	if there.Name != "" && there.Name != cfg.Cluster {
		return problem.New("COT-209", nil, "the database holds cluster %q, and the configuration says %q", there.Name, cfg.Cluster)
	}
	steps := upgradeLines(state)
	lacks := there.Name == ""
	if lacks {
		steps = append(steps, "make the cluster "+cfg.Cluster)
	} else if len(steps) == 0 { // else the jobs may be those of another schema
		if lacks, err = jobs.LacksBuiltins(ctx, db); err != nil {
			return err
		}
	}
	if lacks {
		steps = append(steps, "make the job "+jobs.PruneAction+", which deletes old history")
	}
	mark, err := shareStep(cfg, there.ID)
	if err != nil {
		return err
	}
	if mark != "" {
		steps = append(steps, mark)
	}
	if len(steps) == 0 {
		return c.initialised(cfg, there.ID, schema.Result{To: state.Version}, fmt.Sprintf("Cluster %s is there already; nothing to do.", cfg.Cluster))
	}
	where, err := describe(ctx, db)
	if err != nil {
		return err
	}
	if done, err := c.agree(fmt.Sprintf("Would prepare database %s for cluster %s:", where, cfg.Cluster), steps, "Go on?"); done || err != nil {
		return err
	}
	done, err := schema.Migrate(ctx, db)
	if err != nil {
		return err
	}
	id, err := coordinator.Init(ctx, db, cfg.Cluster)
	if err != nil {
		return err
	}
	if err := jobs.AddBuiltins(ctx, db); err != nil {
		return err
	}
	if err := markShare(cfg, id); err != nil {
		return err
	}
	return c.initialised(cfg, id, done, fmt.Sprintf("Cluster %s is initialised in database %s, schema %d.", cfg.Cluster, where, done.To))
}

// initialised tells what there is now, and the next step.
func (c *cli) initialised(cfg *config.Config, id string, r schema.Result, text string) error {
	lines := facts{{"", text}}
	lines.add("    next", "%s", c.again("agent"))
	lines.add("    others", "the role of every other node needs: GRANT coterie_agent TO it")
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.init/v1"},
		{Name: "cluster", Value: cfg.Cluster},
		{Name: "id", Value: id},
		{Name: "schema_version", Value: r.To},
		{Name: "applied", Value: append([]string{}, r.Applied...)},
	}, lines.String())
}

// known is a cluster that a database holds.
type known struct{ Name, ID string }

const knownSQL = `SELECT name, id FROM coterie.clusters`

// clusterIn is the cluster that a database holds, zero for none.
func clusterIn(ctx context.Context, db *sqlx.DB) (known, error) {
	var found []known
	err := db.SelectContext(ctx, &found, knownSQL)
	if said, ok := errors.AsType[*pq.Error](err); ok && (said.Code == "42P01" || said.Code == "3F000") {
		return known{}, nil // no schema yet, or one from before the view
	}
	if err != nil || len(found) == 0 {
		return known{}, err
	}
	return found[0], nil
}

const describeSQL = `SELECT current_database() || coalesce(' at ' || host(inet_server_addr()) || ':' || inet_server_port(), '')`

// describe names the database that one is connected to.
func describe(ctx context.Context, db *sqlx.DB) (string, error) {
	var where string
	if err := db.GetContext(ctx, &where, describeSQL); err != nil {
		return "", fmt.Errorf("ask for the database's name: %w", err)
	}
	return where, nil
}
