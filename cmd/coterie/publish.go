package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/coordinator/supervisor"
	"github.com/coterie-ha/coterie/internal/atomicfile"
	"github.com/coterie-ha/coterie/internal/problem"
)

func (c *cli) leasePublish() *cobra.Command {
	var token int64
	cmd := &cobra.Command{
		Use:   "publish NAME [--token T] SRC DST",
		Short: "Put a file in place, if the token is still the live holder's",
		Long: `Copies SRC beside DST, asserts the token in the database, and renames the copy
to DST while nobody can take the lease. With a stale token nothing is changed,
and the exit code is 5. DST is old or new, never half. The token is that of
$COTERIE_TOKEN unless --token says otherwise.

What remains possible: the host is frozen exactly between the assertion and the
rename, and cut from the database for longer than the server keeps such a
connection (some 15 s). On a share that other holders write too, let readers
check what they read.`,
		Example: `  coterie lease publish nightly report.new /media/share/report
  coterie lease publish job/report --token 42 report.new /media/share/report`,
		Args: func(cmd *cobra.Command, args []string) error { return words(cmd, args, 3, 3, "NAME SRC DST") },
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("token") {
				given, err := strconv.ParseInt(os.Getenv("COTERIE_TOKEN"), 10, 64)
				if err != nil {
					return usageProblem("which token? There is no --token, and $COTERIE_TOKEN is no number")
				}
				token = given
			}
			ctx, cancel := c.context(cmd)
			defer cancel()
			k, err := c.open(ctx, cmd)
			if err != nil {
				return err
			}
			defer k.db.Close()
			if err := publish(ctx, k.db, args[0], token, args[1], args[2]); err != nil {
				return err
			}
			c.say("%s is published under token %d.", args[2], token)
			return nil
		},
	}
	cmd.Flags().Int64Var(&token, "token", 0, "fencing `TOKEN` to check (default: $COTERIE_TOKEN)")
	return cmd
}

// patience is how old an assertion may be at the moment of the rename: well
// below what publishSQL lets the server keep a line that has died.
const patience = 5 * time.Second

// publishSQL makes the server notice a dead line soon, but not before patience is over.
const publishSQL = `SELECT set_config('tcp_keepalives_idle', '5', true), set_config('tcp_keepalives_interval', '3', true),
       set_config('tcp_keepalives_count', '3', true), set_config('idle_in_transaction_session_timeout', '0', true)`

// publish renames under the lock that the assertion holds: nobody takes the
// lease before the file is in place.
func publish(ctx context.Context, db *sqlx.DB, lease string, token int64, src, dst string) (err error) {
	from, err := os.Open(src)
	if err != nil {
		return err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return problem.New("COT-214", errors.New("not a regular file"), "%s", src)
	}
	var tx *sqlx.Tx
	defer func() {
		if tx != nil && err != nil {
			err = errors.Join(err, rolledBack(tx))
		}
	}()
	err = atomicfile.WriteFrom(dst, info.Mode().Perm(), func(w io.Writer) error {
		if _, err := io.Copy(w, from); err != nil {
			return err
		}
		if f, ok := w.(*os.File); ok {
			// Now, because what follows the assertion must be quick.
			if err := f.Sync(); err != nil {
				return err
			}
		}
		tx, err = asserted(ctx, db, lease, token)
		return err
	})
	if said, ok := errors.AsType[*pq.Error](err); ok && said.Code == "CT001" {
		return problem.New("COT-104", nil, "%s", said.Message)
	}
	if err != nil {
		return err
	}
	return tx.Commit()
}

// asserted is a transaction that holds the lease for the token's holder. The
// transaction is returned also with an error, to be rolled back.
func asserted(ctx context.Context, db *sqlx.DB, lease string, token int64) (*sqlx.Tx, error) {
	// Told to stop, this process must not give up the lock while the rename goes on.
	tx, err := db.BeginTxx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, publishSQL); err != nil {
		return tx, fmt.Errorf("prepare to publish: %w", err)
	}
	begun := supervisor.BootTime()
	if _, err := tx.ExecContext(ctx, `SELECT coterie.assert_lease($1, $2)`, lease, token); err != nil {
		return tx, err
	}
	if late := supervisor.BootTime() - begun; late > patience {
		return tx, fmt.Errorf("assert %s: the answer took %v", lease, late)
	}
	return tx, nil
}

// rolledBack ends a transaction that may have ended already.
func rolledBack(tx *sqlx.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return nil
}
