package keyring

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/keystore/rollout"
)

const lookSQL = `SELECT coterie.keystore_look($1, $2)`

// Look reads what a round of a keystore's rollout is decided upon, as it is at one
// moment: nothing where there is no such keystore, and serves says that this node
// has no server for it either.
func Look(ctx context.Context, db *sqlx.DB, name string, serves bool) (rollout.View, error) {
	var v rollout.View
	var text []byte
	if err := db.GetContext(ctx, &text, lookSQL, name, serves); err != nil {
		return v, fmt.Errorf("read the rollout of %s: %w", name, err)
	}
	if text == nil {
		return v, nil
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return v, fmt.Errorf("read the rollout of %s: %w", name, err)
	}
	return v, nil
}

// Self is who speaks: a node, in one of its lives.
type Self struct {
	DB          *sqlx.DB
	Node        string
	Incarnation int64
	Name        string // of the keystore
}

const voteSQL = `SELECT coterie.keystore_vote($1, $2, $3, $4, $5, $6, $7, $8)`

// Vote tells what this node found in a version.
func (s Self) Vote(ctx context.Context, v rollout.Vote) error {
	return s.say(ctx, "vote on", voteSQL, s.Node, s.Incarnation, s.Name, v.Version, v.OK, v.Serves, v.Alone, v.Why)
}

const reportSQL = `SELECT coterie.keystore_report($1, $2, $3, $4, $5::coterie.keystore_place, $6, $7, $8, $9::coterie.keystore_phase, $10)`

// Report tells what this node has in place.
func (s Self) Report(ctx context.Context, r rollout.Report) error {
	return s.say(ctx, "report", reportSQL, s.Node, s.Incarnation, s.Name, orNull(r.Version), string(r.State),
		orNull(r.File), orNull(r.Served), orNull(r.Rollout), orNull(string(r.Phase)), r.Error)
}

const turnSQL = `SELECT coterie.keystore_turn($1, $2, $3, $4, $5::coterie.keystore_phase, $6, $7, $8)`

// Turn turns a rollout to its next phase, if nothing moved since it was read.
func (s Self) Turn(ctx context.Context, r rollout.Rollout, t rollout.Turn) error {
	return s.say(ctx, "turn", turnSQL, s.Node, s.Incarnation, r.ID, r.Turn, string(t.To), orNull(t.Canary), orNull(t.FailedNode), t.Failure)
}

// say says one statement. That it was too late is an answer, and no error: what is
// read next shows what came before it.
func (s Self) say(ctx context.Context, what, statement string, args ...any) error {
	var done bool
	if err := call(ctx, s.DB, &done, statement, args...); err != nil {
		return fmt.Errorf("%s %s of %s: %w", what, s.Name, s.Node, err)
	}
	return nil
}

func orNull[T comparable](v T) any {
	var none T
	if v == none {
		return nil
	}
	return v
}

const activateSQL = `SELECT coterie.keystore_activate($1, $2, $3, $4::interval, $5, $6)`

// Activation is what an administrator asks for.
type Activation struct {
	Name       string
	Version    int64
	Active     int64 // that he saw; 0: none
	Patience   time.Duration
	By, Reason string
}

// ErrNoVersion means that a keystore has no such version.
var ErrNoVersion = errors.New("no such version")

// Activate begins a rollout and returns its number, 0 when the version is active
// already. *ConflictError when somebody else was faster.
func Activate(ctx context.Context, db *sqlx.DB, a Activation) (int64, error) {
	var id sql.NullInt64
	err := call(ctx, db, &id, activateSQL, a.Name, a.Version, orNull(a.Active), a.Patience.String(), a.By, a.Reason)
	if said, ok := errors.AsType[*pq.Error](err); ok {
		switch said.Code {
		case "CT041":
			return 0, &ConflictError{Said: said.Message, Hint: said.Hint}
		case "CT042":
			return 0, fmt.Errorf("activate version %d of %s: %w", a.Version, a.Name, ErrNoVersion)
		}
	}
	if err != nil {
		return 0, fmt.Errorf("activate version %d of %s: %w", a.Version, a.Name, err)
	}
	return id.Int64, nil
}

const recallSQL = `SELECT coterie.keystore_recall($1, $2, $3)`

// Recall has every node get back what it had; false when the rollout is over, or on
// its way back.
func Recall(ctx context.Context, db *sqlx.DB, id int64, by, reason string) (bool, error) {
	var done bool
	if err := call(ctx, db, &done, recallSQL, id, by, reason); err != nil {
		return false, fmt.Errorf("call rollout %d back: %w", id, err)
	}
	return done, nil
}

const roundsSQL = `
SELECT id, name, version, coalesce(previous, 0) AS previous, phase, coalesce(canary, '') AS canary, coalesce(failed_node, '') AS failed_node,
       coalesce(failure, '') AS failure, begun_by, overdue, extract(epoch FROM took)::float8 AS seconds
FROM coterie.keystore_rollouts WHERE name = $1 AND (id = $2 OR $2 = 0) ORDER BY id DESC LIMIT 1`

// Progress is how far a rollout is.
type Progress struct {
	ID         int64
	Name       string
	Version    int64
	Previous   int64
	Phase      rollout.Phase
	Canary     string
	FailedNode string `db:"failed_node"`
	Failure    string
	BegunBy    string `db:"begun_by"`
	Overdue    bool
	Seconds    float64
}

// FindRollout reads a rollout, or the last one when the number is 0; false when
// there is none.
func FindRollout(ctx context.Context, db *sqlx.DB, name string, id int64) (Progress, bool, error) {
	var p Progress
	err := db.GetContext(ctx, &p, roundsSQL, name, id)
	if errors.Is(err, sql.ErrNoRows) {
		return p, false, nil
	}
	if err != nil {
		return p, false, fmt.Errorf("read the rollouts of %s: %w", name, err)
	}
	return p, true, nil
}
