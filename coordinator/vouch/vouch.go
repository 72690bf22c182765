// Package vouch is what the database knows of whom servers trust: which certificates
// nodes have published, which installations may join, the versions of the trust store
// that follow from both, and what nodes found when they tried it.
//
// What is signed, believed, rendered and called is package keystore/trust's, which
// knows no database; cmd/coterie stands between the two.
//
//	node      Self.Publish -> coterie.trust_certificate --\
//	joining   Ask ----------> coterie.approval <- Decide ---> coterie.trust_store <- Add, Remove   administrator
//	node      Look <------------------------------------------/
//	node      Self.Report --> coterie.trust_node      Self.Tested -> coterie.trust_test
//
// Whoever changes what the trust store follows from makes its next version in the same
// statement. What only time changes (a certificate that was given up, a node that left
// long ago) the next node that looks settles. A call whose answer was lost may be made
// again.
package vouch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/keystore/trust"
)

// RefusedError says why the database would not.
type RefusedError struct{ Code, Said string }

func (e *RefusedError) Error() string { return e.Said }

// Codes of a RefusedError.
const (
	Taken  = "CT051" // the alias or the certificate is there otherwise
	Crowd  = "CT052" // too many wait for approval
	Living = "CT053" // the node has a session
)

// View is what a node has to know.
type View struct {
	Asked     bool          `json:"asked"`    // the cluster asks for approval
	Admitted  bool          `json:"admitted"` // this node may be trusted
	State     string        `json:"state"`    // of its approval; empty: it never had to ask
	Version   int64         `json:"version"`
	Digest    string        `json:"digest"`
	Unsettled bool          `json:"unsettled"` // time has changed what the store should have
	Entries   []trust.Entry `json:"entries"`   // nil: as the caller has them
	Peers     []trust.Peer  `json:"peers"`
}

const lookSQL = `SELECT coterie.trust_look($1, $2, $3)`

// Look reads what a node has to know; of the trust store only if the node takes part,
// and its entries only if their digest is another.
func Look(ctx context.Context, db *sqlx.DB, node string, takesPart bool, digest string) (View, error) {
	var v View
	var text []byte
	err := db.GetContext(ctx, &text, lookSQL, node, takesPart, digest)
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		return v, fmt.Errorf("read whom %s trusts: %w", node, err)
	}
	return v, nil
}

const settleSQL = `SELECT coterie.trust_settle($1)`

// Settle has the trust store have what it should; returns its version.
func Settle(ctx context.Context, db *sqlx.DB, cause string) (int64, error) {
	var version int64
	if err := call(ctx, db, &version, settleSQL, cause); err != nil {
		return 0, fmt.Errorf("settle the trust store: %w", err)
	}
	return version, nil
}

const knownSQL = `SELECT coterie.trust_known($1, $2)`

// Unknowing are the living nodes that do not trust a certificate of a node yet, or
// what else there is to wait for; empty when there is nothing.
func Unknowing(ctx context.Context, db *sqlx.DB, node, fingerprint string) (string, error) {
	var who string
	if err := db.GetContext(ctx, &who, knownSQL, node, fingerprint); err != nil {
		return "", fmt.Errorf("ask who trusts the certificate of %s: %w", node, err)
	}
	return who, nil
}

// Self is who speaks: a node, in one of its lives.
type Self struct {
	DB          *sqlx.DB
	Node        string
	Incarnation int64
}

// Certificate is one that a node publishes.
type Certificate struct {
	DER       []byte
	Signature []byte
	Subject   string
	NotBefore time.Time
	NotAfter  time.Time
	Served    bool // false: it is about to be
}

const publishSQL = `SELECT coterie.trust_publish($1, $2, $3, $4, $5, $6, $7, $8, $9::timestamptz[], $10::timestamptz[], $11, $12)`

// Publication is what a node tells of its server.
type Publication struct {
	Address, Host string
	Identity      []byte // public
	Certificates  []Certificate
	Some          bool // the server could not be asked: what is not here is not given up
}

// Publish tells which certificates the server of this node shows or is about to show,
// and where it is called; false when another life of the node is at work.
func (s Self) Publish(ctx context.Context, p Publication) (bool, error) {
	ders, signatures := [][]byte{}, [][]byte{}
	subjects, begins, ends, served := []string{}, []string{}, []string{}, []bool{}
	for _, c := range p.Certificates {
		ders, signatures, subjects = append(ders, c.DER), append(signatures, c.Signature), append(subjects, c.Subject)
		begins, ends = append(begins, c.NotBefore.UTC().Format(time.RFC3339)), append(ends, c.NotAfter.UTC().Format(time.RFC3339))
		served = append(served, c.Served)
	}
	var living bool
	err := call(ctx, s.DB, &living, publishSQL, s.Node, s.Incarnation, p.Address, p.Host, p.Identity,
		pq.Array(ders), pq.Array(signatures), pq.Array(subjects), pq.Array(begins), pq.Array(ends), pq.Array(served), !p.Some)
	if err != nil {
		return false, fmt.Errorf("publish the certificates of %s: %w", s.Node, err)
	}
	return living, nil
}

// Rendering is what a node has of the trust store.
type Rendering struct {
	Version int64
	Digest  string
	State   string // none, rendered, failed or foreign, as in coterie.trust_rendering
	Error   string
}

const reportSQL = `SELECT coterie.trust_report($1, $2, $3, $4, $5::coterie.trust_rendering, $6, $7)`

// Report tells what this node has rendered, and what it had to mend.
func (s Self) Report(ctx context.Context, r Rendering, mended string) (bool, error) {
	var living bool
	if err := call(ctx, s.DB, &living, reportSQL, s.Node, s.Incarnation, r.Version, r.Digest, r.State, r.Error, mended); err != nil {
		return false, fmt.Errorf("report the trust store of %s: %w", s.Node, err)
	}
	return living, nil
}

const testedSQL = `SELECT coterie.trust_tested($1, $2, $3, $4, $5::coterie.trust_result[], $6, $7, $8)`

// Tested tells what came of calls that were made by a version of the trust store.
func (s Self) Tested(ctx context.Context, version int64, calls []trust.Call) (bool, error) {
	to, results, details, prints := []string{}, []string{}, []string{}, []string{}
	latencies := []float64{}
	for _, c := range calls {
		to, results, details = append(to, c.Node), append(results, string(c.Result)), append(details, c.Detail)
		latencies, prints = append(latencies, float64(c.Latency)/float64(time.Millisecond)), append(prints, c.Fingerprint)
	}
	var living bool
	err := call(ctx, s.DB, &living, testedSQL, s.Node, s.Incarnation, version,
		pq.Array(to), pq.Array(results), pq.Array(details), pq.Array(latencies), pq.Array(prints))
	if err != nil {
		return false, fmt.Errorf("report whom %s could call: %w", s.Node, err)
	}
	return living, nil
}

// call says one statement on a connection of its own: a pool would silently say a
// statement again whose answer was lost.
func call(ctx context.Context, db *sqlx.DB, into any, statement string, args ...any) error {
	conn, err := db.Connx(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	err = conn.GetContext(ctx, into, statement, args...)
	if said, ok := errors.AsType[*pq.Error](err); ok && (said.Code == Taken || said.Code == Crowd || said.Code == Living) {
		return &RefusedError{string(said.Code), said.Message}
	}
	return err
}
