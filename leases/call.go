package leases

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// Every call takes a connection of its own and runs one autocommit statement on
// it: sqlx.DB would silently say a statement again whose answer was lost.

const beginSQL = `
SELECT began, incarnation, beats, ttl_ms, heartbeat_ms, margin_ms, now, mark, quiet_ms
FROM coterie.session_begin($1, $2, $3, $4, $5, $6)`

func ms(f float64) time.Duration { return time.Duration(f * float64(time.Millisecond)) }

func (s *Session) callBegin(ctx context.Context, f Former) (Birth, error) {
	var row struct {
		Began       bool
		Incarnation int64
		Beats       int64
		TTL         float64 `db:"ttl_ms"`
		Heartbeat   float64 `db:"heartbeat_ms"`
		Margin      float64 `db:"margin_ms"`
		Now         time.Time
		Mark        int64
		Quiet       float64 `db:"quiet_ms"`
	}
	err := s.call(ctx, func(c *sqlx.Conn) error {
		return c.GetContext(ctx, &row, beginSQL, s.Node, s.incarnation, textArray(s.takes.Takes),
			sql.NullInt64{Int64: f.Incarnation, Valid: f.Incarnation != 0},
			sql.NullInt64{Int64: f.Beats, Valid: !f.Gone}, int64(s.Mark))
	})
	if err != nil {
		return Birth{}, fmt.Errorf("begin session of %s: %w", s.Node, err)
	}
	return Birth{
		Began: row.Began, Incarnation: row.Incarnation, Beats: row.Beats,
		Terms: Terms{ms(row.TTL), ms(row.Heartbeat), ms(row.Margin)},
		Era:   Era{Token(row.Mark), ms(row.Quiet)}, Now: row.Now,
	}, nil
}

const tickSQL = `
SELECT now, beats, ttl_ms, heartbeat_ms, margin_ms, head, activity, peers, listing
FROM coterie.tick($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`

func (s *Session) callTick(ctx context.Context, r Request, rtt time.Duration) (Answer, error) {
	var row struct {
		Now       time.Time
		Beats     sql.NullInt64
		TTL       float64 `db:"ttl_ms"`
		Heartbeat float64 `db:"heartbeat_ms"`
		Margin    float64 `db:"margin_ms"`
		Head      int64
		Activity  int64
		Peers     []byte
		Listing   []byte
	}
	var dead, released, claimed columns
	for _, p := range r.Dead {
		dead.add(p.Node, p.Incarnation, "")
		dead.beats = append(dead.beats, p.Beats)
	}
	for _, l := range r.Release {
		released.add(l.Name, int64(l.Token), l.Cause)
	}
	for _, l := range r.Claim {
		claimed.add(l.Name, int64(l.Token), "")
	}
	err := s.call(ctx, func(c *sqlx.Conn) error {
		return c.GetContext(ctx, &row, tickSQL, s.Node, s.incarnation, textArray(r.Takes),
			float64(rtt)/float64(time.Millisecond), r.Seen, float64(r.TTL)/float64(time.Millisecond), int64(r.Mark), r.Old, r.Settles,
			dead.names, dead.numbers, dead.beats,
			released.names, released.numbers, released.texts,
			claimed.names, claimed.numbers, textArray(r.Wants), r.Beats)
	})
	if err != nil {
		return Answer{}, fmt.Errorf("heartbeat of %s: %w", s.Node, err)
	}
	a := Answer{
		Alive: row.Beats.Valid, Now: row.Now, Beats: row.Beats.Int64, Head: row.Head, Activity: row.Activity,
		Terms: Terms{ms(row.TTL), ms(row.Heartbeat), ms(row.Margin)},
	}
	if a.Peers, err = peers(row.Peers); err != nil {
		return Answer{}, fmt.Errorf("heartbeat of %s: peers: %w", s.Node, err)
	}
	if len(row.Listing) > 0 {
		a.Listing = roomFor(row.Listing, s.View().Busy)
		if err := json.Unmarshal(row.Listing, a.Listing); err != nil {
			return Answer{}, fmt.Errorf("heartbeat of %s: listing: %w", s.Node, err)
		}
	}
	return a, nil
}

// roomFor is a listing to read a text into which may name thousands of leases, of
// which about so many are held: a list that grows leaves several times its size behind.
func roomFor(text []byte, held int) *Listing {
	named := bytes.Count(text, []byte(`"goal_now"`))
	held = min(held, named)
	return &Listing{Held: make([]Lease, 0, held), Free: make([]Lease, 0, named-held)}
}

// textArray is never NULL.
func textArray(a []string) pq.StringArray { return append(pq.StringArray{}, a...) }

// columns are rows turned into array parameters.
type columns struct {
	names   pq.StringArray
	numbers pq.Int64Array
	beats   pq.Int64Array
	texts   pq.StringArray
}

func (c *columns) add(name string, number int64, text string) {
	c.names, c.numbers, c.texts = append(c.names, name), append(c.numbers, number), append(c.texts, text)
}

func peers(doc []byte) ([]Peer, error) {
	if len(doc) == 0 {
		return nil, nil
	}
	var rows []struct {
		Peer
		TTL float64 `json:"ttl_ms"`
	}
	if err := json.Unmarshal(doc, &rows); err != nil {
		return nil, err
	}
	out := make([]Peer, len(rows))
	for i, r := range rows {
		out[i] = r.Peer
		out[i].TTL = ms(r.TTL)
	}
	return out, nil
}

const endSQL = `SELECT coterie.session_end($1, $2, $3, $4)`

// EndSession ends exactly that life of a node and frees its leases: a graceful
// leave, or the last will of a node that is dead. False means it had ended
// before. The cause is release or crash.
func EndSession(ctx context.Context, db *sqlx.DB, node string, incarnation int64, cause, rule string) (bool, error) {
	conn, err := db.Connx(ctx)
	if err != nil {
		return false, fmt.Errorf("end session %s/%d: %w", node, incarnation, err)
	}
	defer conn.Close()
	var ended bool
	if err := conn.GetContext(ctx, &ended, endSQL, node, incarnation, cause, rule); err != nil {
		return false, fmt.Errorf("end session %s/%d: %w", node, incarnation, err)
	}
	return ended, nil
}

const declareSQL = `SELECT coterie.lease_declare($1, NULL)`

// Declare makes sure that leases exist which only those take who want them by
// name. Saying it twice is harmless.
func Declare(ctx context.Context, db *sqlx.DB, names []string) error {
	if len(names) == 0 {
		return nil
	}
	conn, err := db.Connx(ctx)
	if err != nil {
		return fmt.Errorf("declare leases: %w", err)
	}
	defer conn.Close()
	var made int64
	if err := conn.GetContext(ctx, &made, declareSQL, textArray(names)); err != nil {
		return fmt.Errorf("declare leases: %w", err)
	}
	return nil
}

func (s *Session) call(ctx context.Context, do func(*sqlx.Conn) error) error {
	conn, err := s.DB.Connx(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return do(conn)
}
