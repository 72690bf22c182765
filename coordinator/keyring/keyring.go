// Package keyring is what the database knows of keystores: their versions, to whom
// each is sealed, and by which keys.
//
// Nothing here can open one. What is sealed and opened is package keystore's, which
// knows no database; cmd/coterie stands between the two.
//
//	node    Publish --------> coterie.keystore_recipient <-------- Register   administrator
//	node    Unshared, Share -> coterie.keystore_copy <---- Stage              administrator
//	                           coterie.keystore
//	node    Look, Self.Vote, Self.Report, Self.Turn --> coterie.keystore_rollout <-- Activate, Recall   administrator
//
// A version is staged by who was first: whoever staged upon the same predecessor
// later gets a *ConflictError, and nothing of his is kept. A call whose answer was
// lost may be made again.
package keyring

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// ConflictError says that somebody else was faster.
type ConflictError struct{ Said, Hint string }

func (e *ConflictError) Error() string { return e.Said }

// ErrClosed means that no copy of the version is sealed to that recipient.
var ErrClosed = errors.New("no copy is sealed to it")

// Key is a public key that versions are sealed to, as the database shows it. Who
// seals verifies first that a node's identity has signed it.
type Key struct {
	Name      string
	Node      string // empty: a recovery key
	NodeID    string `db:"node_id"`
	Seal      []byte
	Identity  []byte
	Signature []byte
}

const publishSQL = `SELECT coterie.keystore_publish($1, $2, $3, $4, $5)`

// Publish says by which key versions are sealed to this node, fenced by its session.
func Publish(ctx context.Context, db *sqlx.DB, incarnation int64, k Key) error {
	var living bool
	if err := call(ctx, db, &living, publishSQL, k.Node, incarnation, k.Identity, k.Seal, k.Signature); err != nil {
		return fmt.Errorf("publish the sealing key of %s: %w", k.Node, err)
	}
	return nil
}

const registerSQL = `SELECT coterie.keystore_recovery($1, $2, $3)`

// Register makes a recovery key a recipient of what is staged from now on; false
// when it is one.
func Register(ctx context.Context, db *sqlx.DB, seal []byte, by, reason string) (bool, error) {
	var done bool
	if err := call(ctx, db, &done, registerSQL, seal, by, reason); err != nil {
		return false, fmt.Errorf("register a recovery key: %w", err)
	}
	return done, nil
}

// A node that is not there any more, or waits for approval, gets nothing, and one without a key stands there
// without one.
const keysSQL = `
SELECT coalesce(r.name, n.name) AS name, coalesce(n.name, '') AS node, coalesce(n.id, '') AS node_id,
       coalesce(r.seal, '') AS seal, coalesce(r.identity, '') AS identity, coalesce(r.signature, '') AS signature
FROM (SELECT name, id FROM coterie.nodes WHERE state NOT IN ('left', 'evicted') AND coterie.trust_admits(id)) n
FULL JOIN coterie.keystore_recipients r ON r.node = n.name
WHERE n.name IS NOT NULL OR r.node IS NULL
ORDER BY 1`

// Keys are those of all nodes of the cluster, and the recovery keys. A node that has
// not published one has no Seal.
func Keys(ctx context.Context, db *sqlx.DB) ([]Key, error) {
	var keys []Key
	if err := db.SelectContext(ctx, &keys, keysSQL); err != nil {
		return nil, fmt.Errorf("read the sealing keys: %w", err)
	}
	return keys, nil
}

// Version is a version of a keystore, as it is staged.
type Version struct {
	Name        string
	Version     int64
	Format      string
	Bytes       int
	SHA256      string
	Alias       string
	Fingerprint string
	Subject     string
	NotBefore   time.Time
	NotAfter    time.Time
	Content     []byte // encrypted
	Copies      []Copy
	By, Reason  string
}

// Copy is the key of a version, sealed to a recipient's key of that fingerprint.
type Copy struct {
	Recipient, Seal string
	Key             []byte
}

const newestSQL = `
SELECT version, sha256, alias, state, coterie.clock() AS now FROM (SELECT 1) one
LEFT JOIN (SELECT version, sha256, alias, state FROM coterie.keystores WHERE name = $1 ORDER BY version DESC LIMIT 1) newest ON true`

// Newest is the last version of a keystore, 0 when there is none, and the time by
// the database's clock.
type Newest struct {
	Version sql.NullInt64
	SHA256  sql.NullString
	Alias   sql.NullString
	State   sql.NullString
	Now     time.Time
}

// FindNewest reads the last version of a keystore.
func FindNewest(ctx context.Context, db *sqlx.DB, name string) (Newest, error) {
	var n Newest
	if err := db.GetContext(ctx, &n, newestSQL, name); err != nil {
		return n, fmt.Errorf("read the newest version of %s: %w", name, err)
	}
	return n, nil
}

const stageSQL = `SELECT coterie.keystore_stage($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`

// Stage stages a version. *ConflictError when it is somebody else's by now, or a
// recipient has another key.
func Stage(ctx context.Context, db *sqlx.DB, v Version) error {
	names, seals, keys := v.copies()
	var done bool
	err := call(ctx, db, &done, stageSQL, v.Name, v.Version, v.Format, v.Bytes, v.SHA256, v.Alias, v.Fingerprint, v.Subject,
		v.NotBefore, v.NotAfter, v.Content, names, seals, keys, v.By, v.Reason)
	if err != nil {
		return staged(v, err)
	}
	return nil
}

const fetchSQL = `SELECT content, key FROM coterie.keystore_fetch($1, $2, $3)`

// Fetch is the encrypted content of a version, and the copy of a recipient.
func Fetch(ctx context.Context, db *sqlx.DB, name string, version int64, recipient string) (content, key []byte, err error) {
	var got struct{ Content, Key []byte }
	err = db.GetContext(ctx, &got, fetchSQL, name, version, recipient)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrClosed
	}
	if err != nil {
		return nil, nil, fmt.Errorf("fetch version %d of %s for %s: %w", version, name, recipient, err)
	}
	return got.Content, got.Key, nil
}

// Unshared is a version that this node can open and a recipient cannot.
type Unshared struct {
	Name    string
	Version int64
	With    string
}

// What nobody serves any more is shared with nobody.
const unsharedSQL = `
SELECT k.name, k.version, closed AS "with"
FROM coterie.keystores k, unnest(k.closed_to) AS closed
WHERE $1 = ANY (k.opened_by) AND (k.state = 'active' OR k.state = 'staged')
ORDER BY k.name, k.version, closed`

// FindUnshared reads what a node could share with others.
func FindUnshared(ctx context.Context, db *sqlx.DB, node string) ([]Unshared, error) {
	var missing []Unshared
	if err := db.SelectContext(ctx, &missing, unsharedSQL, node); err != nil {
		return nil, fmt.Errorf("read who cannot open keystores: %w", err)
	}
	return missing, nil
}

const shareSQL = `SELECT coterie.keystore_share($1, $2, $3, $4, $5, $6, $7)`

// Share gives a recipient its copy of a version, fenced by this node's session;
// false when it has one.
func Share(ctx context.Context, db *sqlx.DB, node string, incarnation int64, name string, version int64, c Copy) (bool, error) {
	var done bool
	if err := call(ctx, db, &done, shareSQL, node, incarnation, name, version, c.Recipient, c.Seal, c.Key); err != nil {
		return false, fmt.Errorf("share version %d of %s with %s: %w", version, name, c.Recipient, err)
	}
	return done, nil
}

// call says one statement on a connection of its own: a pool would silently say a
// statement again whose answer was lost.
func call(ctx context.Context, db *sqlx.DB, into any, statement string, args ...any) error {
	conn, err := db.Connx(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.GetContext(ctx, into, statement, args...)
}
