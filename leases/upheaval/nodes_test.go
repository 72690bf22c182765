package upheaval_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/schema"
)

// node is a node as its agent is: session after session, with a memory of the
// highest token that outlives them.
type node struct {
	name    string
	cluster *cluster
	line    *line
	beats   *sqlx.DB
	work    *sqlx.DB
	stop    context.CancelCauseFunc
	over    chan struct{}

	mu      sync.Mutex // guards what follows
	session *leases.Session
	mark    leases.Token
	proved  bool        // the share was read
	answers []time.Time // when heartbeats were acknowledged
	lost    int         // sessions that the database ended
}

// start begins a node. Its memory is what another life of it knew.
func (c *cluster) start(name string, mark leases.Token) *node {
	c.t.Helper()
	n := &node{name: name, cluster: c, line: new(line), mark: mark, over: make(chan struct{})}
	n.beats, n.work = n.pool(2), n.pool(8)
	ctx, stop := context.WithCancelCause(context.Background())
	n.stop = stop
	c.nodes = append(c.nodes, n)
	go func() {
		defer close(n.over)
		n.live(ctx)
	}()
	c.t.Cleanup(func() {
		n.leave()
		for _, db := range []*sqlx.DB{n.beats, n.work} {
			if err := db.Close(); err != nil {
				c.t.Error(err)
			}
		}
	})
	return n
}

func (n *node) pool(conns int) *sqlx.DB {
	n.cluster.t.Helper()
	db, err := schema.Pool(schema.Options{DSN: n.cluster.dsn(n.name), MaxConns: conns, Budget: n.cluster.budget, Dial: n.line.dial})
	if err != nil {
		n.cluster.t.Fatal(err)
	}
	return db
}

var errStopped = errors.New("stopped by the test")

// leave ends a node in order.
func (n *node) leave() {
	n.stop(errStopped)
	<-n.over
}

func (n *node) atWork() bool {
	select {
	case <-n.over:
		return false
	default:
		return true
	}
}

// live is what an agent does with sessions.
func (n *node) live(ctx context.Context) {
	for ctx.Err() == nil {
		s := &leases.Session{
			DB: n.beats, Node: n.name, Mark: n.knows(),
			Hold: n.hold, Ticked: n.ticked,
		}
		if n.proved || n.cluster.share == "" {
			s.Takes = []string{class}
		}
		n.mu.Lock()
		n.session = s
		n.mu.Unlock()
		err := s.Run(ctx)
		n.mu.Lock()
		n.mark = max(n.mark, s.View().Mark)
		if errors.Is(err, leases.ErrLost) {
			n.lost++
		}
		n.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (n *node) knows() leases.Token {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.session != nil {
		n.mark = max(n.mark, n.session.View().Mark)
	}
	return n.mark
}

func (n *node) ticked(t leases.Tick) {
	if t.Err != nil {
		n.cluster.trouble(n.name, t.Err)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answers = append(n.answers, time.Now())
	if n.cluster.share != "" && t.Alive {
		n.probe()
	}
}

// probe is what an agent's prober does: keep the own mark on the share, learn
// those of others, and only then take leases.
func (n *node) probe() {
	s := appdata.Share{Path: n.cluster.share, Cluster: "upheaval", ID: shareID, Node: strings.ReplaceAll(n.name, "_", "-"), Token: int64(n.session.View().Mark)}
	c, err := s.Probe(context.Background())
	if err != nil || !c.Usable() {
		n.cluster.trouble(n.name, fmt.Errorf("share %s %s: %w", c.State, c.Reason, err))
		return
	}
	n.session.Learn(leases.Token(c.Token))
	if !n.proved {
		n.proved = true
		n.session.Change([]string{class}, nil)
	}
}

const shareID = "00000000-0000-4000-8000-000000000000"

// newShare is a folder that is marked as the cluster's.
func newShare(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := appdata.CreateMarker(dir, appdata.Marker{Cluster: "upheaval", ID: shareID, Generation: 1}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// answered is when the first heartbeat after that moment was acknowledged.
func (n *node) answered(after time.Time) (time.Time, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, at := range n.answers {
		if at.After(after) {
			return at, true
		}
	}
	return time.Time{}, false
}

// hold makes effects for as long as the authority lasts.
func (n *node) hold(ctx context.Context, g leases.Grant) {
	n.cluster.record.begin(n.name, g)
	defer n.cluster.record.end(n.name, g)
	tick := time.NewTicker(n.cluster.terms.Heartbeat / 8)
	defer tick.Stop()
	for i := 0; ; i++ {
		effect := fmt.Sprintf("%s/%s/%d/%d", n.name, g.Lease, g.Token, i)
		if err := n.effect(ctx, g, effect); err == nil {
			n.cluster.record.acknowledged(g.Lease, effect)
		} else if ctx.Err() == nil {
			n.cluster.trouble(n.name, err)
		}
		select {
		case <-ctx.Done():
			return
		case <-g.Yield:
			return
		case <-tick.C:
		}
	}
}

func (n *node) effect(ctx context.Context, g leases.Grant, effect string) error {
	tx, err := n.work.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after a commit it does nothing
	if _, err := tx.ExecContext(ctx, `SELECT coterie.assert_lease($1, $2)`, g.Lease, int64(g.Token)); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO effect (lease, token, node, text) VALUES ($1, $2, $3, $4)`, g.Lease, int64(g.Token), n.name, effect); err != nil {
		return err
	}
	return tx.Commit()
}

// line is a node's way to the servers. While it is closed nobody is reached.
type line struct {
	mu     sync.Mutex // guards what follows
	closed bool
	conns  []net.Conn
}

func (l *line) dial(ctx context.Context, network, address string) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("the test has closed this line")}
	}
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err == nil {
		l.conns = append(l.conns, c)
	}
	return c, err
}

// close breaks all connections and refuses new ones until open.
func (l *line) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, c := range l.conns {
		_ = c.Close() // many are closed already
	}
	l.conns = nil
}

func (l *line) open() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = false
}

// within waits until something holds, and fails the test when it takes longer.
func within(t testing.TB, limit time.Duration, what string, holds func() bool) time.Duration {
	t.Helper()
	begun := time.Now()
	for !holds() {
		if time.Since(begun) > limit {
			t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(begun)
}
