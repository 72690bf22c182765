package schema

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// Open returns a pool after it has made a first connection. Errors of making
// it are ConnectErrors.
func Open(ctx context.Context, o Options) (*sqlx.DB, error) {
	db, err := Pool(o)
	if err != nil {
		return nil, err
	}
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// Pool returns a pool that has not connected yet, for whom an unreachable
// database is no reason not to begin.
func Pool(o Options) (*sqlx.DB, error) {
	c, err := Connector(o)
	if err != nil {
		return nil, err
	}
	db := sqlx.NewDb(sql.OpenDB(c), "postgres")
	if o.MaxConns > 0 {
		Resize(db, o.MaxConns)
	}
	return db, nil
}

// Resize sets how many connections a pool may have, and lets it keep them: by
// itself database/sql closes all but two as soon as they are free, and each that
// is opened again begins without caches and plans.
func Resize(db *sqlx.DB, conns int) {
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
}

// Connector returns what makes the connections of a pool.
func Connector(o Options) (driver.Connector, error) {
	cfg, err := o.config()
	if err != nil {
		return nil, err
	}
	return &connector{options: o, cfg: cfg}, nil
}

type connector struct {
	options Options
	cfg     pq.Config
}

func (c *connector) Driver() driver.Driver { return &pq.Driver{} }

func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	cfg := c.cfg.Clone()
	if file := c.options.PasswordFile; file != "" {
		password, err := readPassword(file)
		if err != nil {
			return nil, connectError(c.cfg, err)
		}
		cfg.Password = password
	}
	conn, err := c.race(ctx, cfg)
	if err == nil {
		err = plain(ctx, conn)
	}
	if err != nil {
		return nil, connectError(c.cfg, err)
	}
	return conn, nil
}

// plainSQL is said and not part of how the connection begins, since poolers refuse
// to hand such a word on.
const plainSQL = `SET jit = off`

// plain keeps the server from compiling statements that take a millisecond: it goes
// by what it expects them to cost, which is nothing to go by for small tables, and
// then takes seconds.
func plain(ctx context.Context, conn driver.Conn) error {
	_, err := conn.(driver.ExecerContext).ExecContext(ctx, plainSQL, nil)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	return nil
}
