package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// SQL is an action that runs one statement in the shared database, in one
// transaction with the check of the token: when it commits, this node held the
// lease, and nobody could take it before that commit.
type SQL struct {
	// Open gives a pool for one run, without a limit for statements: the job's
	// timeout counts. When ctx has ended its connections are cut, answer or not.
	Open      func(ctx context.Context) (*sqlx.DB, error)
	Statement string // values of parameters stand in it as {NAME}; they are passed apart, never as text of SQL
	Role      string // that runs it; the node's own if empty
	Takes     []Param
}

// rowsShown bounds what is kept of the rows that a statement returns.
const rowsShown = 100

// Do runs the statement.
func (s SQL) Do(ctx context.Context, r Run) (*Exit, error) {
	values, err := fill(s.Takes, r.Params)
	if err != nil {
		return nil, err
	}
	statement, args := s.bind(values)
	db, err := s.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", why(ctx, err))
	}
	defer db.Close()
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	if err := s.within(ctx, tx, r, statement, args); err != nil {
		return nil, errors.Join(why(ctx, err), undone(tx.Rollback()))
	}
	if err := tx.Commit(); err != nil {
		return nil, fmt.Errorf("commit, which may have happened: %w", why(ctx, err))
	}
	return nil, nil
}

// undone is the error of a rollback that matters: it has happened anyway when
// the connection is gone.
func undone(err error) error {
	if errors.Is(err, sql.ErrTxDone) || err == nil {
		return nil
	}
	return fmt.Errorf("roll back: %w", err)
}

func why(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

const assertSQL = `SELECT coterie.assert_lease($1, $2)`

func (s SQL) within(ctx context.Context, tx *sqlx.Tx, r Run, statement string, args []any) error {
	if _, err := tx.ExecContext(ctx, assertSQL, r.lease(), int64(r.Token)); err != nil {
		return fmt.Errorf("check the token: %w", err)
	}
	if s.Role != "" {
		if _, err := tx.ExecContext(ctx, `SET LOCAL ROLE `+pq.QuoteIdentifier(s.Role)); err != nil {
			return fmt.Errorf("act as %s: %w", s.Role, err)
		}
	}
	// Prepared, so that it is one statement: another one could end the transaction.
	prepared, err := tx.PreparexContext(ctx, statement)
	if err != nil {
		return fmt.Errorf("understand the statement: %w", err)
	}
	defer prepared.Close()
	rows, err := prepared.QueryxContext(ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	return show(r.Output, rows)
}

// show writes the rows that a statement returns.
func show(to io.Writer, rows *sqlx.Rows) error {
	n := 0
	for rows.Next() {
		if n++; n > rowsShown {
			continue
		}
		values, err := rows.SliceScan()
		if err != nil {
			return err
		}
		texts := make([]string, len(values))
		for i, v := range values {
			if b, ok := v.([]byte); ok {
				v = string(b)
			}
			texts[i] = fmt.Sprint(v)
		}
		if _, err := fmt.Fprintln(to, strings.Join(texts, "\t")); err != nil {
			return err
		}
	}
	if n > rowsShown {
		if _, err := fmt.Fprintf(to, "and %d more rows\n", n-rowsShown); err != nil {
			return err
		}
	}
	return rows.Err()
}

// bind numbers the parameters that a statement names.
func (s SQL) bind(values Params) (statement string, args []any) {
	number := map[string]int{}
	statement = placeholder().ReplaceAllStringFunc(s.Statement, func(found string) string {
		name := strings.Trim(found, "{}")
		for _, p := range s.Takes {
			if p.Name != name {
				continue
			}
			if number[name] == 0 {
				args = append(args, p.typed(values[name]))
				number[name] = len(args)
			}
			return fmt.Sprintf("$%d", number[name])
		}
		return found
	})
	return statement, args
}
