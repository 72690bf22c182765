package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// Asking is a run that somebody asks for.
type Asking struct {
	Job, By, Reason string
	Params          Params // over those of the job
}

// Request asks for a run of a job as soon as a node can, and returns the due_at
// that the run will have.
func Request(ctx context.Context, db *sqlx.DB, a Asking) (due time.Time, err error) {
	params := []byte("{}")
	if len(a.Params) > 0 {
		if params, err = json.Marshal(a.Params); err != nil {
			return time.Time{}, fmt.Errorf("request a run of %s: %w", a.Job, err)
		}
	}
	due, err = ask[time.Time](ctx, db, `SELECT coterie.run_request($1, $2, $3, $4::jsonb)`, a.Job, oneLine(a.By, 200), oneLine(a.Reason, reasonSize), string(params))
	if err != nil {
		return time.Time{}, fmt.Errorf("request a run of %s: %w", a.Job, refused(err))
	}
	return due, nil
}

// Withdraw takes back a request that no run has begun, or that waits for another
// attempt. The error is ErrNoRequest or ErrBegun when it is too late.
func Withdraw(ctx context.Context, db *sqlx.DB, id int64, by, reason string) error {
	answer, err := ask[string](ctx, db, `SELECT coterie.request_withdraw($1, $2, $3)`, id, oneLine(by, 200), oneLine(reason, reasonSize))
	switch {
	case err != nil:
		return fmt.Errorf("withdraw request %d: %w", id, refused(err))
	case answer == "gone":
		return fmt.Errorf("withdraw request %d: %w", id, ErrNoRequest)
	case answer == "running":
		return fmt.Errorf("withdraw request %d: %w", id, ErrBegun)
	}
	return nil
}
