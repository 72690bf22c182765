package license

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// asks is a connection or a transaction. Everything here may be said again.
type asks interface {
	GetContext(ctx context.Context, into any, query string, args ...any) error
}

// Define applies a definition, and names the pools that changed.
func Define(ctx context.Context, db asks, d Definition, by, reason string) ([]string, error) {
	return call(ctx, db, `SELECT coterie.license_define($1, $2, $3)`, d, by, reason)
}

// Load applies a signed file, and names the pools that changed: none, when it was
// applied before.
func Load(ctx context.Context, db asks, f File, by, reason string) ([]string, error) {
	return call(ctx, db, `SELECT coterie.license_load($1, $2, $3)`, map[string]any{
		"serial": f.Serial, "issuer": f.Issuer, "document": f.Text, "signature": f.Signature, "signed_by": f.SignedBy, "pools": f.Pools,
	}, by, reason)
}

func call(ctx context.Context, db asks, query string, what any, by, reason string) ([]string, error) {
	text, err := json.Marshal(what)
	if err != nil {
		return nil, err
	}
	var pools pq.StringArray
	if err := db.GetContext(ctx, &pools, query, string(text), by, reason); err != nil {
		return nil, fmt.Errorf("apply licences: %w", err)
	}
	return pools, nil
}

// Withdraw takes a file back; false when it was not applied.
func Withdraw(ctx context.Context, db asks, serial, by, reason string) (done bool, err error) {
	if err := db.GetContext(ctx, &done, `SELECT coterie.license_withdraw($1, $2, $3)`, serial, by, reason); err != nil {
		return false, fmt.Errorf("withdraw %s: %w", serial, err)
	}
	return done, nil
}

// SetServers names the external licence servers; false when they are those already.
func SetServers(ctx context.Context, db *sqlx.DB, servers []Server, by, reason string) (changed bool, err error) {
	hosts, ports := pq.StringArray{}, pq.Int64Array{}
	for _, s := range servers {
		hosts, ports = append(hosts, s.Host), append(ports, int64(s.Port))
	}
	err = on(ctx, db, func(conn *sqlx.Conn) error {
		return conn.GetContext(ctx, &changed, `SELECT coterie.license_servers_set($1, $2, $3, $4)`, hosts, ports, by, reason)
	})
	if err != nil {
		return false, fmt.Errorf("set the licence servers: %w", err)
	}
	return changed, nil
}

// Verify holds a document of the database against its signature.
func Verify(document, signature string, trusted []ed25519.PublicKey) error {
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	for _, key := range trusted {
		if len(key) == ed25519.PublicKeySize && ed25519.Verify(key, []byte(document), raw) {
			return nil
		}
	}
	return ErrSignature
}
