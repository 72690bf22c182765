package sqltest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/sql/pgserver"
	"github.com/coterie-ha/coterie/sql/schema"
)

// template is the migrated database that each test's is a copy of.
const template = "coterie_template"

// instance is the server of this test process.
type instance struct {
	once   sync.Once
	err    error
	server *pgserver.Server
	admin  *sqlx.DB

	mu    sync.Mutex // guards count
	count int        // databases made so far, for their names
}

// shared is the one thing here that outlives a test: a server per test would
// cost each half a second. It ends with the process.
var shared instance

func (i *instance) get() (*instance, error) {
	i.once.Do(func() { i.err = i.start(context.Background()) })
	return i, i.err
}

func (i *instance) start(ctx context.Context) (err error) {
	i.server, err = pgserver.Start(ctx, pgserver.Options{
		MaxConns: 300,
		Settings: map[string]string{
			"autovacuum":      "off",
			"wal_level":       "minimal",
			"max_wal_senders": "0",
		},
	})
	if err != nil {
		return err
	}
	if i.admin, err = schema.Open(ctx, schema.Options{DSN: i.server.DSN("postgres"), MaxConns: 4}); err != nil {
		return err
	}
	if err := i.makeDatabase(ctx); err != nil {
		return err
	}
	db, err := schema.Open(ctx, schema.Options{DSN: i.server.DSN(template)})
	if err != nil {
		return err
	}
	return errors.Join(makeTemplate(ctx, db), db.Close())
}

// makeDatabase makes one that sorts as people do, as administrators' databases may: what leans
// on the order of bytes without saying so fails here.
func (i *instance) makeDatabase(ctx context.Context) error {
	var version int
	if err := i.admin.GetContext(ctx, &version, `SELECT current_setting('server_version_num')::int`); err != nil {
		return err
	}
	create := "CREATE DATABASE " + template
	if version >= 150000 { // before, a database took its order from the system's locales only
		create += " TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
	}
	_, err := i.admin.ExecContext(ctx, create)
	return err
}

// clockSQL lets a session say what time it is. Who is allowed to log in is
// trusted with that in a test, and nowhere else.
const clockSQL = `
CREATE OR REPLACE FUNCTION coterie.clock() RETURNS timestamptz LANGUAGE sql VOLATILE
AS $$ SELECT coalesce(nullif(current_setting('coterie.test_now', true), '')::timestamptz, pg_catalog.clock_timestamp()) $$`

func makeTemplate(ctx context.Context, db *sqlx.DB) error {
	if _, err := schema.Migrate(ctx, db); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, clockSQL); err != nil {
		return fmt.Errorf("replace the clock: %w", err)
	}
	for user, role := range logins {
		if err := makeLogin(ctx, db, user, role); err != nil {
			return err
		}
	}
	return nil
}

// logins exist from the start, each with one role.
var logins = map[string]string{"agent": schema.Agent, "operator": schema.Operator, "reader": schema.Reader}

func makeLogin(ctx context.Context, db *sqlx.DB, user, role string) error {
	// The login may be there from another test of this process.
	_, err := db.ExecContext(ctx, fmt.Sprintf(`DO $$ BEGIN CREATE ROLE %s LOGIN IN ROLE %s;
		EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`, pq.QuoteIdentifier(user), pq.QuoteIdentifier(role)))
	if err != nil {
		return fmt.Errorf("make login %s: %w", user, err)
	}
	return nil
}

// create makes a database for one test.
func (i *instance) create(ctx context.Context, test string) (string, error) {
	i.mu.Lock()
	i.count++
	name := fmt.Sprintf("%.50s_%d", test, i.count)
	i.mu.Unlock()
	_, err := i.admin.ExecContext(ctx, "CREATE DATABASE "+pq.QuoteIdentifier(name)+" TEMPLATE "+template)
	return name, err
}

// drop removes a test's database. It lets the sessions that were just closed
// go by themselves first: DROP DATABASE looks again only every 100 ms.
func (i *instance) drop(ctx context.Context, name string) error {
	for range 50 {
		var left int
		if err := i.admin.GetContext(ctx, &left, `SELECT count(*) FROM pg_stat_activity WHERE datname = $1`, name); err != nil {
			return err
		}
		if left == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	_, err := i.admin.ExecContext(ctx, "DROP DATABASE "+pq.QuoteIdentifier(name)+" WITH (FORCE)")
	return err
}
