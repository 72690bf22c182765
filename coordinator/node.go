package coordinator

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// Refusals of a join.
var (
	// ErrNameTaken means that another installation has this node's name.
	ErrNameTaken = errors.New("another installation has this name")
	// ErrCopied means that this installation's identity belongs to another node.
	ErrCopied = errors.New("this installation is a copy of another node")
	// ErrEvicted means that an operator put this node out of the cluster.
	ErrEvicted = errors.New("this node was evicted")
)

// WrongClusterError says that the database holds another cluster than the
// configuration names.
type WrongClusterError struct{ Said string }

func (e *WrongClusterError) Error() string { return e.Said }

// Node is this node, as it presents itself.
type Node struct {
	DB         *sqlx.DB
	Cluster    string
	Name       string
	ID         string // fingerprint of its identity
	Address    string
	Host       string
	Version    string
	AppVersion string
	Tags       []string
	Candidate  bool
	Weight     int      // its share of the leases beside other nodes; 0 is 1
	Actions    []string // names of the actions it can run
}

// Welcome is what a node learns when it joins.
type Welcome struct {
	ClusterID string `db:"cluster_id"`
	Goal      Goal
}

const joinSQL = `
SELECT cluster_id, goal
FROM coterie.node_join($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`

// Join registers the node, new or back again.
func (n *Node) Join(ctx context.Context) (Welcome, error) {
	var w []Welcome
	err := n.call(ctx, func(c *sqlx.Conn) error {
		return c.SelectContext(ctx, &w, joinSQL, n.Cluster, n.Name, n.ID, n.Address, n.Host, n.Version, n.AppVersion,
			textArray(n.Tags), n.Candidate, max(1, n.Weight), textArray(n.Actions))
	})
	if refused := new(pq.Error); errors.As(err, &refused) && refused.Code == "CT010" {
		return Welcome{}, fmt.Errorf("join %s: %w", n.Name, &WrongClusterError{refused.Message})
	}
	if err != nil {
		return Welcome{}, fmt.Errorf("join %s: %w", n.Name, err)
	}
	if len(w) == 1 {
		return w[0], nil
	}
	return Welcome{}, fmt.Errorf("join %s: %w", n.Name, n.refusal(ctx))
}

// textArray is never NULL.
func textArray(a []string) pq.StringArray { return append(pq.StringArray{}, a...) }

const refusalSQL = `
SELECT EXISTS (SELECT FROM coterie.nodes WHERE id = $1 AND name <> $2) AS copied,
       EXISTS (SELECT FROM coterie.nodes WHERE id = $1 AND name = $2 AND state = 'evicted') AS evicted`

func (n *Node) refusal(ctx context.Context) error {
	var why struct{ Copied, Evicted bool }
	if err := n.DB.GetContext(ctx, &why, refusalSQL, n.ID, n.Name); err != nil {
		return err
	}
	switch {
	case why.Copied:
		return ErrCopied
	case why.Evicted:
		return ErrEvicted
	}
	return ErrNameTaken
}

const takenSQL = `SELECT coterie.node_taken($1, $2, $3)`

// Taken records that this installation gives up its name, because another
// process was seen at work under it.
func (n *Node) Taken(ctx context.Context) error {
	err := n.call(ctx, func(c *sqlx.Conn) error {
		_, err := c.ExecContext(ctx, takenSQL, n.Name, n.ID, n.Host)
		return err
	})
	if err != nil {
		return fmt.Errorf("record that the name %s is taken: %w", n.Name, err)
	}
	return nil
}

const reportSQL = `SELECT coterie.node_report($1, $2, $3::coterie.node_state, $4)`

// Report writes the node's state and message, fenced by its session. Saying the
// same twice writes nothing.
func (n *Node) Report(ctx context.Context, incarnation int64, s State, message string) error {
	var changed bool
	err := n.call(ctx, func(c *sqlx.Conn) error {
		return c.GetContext(ctx, &changed, reportSQL, n.Name, incarnation, string(s), message)
	})
	if err != nil {
		return fmt.Errorf("report %s of %s: %w", s, n.Name, err)
	}
	return nil
}

// Wanted is what operators want of a node, and why.
type Wanted struct {
	Goal   Goal
	By     string
	Reason string
	State  State // that the row has; also dead and suspect, which nobody reports; empty when there is no row
}

// Differs says whether the database knows this node otherwise than it reported. A
// node that was evicted has no say.
func (w Wanted) Differs(reported State) bool {
	return w.State != reported && w.State != "dead" && w.State != "suspect" && w.State != Evicted
}

const goalSQL = `
SELECT goal, coalesce(goal_by, '') AS by, coalesce(goal_reason, '') AS reason, state
FROM coterie.nodes WHERE name = $1`

// Wanted reads the node's goal. That the node has no row is no error: a database
// that was set back does not know it yet.
func (n *Node) Wanted(ctx context.Context) (Wanted, error) {
	var w Wanted
	if err := n.DB.GetContext(ctx, &w, goalSQL, n.Name); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return w, fmt.Errorf("read the goal of %s: %w", n.Name, err)
	}
	return w, nil
}

// call runs one autocommit statement on a connection of its own: a pool would
// silently say a statement again whose answer was lost.
func (n *Node) call(ctx context.Context, do func(*sqlx.Conn) error) error {
	conn, err := n.DB.Connx(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return do(conn)
}

const initSQL = `SELECT coterie.cluster_init($1)`

// Init makes the cluster's row and settings; harmless when they are there.
func Init(ctx context.Context, db *sqlx.DB, cluster string) (id string, err error) {
	err = (&Node{DB: db}).call(ctx, func(c *sqlx.Conn) error { return c.GetContext(ctx, &id, initSQL, cluster) })
	if refused := new(pq.Error); errors.As(err, &refused) && refused.Code == "CT010" {
		return "", fmt.Errorf("initialise %s: %w", cluster, &WrongClusterError{refused.Message})
	}
	if err != nil {
		return "", fmt.Errorf("initialise %s: %w", cluster, err)
	}
	return id, nil
}
