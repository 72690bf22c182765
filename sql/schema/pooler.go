package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Pooling says when whatever stands between this program and the server gives
// the server's connection to others.
type Pooling string

// What a pooler can be found to do.
const (
	// SessionPooling: nothing does so before we hang up. It is also what no pooler looks like.
	SessionPooling Pooling = "session"
	// TransactionPooling: after each transaction. Everything works but LISTEN.
	TransactionPooling Pooling = "transaction"
)

// ErrStatementPooling says that a pooler gives the connection to others after
// each statement, so that there are no transactions.
var ErrStatementPooling = errors.New("a pooler permits no transactions")

// FindPooling finds out by two connections of its own: while one is in a
// transaction, another that shares the server's with it must get a different one.
func FindPooling(ctx context.Context, o Options) (how Pooling, err error) {
	o.MaxConns = 2
	db, err := Pool(o)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	one, err := db.Conn(ctx)
	if err != nil {
		return "", err
	}
	defer one.Close()
	// Once would do, were nobody else at work under this login.
	for range 3 {
		shared, err := shares(ctx, one, db.DB)
		if err != nil {
			return "", fmt.Errorf("look for a pooler: %w", err)
		}
		if shared {
			return TransactionPooling, nil
		}
	}
	return SessionPooling, nil
}

const pidSQL = `SELECT pg_catalog.pg_backend_pid()`

// shares tells whether the server's process behind a connection is another one
// while a transaction of a second connection lasts.
func shares(ctx context.Context, one *sql.Conn, db *sql.DB) (bool, error) {
	var before, during, after int
	if err := one.QueryRowContext(ctx, pidSQL).Scan(&before); err != nil {
		return false, err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		if one.QueryRowContext(ctx, pidSQL).Scan(&after) == nil {
			err = fmt.Errorf("%w: %w", ErrStatementPooling, err)
		}
		return false, err
	}
	defer func() { _ = tx.Rollback() }() // nothing was done
	if err := tx.QueryRowContext(ctx, pidSQL).Scan(&during); err != nil {
		return false, err
	}
	// With a single connection to the server, which the transaction has, this waits.
	limited, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := one.QueryRowContext(limited, pidSQL).Scan(&after); err != nil {
		if ctx.Err() == nil && limited.Err() != nil {
			return true, nil
		}
		return false, err
	}
	return before != after || during == before, nil
}
