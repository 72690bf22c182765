package manifest

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// Heeded is a change that a hook of this node is to act upon.
type Heeded struct {
	Seq    int64   `json:"seq"`
	Path   string  `json:"path"` // quoted, as From
	From   *string `db:"from_path" json:"from_path,omitempty"`
	Change string  `json:"change"`
	Kind   string  `json:"kind"`
	Class  string  `json:"class"`
	Size   int64   `json:"size"`
	Digest *string `json:"digest,omitempty"`
	SeenBy string  `db:"seen_by" json:"seen_by"`
}

const heedSQL = `
SELECT seq, path, from_path, change, kind, class, size, digest, seen_by
FROM coterie.appdata_heed($1, $2, $3, $4)`

const heedAtOnce = 1000

// Heed gives the changes of the share that came since a hook of this node was last
// asked about, and makes them its own: nobody is given them again. A hook that is
// new is given those that come from now on. more says that there are others.
func (s Store) Heed(ctx context.Context, incarnation int64, hook string) (changes []Heeded, more bool, err error) {
	err = s.on(ctx, func(conn *sqlx.Conn) error {
		return conn.SelectContext(ctx, &changes, heedSQL, s.Node, incarnation, hook, heedAtOnce)
	})
	if err != nil {
		return nil, false, fmt.Errorf("ask what hook %s is to act upon: %w", hook, err)
	}
	return changes, len(changes) == heedAtOnce, nil
}

// HeedEnded tells what became of it.
func (s Store) HeedEnded(ctx context.Context, incarnation int64, hook string, failed error) error {
	text := ""
	if failed != nil {
		text = failed.Error()
	}
	var told bool
	if err := s.once(ctx, &told, `SELECT coterie.appdata_heed_ended($1, $2, $3, $4)`, s.Node, incarnation, hook, text); err != nil {
		return fmt.Errorf("tell what became of hook %s: %w", hook, err)
	}
	return nil
}

// ChangedAgain gives those of some paths (quoted) of which the journal knows a later change.
func (s Store) ChangedAgain(ctx context.Context, paths []string, after int64) (again []string, err error) {
	err = s.DB.SelectContext(ctx, &again, `SELECT DISTINCT path FROM coterie.appdata_changes WHERE tree = $1 AND path = ANY ($2) AND seq > $3`,
		Share, pq.Array(paths), after)
	if err != nil {
		return nil, fmt.Errorf("ask what changed again: %w", err)
	}
	return again, nil
}

// on lends a connection of its own.
func (s Store) on(ctx context.Context, do func(*sqlx.Conn) error) error {
	conn, err := s.DB.Connx(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return do(conn)
}
