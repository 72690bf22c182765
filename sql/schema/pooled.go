package schema

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/lib/pq"
)

// ErrLocal says that the server committed, but perhaps its synchronous standby
// has not: somebody cancelled the wait for it. The commit is visible to
// everybody, and a failover may undo it. So it is not acknowledged: what was
// asked for may have happened, or not.
var ErrLocal = errors.New("committed on this server, but perhaps not on its synchronous standby")

// full is all that database/sql asks of a connection of lib/pq.
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

// pooled is a connection of a pool. It forwards everything, turns a commit that
// is local into an error, and is not handed out when the server has hung up.
type pooled struct {
	full
	line  net.Conn
	local error // what the server said about the statement under way
}

func newConn(made driver.Conn, line net.Conn, notice func(*pq.Error)) (driver.Conn, error) {
	f, ok := made.(full)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%T lacks an interface that lib/pq had", made), made.Close())
	}
	c := &pooled{full: f, line: line}
	pq.SetNoticeHandler(made, func(said *pq.Error) {
		// Its text is translated, and its code is that of any warning.
		if said.Routine == "SyncRepWaitForLSN" {
			c.local = fmt.Errorf("%w: %s", ErrLocal, said.Message)
		}
		if notice != nil {
			notice(said)
		}
	})
	return c, nil
}

// said returns, once, what is to be said instead of nothing.
func (c *pooled) said(err error) error {
	local := c.local
	c.local = nil
	if err == nil {
		return local
	}
	return err
}

// Close says good-bye, and is content when nobody is there any more to hear it.
func (c *pooled) Close() error {
	err := c.full.Close()
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return nil // lib/pq has closed its own end
	}
	return err
}

// ResetSession is called before a pool hands the connection out again.
func (c *pooled) ResetSession(ctx context.Context) error {
	if c.line != nil && hungUp(c.line) {
		return driver.ErrBadConn
	}
	return c.full.ResetSession(ctx)
}

func (c *pooled) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	r, err := c.full.ExecContext(ctx, query, args)
	if err = c.said(err); err != nil {
		return nil, err
	}
	return r, nil
}

func (c *pooled) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	r, err := c.full.QueryContext(ctx, query, args)
	if err != nil {
		return nil, c.said(err)
	}
	if f, ok := r.(fullRows); ok {
		return &rows{fullRows: f, conn: c}, nil
	}
	return nil, errors.Join(fmt.Errorf("%T lacks an interface that lib/pq had", r), r.Close())
}

func (c *pooled) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	t, err := c.full.BeginTx(ctx, o)
	if err != nil {
		return nil, c.said(err)
	}
	return &tx{Tx: t, conn: c}, nil
}

type tx struct {
	driver.Tx
	conn *pooled
}

func (t *tx) Commit() error { return t.conn.said(t.Tx.Commit()) }

// fullRows is all that database/sql asks of rows of lib/pq.
type fullRows interface {
	driver.RowsNextResultSet
	driver.RowsColumnTypeDatabaseTypeName
	driver.RowsColumnTypeLength
	driver.RowsColumnTypePrecisionScale
	driver.RowsColumnTypeScanType
}

// rows end with the commit of their statement: only then is it known.
type rows struct {
	fullRows
	conn *pooled
}

func (r *rows) Next(dest []driver.Value) error {
	err := r.fullRows.Next(dest)
	if errors.Is(err, io.EOF) {
		if local := r.conn.said(nil); local != nil {
			return local
		}
	}
	return err
}

func (r *rows) Close() error { return r.conn.said(r.fullRows.Close()) }
