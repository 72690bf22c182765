package vouch

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
)

// Answer is what an installation that asks is told.
type Answer string

// Answers, as of coterie.approval_ask.
const (
	Open      Answer = "open" // nobody need ask
	Pending   Answer = "pending"
	Approved  Answer = "approved"
	Withdrawn Answer = "withdrawn"
	Rejected  Answer = "refused" // the token is not good
)

// Token is a one-time token: a name, and a secret that no log, error or document
// shows.
type Token struct{ id, secret string }

// tokenPrefix tells people and programs what they have found.
const tokenPrefix = "coterie-join-"

// NewToken makes one.
func NewToken() Token {
	var id [8]byte
	var secret [32]byte
	rand.Read(id[:]) // it never fails
	rand.Read(secret[:])
	return Token{hex.EncodeToString(id[:]), base64.RawURLEncoding.EncodeToString(secret[:])}
}

// ErrNoToken means that a text is no token.
var ErrNoToken = errors.New("it is not a token, which begins with " + tokenPrefix)

// ParseToken reads what Reveal wrote. The error does not repeat it.
func ParseToken(text string) (Token, error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), tokenPrefix)
	id, secret, cut := strings.Cut(rest, ".")
	if !ok || !cut || len(id) != 16 || len(secret) != 43 {
		return Token{}, ErrNoToken
	}
	return Token{id, secret}, nil
}

// ID is the name of the token, which may be shown.
func (t Token) ID() string { return t.id }

// Reveal is the whole token, for who made it.
func (t Token) Reveal() string { return tokenPrefix + t.id + "." + t.secret }

// String hides the secret.
func (t Token) String() string { return tokenPrefix + t.id }

// GoString hides it from %#v.
func (t Token) GoString() string { return t.String() }

// LogValue hides it from logs.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// proof shows the database that its bearer has the secret, which it is not told: what
// the database's own log may have of a statement is not the token.
func (t Token) proof() []byte {
	sum := sha256.Sum256([]byte(t.secret))
	return sum[:]
}

const tokenSQL = `SELECT coterie.join_token_make($1, $2, $3, $4::interval, $5)`

// Keep has the database know a token, by a hash of its proof; returns until when it is
// good.
func (t Token) Keep(ctx context.Context, db *sqlx.DB, node string, good time.Duration, by string) (time.Time, error) {
	hash := sha256.Sum256(t.proof())
	var ends time.Time
	if err := call(ctx, db, &ends, tokenSQL, t.id, hash[:], node, good.String(), by); err != nil {
		return ends, fmt.Errorf("make a token: %w", err)
	}
	return ends, nil
}

const askSQL = `SELECT coterie.approval_ask($1, $2, $3, $4, $5)`

// Ask asks that an installation may join, perhaps by a token.
func Ask(ctx context.Context, db *sqlx.DB, id, node, host string, t *Token) (Answer, error) {
	var name sql.NullString
	var proof []byte
	if t != nil {
		name, proof = sql.NullString{String: t.id, Valid: true}, t.proof()
	}
	var answer Answer
	if err := call(ctx, db, &answer, askSQL, id, node, host, name, proof); err != nil {
		return "", fmt.Errorf("ask for approval of %s: %w", node, err)
	}
	return answer, nil
}

// Approval is what is known of an installation.
type Approval struct {
	Node, ID, Host, State string
}

const approvalsSQL = `
SELECT node, id, host, state FROM coterie.approvals WHERE node = $1
UNION ALL
SELECT n.name, n.id, n.host, '' FROM coterie.nodes n
WHERE n.name = $1 AND NOT EXISTS (SELECT FROM coterie.approvals a WHERE a.id = n.id)
ORDER BY 2`

// Approvals are the installations that want a name.
func Approvals(ctx context.Context, db *sqlx.DB, node string) ([]Approval, error) {
	var all []Approval
	if err := db.SelectContext(ctx, &all, approvalsSQL, node); err != nil {
		return nil, fmt.Errorf("read who wants to be %s: %w", node, err)
	}
	return all, nil
}

const decideSQL = `SELECT coterie.approval_decide($1, $2, $3::coterie.approval_state, $4, $5)`

// Decide approves an installation, or withdraws that; false when it was so already.
func Decide(ctx context.Context, db *sqlx.DB, a Approval, to Answer, by, reason string) (bool, error) {
	var done bool
	if err := call(ctx, db, &done, decideSQL, a.ID, a.Node, string(to), by, reason); err != nil {
		return false, fmt.Errorf("decide about %s: %w", a.Node, err)
	}
	return done, nil
}

const switchSQL = `SELECT coterie.approval_switch($1, $2, $3)`

// SwitchOn has the cluster ask for approval; false when it does.
func SwitchOn(ctx context.Context, db *sqlx.DB, by, reason string) (bool, error) {
	return flip(ctx, db, true, by, reason)
}

// SwitchOff has whoever has a login of the database join, as it is by default.
func SwitchOff(ctx context.Context, db *sqlx.DB, by, reason string) (bool, error) {
	return flip(ctx, db, false, by, reason)
}

func flip(ctx context.Context, db *sqlx.DB, on bool, by, reason string) (bool, error) {
	var done bool
	if err := call(ctx, db, &done, switchSQL, on, by, reason); err != nil {
		return false, fmt.Errorf("change whether approval is asked for: %w", err)
	}
	return done, nil
}

const evictSQL = `SELECT coterie.node_evict($1, $2, $3)`

// Evict puts a node out of the cluster; false when it is out.
func Evict(ctx context.Context, db *sqlx.DB, node, by, reason string) (bool, error) {
	var done bool
	if err := call(ctx, db, &done, evictSQL, node, by, reason); err != nil {
		return false, fmt.Errorf("evict %s: %w", node, err)
	}
	return done, nil
}

const addSQL = `SELECT coterie.trust_add($1, $2, $3, $4, $5, $6, $7)`

// Add has all nodes trust a certificate that is of no node; false when they do.
func Add(ctx context.Context, db *sqlx.DB, alias string, c *x509.Certificate, by, reason string) (bool, error) {
	var done bool
	if err := call(ctx, db, &done, addSQL, alias, c.Raw, c.Subject.String(), c.NotBefore, c.NotAfter, by, reason); err != nil {
		return false, fmt.Errorf("add %s: %w", alias, err)
	}
	return done, nil
}

const removeSQL = `SELECT coterie.trust_remove($1, $2, $3)`

// Remove has no node trust what was added; false when there is none of that alias.
func Remove(ctx context.Context, db *sqlx.DB, alias, by, reason string) (bool, error) {
	var done bool
	if err := call(ctx, db, &done, removeSQL, alias, by, reason); err != nil {
		return false, fmt.Errorf("remove %s: %w", alias, err)
	}
	return done, nil
}
