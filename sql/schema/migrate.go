package schema

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// lockKey is the advisory lock that lets one upgrade at a time into a database.
const lockKey = 0x636f746572696521 // "coterie!"

// MinServer is the oldest PostgreSQL that will do.
const MinServer = 140000

// Result tells what an upgrade did.
type Result struct {
	From, To int
	Applied  []string // names of the migrations that it applied
}

// Migrate brings the database to this program's schema, in one transaction: an
// error leaves everything as it was. It waits its turn when others do the same,
// until ctx ends.
//
// The pool's statement budget counts for each migration.
func Migrate(ctx context.Context, db *sqlx.DB) (Result, error) { return Source{}.Migrate(ctx, db) }

// Migrate is like the function of that name.
func (s Source) Migrate(ctx context.Context, db *sqlx.DB) (Result, error) {
	p, err := s.plan()
	if err != nil {
		return Result{}, err
	}
	// Who comes to a finished schema has it applied again, which repairs; who
	// waited while somebody else finished it has nothing left to do.
	before, err := s.Status(ctx, db)
	finished := err == nil && before.CodeCurrent && len(before.Pending) == 0
	for {
		r, err := p.attempt(ctx, db, finished)
		if err == nil {
			return r, nil
		}
		if !passing(err) {
			return Result{}, fmt.Errorf("upgrade the schema: %w", err)
		}
		select {
		case <-ctx.Done():
			return Result{}, fmt.Errorf("upgrade the schema: %w", errors.Join(err, context.Cause(ctx)))
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// passing tells whether the same upgrade may go through when it is tried again:
// somebody held a lock, or made the same roles from another database.
func passing(err error) bool {
	var said *pq.Error
	if !errors.As(err, &said) {
		return false
	}
	switch said.Code {
	case "55P03", "40P01", "40001": // lock not available, deadlock, serialization
		return true
	case "XX000":
		return strings.Contains(said.Message, "tuple concurrently")
	case "42704": // just made from another database: for an instant the server remembers here that there is none
		return strings.Contains(said.Message, `"`+Owner+`"`) || strings.Contains(said.Message, `"`+Agent+`"`) ||
			strings.Contains(said.Message, `"`+Operator+`"`) || strings.Contains(said.Message, `"`+Reader+`"`)
	}
	return false
}

// turnSQL waits for another upgrade, which takes no longer than this as a rule.
const turnSQL = `SET LOCAL lock_timeout = '2s'`

// prepareSQL bounds each wait for a lock: an upgrade that waits for a table
// holds up every agent that comes after it.
const prepareSQL = `
SET LOCAL lock_timeout = '500ms';
SET LOCAL client_min_messages = warning;
SET LOCAL search_path = pg_catalog, coterie, pg_temp`

const recordSQL = `
INSERT INTO coterie.schema_version (version, name, sha256, needs, applied_at)
VALUES ($1, $2, $3, $4, coterie.clock())
ON CONFLICT (version) DO UPDATE
SET name = excluded.name, sha256 = excluded.sha256, needs = excluded.needs,
    applied_at = excluded.applied_at, applied_by = excluded.applied_by
WHERE schema_version.sha256 <> excluded.sha256`

func (p plan) attempt(ctx context.Context, db *sqlx.DB, again bool) (r Result, err error) {
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return Result{}, err
	}
	defer func() {
		if err == nil {
			return
		}
		// A connection that broke has rolled back by itself.
		if undo := tx.Rollback(); undo != nil && !errors.Is(undo, context.Cause(ctx)) && !isGone(undo) {
			err = errors.Join(err, undo)
		}
	}()
	if _, err := tx.ExecContext(ctx, turnSQL); err != nil {
		return Result{}, err
	}
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(lockKey)); err != nil {
		return Result{}, fmt.Errorf("wait for another upgrade: %w", err)
	}
	if !again { // whoever had the turn before may have left nothing to do
		done, err := p.isDone(ctx, tx)
		if err != nil {
			return Result{}, err
		}
		if done {
			return Result{From: p.latest(), To: p.latest()}, tx.Commit()
		}
	}
	if _, err := tx.ExecContext(ctx, prepareSQL); err != nil {
		return Result{}, err
	}
	if err := prepareRoles(ctx, tx); err != nil {
		return Result{}, err
	}
	if err := p.bootstrap.apply(ctx, tx); err != nil {
		return Result{}, err
	}
	recorded, err := readRecord(ctx, tx)
	if err != nil {
		return Result{}, err
	}
	if r, err = p.applyPending(ctx, tx, recorded); err != nil {
		return Result{}, err
	}
	if err := applyAll(ctx, tx, p.code); err != nil {
		return Result{}, err
	}
	if err := p.grants.apply(ctx, tx); err != nil {
		return Result{}, err
	}
	if p.latest() > 0 {
		if _, err := tx.ExecContext(ctx, recordSQL, 0, "functions and views", p.codeDigest(), 0); err != nil {
			return Result{}, err
		}
	}
	if _, err := tx.ExecContext(ctx, analyzeSQL); err != nil {
		return Result{}, fmt.Errorf("count the rows of new tables: %w", err)
	}
	return r, tx.Commit()
}

// analyzeSQL counts the rows of tables where nobody has yet. As long as that is so a
// table is thought to have ten pages, autovacuum may never come to a small one, and
// a list that joins a few is expected to cost so much that the server compiles it,
// for seconds, before it takes a millisecond.
const analyzeSQL = `
DO $$
DECLARE
    uncounted regclass;
BEGIN
    FOR uncounted IN
        SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'coterie'::regnamespace AND c.relkind = 'r' AND c.reltuples < 0
    LOOP
        EXECUTE format('ANALYZE %s', uncounted);
    END LOOP;
END $$`

const readableSQL = `SELECT coalesce(has_table_privilege(to_regclass('coterie.schema_version'), 'SELECT'), false)`

// isDone tells whether the database has all that it should have.
func (p plan) isDone(ctx context.Context, tx *sqlx.Tx) (bool, error) {
	var readable bool
	if err := tx.GetContext(ctx, &readable, readableSQL); err != nil || !readable {
		return false, err
	}
	recorded, err := readRecord(ctx, tx)
	if err != nil {
		return false, err
	}
	pending, err := p.pending(recorded)
	return err == nil && len(pending) == 0 && p.codeCurrent(recorded), nil // what is wrong is said in its place
}

func readRecord(ctx context.Context, tx *sqlx.Tx) (recorded []Applied, err error) {
	err = tx.SelectContext(ctx, &recorded, `SELECT version, name, sha256, needs, applied_at, applied_by FROM coterie.schema_version`)
	return recorded, err
}

func (p plan) applyPending(ctx context.Context, tx *sqlx.Tx, recorded []Applied) (Result, error) {
	pending, err := p.pending(recorded)
	if err != nil {
		return Result{}, err
	}
	r := Result{To: p.latest()}
	for _, a := range recorded {
		r.From = max(r.From, a.Version)
	}
	files := make([]file, 0, len(pending))
	for _, m := range pending {
		f := m.file
		f.text += fmt.Sprintf("\n;\nINSERT INTO coterie.schema_version (version, name, sha256, needs, applied_at) VALUES (%d, %s, %s, %d, coterie.clock())",
			m.version, pq.QuoteLiteral(m.name), pq.QuoteLiteral(m.sha256), m.needs)
		files = append(files, f)
		r.Applied = append(r.Applied, m.name)
	}
	return r, applyAll(ctx, tx, files)
}

// applyAll applies files all at once: a round trip for each would take as long as
// its work. Only when something is wrong they go one by one, to find the file.
func applyAll(ctx context.Context, tx *sqlx.Tx, files []file) error {
	var all strings.Builder
	for _, f := range files {
		fmt.Fprintf(&all, "%s\n;\n", f.text)
	}
	if _, err := tx.ExecContext(ctx, `SAVEPOINT files`); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, all.String()); err == nil || passing(err) {
		return err // of a lock that somebody holds, a second wait would tell no more
	}
	if _, err := tx.ExecContext(ctx, `ROLLBACK TO SAVEPOINT files`); err != nil {
		return err
	}
	for _, f := range files {
		if err := f.apply(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

// FileError is an SQL file that the database did not take.
type FileError struct {
	File string
	Line int // 0 when the database named none
	Err  error
}

func (e *FileError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

func (e *FileError) Unwrap() error { return e.Err }

// apply sends the whole file at once, as lib/pq does when there are no
// arguments.
func (f file) apply(ctx context.Context, tx *sqlx.Tx) error {
	_, err := tx.ExecContext(ctx, f.text)
	if err == nil {
		return nil
	}
	line := 0
	var said *pq.Error
	if errors.As(err, &said) {
		if at, bad := strconv.Atoi(said.Position); bad == nil {
			line = 1 + strings.Count(string([]rune(f.text)[:min(at, len([]rune(f.text)))]), "\n")
		}
	}
	return &FileError{File: f.name, Line: line, Err: err}
}
