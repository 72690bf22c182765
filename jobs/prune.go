package jobs

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

const (
	// pruneAtOnce is how many rows one statement deletes, which nobody notices.
	pruneAtOnce = 500
	// pruneRest is how long the database has for others in between.
	pruneRest = 20 * time.Millisecond
)

// Prune is the action that deletes what history is older than it is kept. It
// locks nothing that others want, and can be stopped at any moment.
func (r *Runner) Prune(ctx context.Context, run Run) error {
	runs, err := prune[sql.NullString](ctx, r.DB, `SELECT pruned, next_job AS next FROM coterie.prune_runs($1, $2)`, "")
	if err != nil {
		return fmt.Errorf("prune runs: %w", err)
	}
	events, err := prune[sql.NullInt64](ctx, r.DB, `SELECT pruned, next_id AS next FROM coterie.prune_events($1, $2)`, 0)
	if err != nil {
		return fmt.Errorf("prune events: %w", err)
	}
	rollouts, err := prune[sql.NullInt64](ctx, r.DB, `SELECT pruned, next_id AS next FROM coterie.prune_rollouts($1, $2)`, 0)
	if err != nil {
		return fmt.Errorf("prune rollouts of keystores: %w", err)
	}
	if rollouts > 0 {
		if _, err := fmt.Fprintf(run.Output, "%d rollouts of keystores were over for longer than runs are kept\n", rollouts); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(run.Output, "%d runs and %d events were older than they are kept\n", runs, events)
	return err
}

// place is where pruning goes on, null when it is done.
type place interface {
	sql.NullString | sql.NullInt64
	Value() (driver.Value, error)
}

// prune calls a function until it has looked at everything.
func prune[P place](ctx context.Context, db *sqlx.DB, query string, from any) (total int64, err error) {
	for from != nil {
		var step struct {
			Pruned int64
			Next   P
		}
		err := on(ctx, db, func(c *sqlx.Conn) error { return c.GetContext(ctx, &step, query, from, pruneAtOnce) })
		if err != nil {
			return total, err
		}
		total += step.Pruned
		if from, err = step.Next.Value(); err != nil || from == nil {
			return total, err
		}
		if err := pause(ctx, pruneRest); err != nil {
			return total, err
		}
	}
	return total, nil
}
