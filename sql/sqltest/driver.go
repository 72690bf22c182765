package sqltest

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lib/pq"
)

// connector makes connections that tell the database the test's time.
type connector struct {
	driver.Connector
	pool *Pool
}

// full is all that database/sql can ask of a connection of lib/pq.
type full interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	f, ok := inner.(full)
	if !ok {
		return nil, errors.Join(fmt.Errorf("sqltest: %T lacks an interface that lib/pq had", inner), inner.Close())
	}
	return &conn{full: f, pool: c.pool}, nil
}

// conn forwards everything; what sends a statement goes through send.
type conn struct {
	full
	pool *Pool
	lost bool // an answer was lost on the way, so nothing more comes by it
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return send(ctx, c, query, func() (driver.Result, error) { return c.full.ExecContext(ctx, query, args) })
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return send(ctx, c, query, func() (driver.Rows, error) { return c.full.QueryContext(ctx, query, args) })
}

func (c *conn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := send(ctx, c, "BEGIN", func() (driver.Tx, error) { return c.full.BeginTx(ctx, o) })
	if err != nil {
		return nil, err
	}
	return &transaction{Tx: tx, conn: c}, nil
}

func (c *conn) Begin() (driver.Tx, error) { return c.BeginTx(context.Background(), driver.TxOptions{}) }

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s, err := send(ctx, c, query, func() (driver.Stmt, error) { return c.full.PrepareContext(ctx, query) })
	if err != nil {
		return nil, err
	}
	// Within COPY the connection takes rows, no statements.
	inner, ok := s.(fullStmt)
	if !ok || strings.HasPrefix(strings.ToUpper(strings.TrimSpace(query)), "COPY") {
		return s, nil
	}
	return &stmt{fullStmt: inner, conn: c, query: query}, nil
}

func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

func (c *conn) IsValid() bool { return !c.lost && c.full.IsValid() }

func (c *conn) ResetSession(ctx context.Context) error {
	if c.lost {
		return driver.ErrBadConn
	}
	return c.full.ResetSession(ctx)
}

// transaction sets the time once more before the end, for deferred triggers.
type transaction struct {
	driver.Tx
	conn *conn
}

func (t *transaction) Commit() error {
	_, err := send(context.Background(), t.conn, "COMMIT", func() (struct{}, error) { return struct{}{}, t.Tx.Commit() })
	return err
}

type fullStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type stmt struct {
	fullStmt
	conn  *conn
	query string
}

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return send(ctx, s.conn, s.query, func() (driver.Result, error) { return s.fullStmt.ExecContext(ctx, args) })
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return send(ctx, s.conn, s.query, func() (driver.Rows, error) { return s.fullStmt.QueryContext(ctx, args) })
}

// send lets the request travel, tells the database what time it is when it
// arrives, and lets the answer travel back or get lost.
func send[T any](ctx context.Context, c *conn, query string, execute func() (T, error)) (answer T, err error) {
	if c.lost {
		return answer, driver.ErrBadConn
	}
	going, coming := c.pool.delays()
	time.Sleep(going)
	if err := c.setClock(ctx); err != nil {
		return answer, err
	}
	lost := c.pool.loses(query)
	answer, err = execute()
	time.Sleep(coming)
	if lost {
		c.lost = true
		if rows, ok := any(answer).(driver.Rows); ok && err == nil {
			exhaust(rows)
		}
		var none T
		return none, driver.ErrBadConn
	}
	return answer, err
}

// exhaust reads to the end, since only then the server has committed. What it
// says does not matter: nobody will hear it.
func exhaust(rows driver.Rows) {
	into := make([]driver.Value, len(rows.Columns()))
	for rows.Next(into) == nil {
	}
	_ = rows.Close()
}

// microseconds is a timestamp as PostgreSQL reads it, to its own precision.
const microseconds = "2006-01-02 15:04:05.999999-07"

// setClock is a statement of its own before each other. Remembering what was
// set would save it, but a rollback takes settings back too.
func (c *conn) setClock(ctx context.Context) error {
	if c.pool.now == nil {
		return nil
	}
	_, err := c.full.ExecContext(ctx, "SET coterie.test_now = '"+c.pool.now().UTC().Format(microseconds)+"'", nil)
	var said *pq.Error
	if errors.As(err, &said) && said.Code == "25P02" {
		return nil // in a transaction that failed; the statement itself will say so
	}
	return err
}
