package keyring

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jmoiron/sqlx"
)

const seeSQL = `SELECT told, coalesce(expected, '') AS expected FROM coterie.encryption_see($1, $2, $3, $4, $5)`

// See tells what this node sees of the encryption keystore, and returns the digest of
// the one that all must see; empty while nobody has seen any. False when another life
// of the node is at work.
func See(ctx context.Context, db *sqlx.DB, node string, incarnation int64, path, sha256, trouble string) (expected string, told bool, err error) {
	conn, err := db.Connx(ctx)
	if err != nil {
		return "", false, err
	}
	defer conn.Close()
	var answer struct {
		Told     bool
		Expected string
	}
	if err := conn.GetContext(ctx, &answer, seeSQL, node, incarnation, path, orNull(sha256), trouble); err != nil {
		return "", false, fmt.Errorf("tell what %s sees of %s: %w", node, path, err)
	}
	return answer.Expected, answer.Told, nil
}

// Sight is what a node sees of the encryption keystore.
type Sight struct {
	Node     string
	Path     string
	SHA256   sql.NullString
	Expected sql.NullString
	OK       bool
	Error    string
	Living   bool
}

const sightsSQL = `SELECT node, path, sha256, expected, ok, error, living FROM coterie.encryptions ORDER BY node`

// Sights are what all nodes see of it.
func Sights(ctx context.Context, db *sqlx.DB) ([]Sight, error) {
	var sights []Sight
	if err := db.SelectContext(ctx, &sights, sightsSQL); err != nil {
		return nil, fmt.Errorf("read what nodes see of the encryption keystore: %w", err)
	}
	return sights, nil
}

const acceptSQL = `SELECT coterie.encryption_accept($1, $2, $3, $4)`

// Accept says that another encryption keystore is meant than the one that was; false
// when somebody else changed that meanwhile, or nobody sees it any more. Empty: none.
func Accept(ctx context.Context, db *sqlx.DB, sha256, was, by, reason string) (bool, error) {
	var done bool
	if err := call(ctx, db, &done, acceptSQL, orNull(sha256), orNull(was), by, reason); err != nil {
		return false, fmt.Errorf("accept another encryption keystore: %w", err)
	}
	return done, nil
}

// File is the copy of a keystore on the share, as the holder of its lease sees it.
type File struct {
	Token   int64
	Path    string
	Version int64  // 0: none of the database's
	SHA256  string // empty: there is none
	Written bool   // a moment ago
	Error   string
}

const copiedSQL = `SELECT coterie.keystore_copied($1, $2, $3, $4, $5, $6, $7, $8, $9)`

// Copied tells what the copy on the share has. It is said on the connection that
// holds the lease's row, if the file was written.
func (s Self) Copied(ctx context.Context, db sqlx.QueryerContext, f File) error {
	var told bool
	err := sqlx.GetContext(ctx, db, &told, copiedSQL, s.Node, s.Incarnation, f.Token, s.Name, f.Path, orNull(f.Version), orNull(f.SHA256), f.Written, f.Error)
	if err != nil {
		return fmt.Errorf("tell of the copy of %s: %w", s.Name, err)
	}
	return nil
}
