package schema

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// The roles. None of them can log in: logins are members.
const (
	Owner    = "coterie_owner"    // owns the schema
	Agent    = "coterie_agent"    // works: one login per node
	Operator = "coterie_operator" // commands
	Reader   = "coterie_reader"   // reads the views
)

// PrivilegeError says that an upgrade may not do what it must, and what
// somebody who may has to run once.
type PrivilegeError struct {
	User string
	Run  []string // SQL statements
}

func (e *PrivilegeError) Error() string {
	return fmt.Sprintf("role %q lacks the right to set up the schema; a superuser must run once in this database: %s;",
		e.User, strings.Join(e.Run, "; "))
}

// standing is what the database says about the role that upgrades.
type standing struct {
	User        string         `db:"usr"`
	Database    string         `db:"db"`
	Server      int            `db:"server"`
	MakesRoles  bool           `db:"makes_roles"`
	MayCreate   bool           `db:"may_create"`
	Roles       pq.StringArray `db:"roles"`
	SchemaOwner sql.NullString `db:"schema_owner"`
}

const standingSQL = `
SELECT current_user AS usr, current_database() AS db, current_setting('server_version_num')::int AS server,
       r.rolsuper OR r.rolcreaterole AS makes_roles,
       has_database_privilege(current_database(), 'CREATE') AS may_create,
       ARRAY(SELECT g.rolname::text FROM pg_roles g WHERE g.rolname = ANY ($1)) AS roles,
       (SELECT pg_get_userbyid(n.nspowner) FROM pg_namespace n WHERE n.nspname = 'coterie') AS schema_owner
FROM pg_roles r
WHERE r.rolname = current_user`

// prepareRoles makes the roles and the schema, and goes on as the owner.
func prepareRoles(ctx context.Context, tx *sqlx.Tx) error {
	all := []string{Owner, Agent, Operator, Reader}
	var st standing
	if err := tx.GetContext(ctx, &st, standingSQL, pq.Array(all)); err != nil {
		return fmt.Errorf("look at my own role: %w", err)
	}
	if st.Server < MinServer {
		return fmt.Errorf("PostgreSQL %d is too old: %d or later is needed", st.Server/10000, MinServer/10000)
	}
	if st.SchemaOwner.Valid && st.SchemaOwner.String != Owner {
		return fmt.Errorf("schema coterie belongs to %s, not to %s", st.SchemaOwner.String, Owner)
	}
	wanted, err := st.wanted(ctx, tx, all)
	if err != nil {
		return err
	}
	if !st.MayCreate && !st.SchemaOwner.Valid {
		return &PrivilegeError{User: st.User, Run: append(wanted,
			fmt.Sprintf("GRANT CREATE ON DATABASE %s TO %s", pq.QuoteIdentifier(st.Database), pq.QuoteIdentifier(st.User)))}
	}
	if len(wanted) > 0 && !st.MakesRoles {
		return &PrivilegeError{User: st.User, Run: wanted}
	}
	for _, statement := range wanted {
		if err := makeRole(ctx, tx, statement); err != nil {
			if said := as[*pq.Error](err); said != nil && (*said).Code == "42501" {
				return &PrivilegeError{User: st.User, Run: wanted}
			}
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	if !st.SchemaOwner.Valid {
		if _, err := tx.ExecContext(ctx, `CREATE SCHEMA coterie AUTHORIZATION coterie_owner;
			COMMENT ON SCHEMA coterie IS 'The cluster: tables that agents write (singular), views that people read (plural).'`); err != nil {
			return fmt.Errorf("create schema coterie: %w", err)
		}
	}
	_, err = tx.ExecContext(ctx, `SET LOCAL ROLE coterie_owner`)
	return err
}

// wanted are the statements that make the roles what they should be.
func (st standing) wanted(ctx context.Context, tx *sqlx.Tx, all []string) ([]string, error) {
	var run []string
	for _, role := range all {
		if !slices.Contains(st.Roles, role) {
			run = append(run, "CREATE ROLE "+role+" NOLOGIN")
		}
	}
	// From 16 on, membership and the right to act as the role are two things.
	act := "MEMBER"
	if st.Server >= 160000 {
		act = "SET"
	}
	for _, m := range []struct{ member, role, how string }{
		{Agent, Reader, "MEMBER"}, {Operator, Reader, "MEMBER"}, {st.User, Owner, act},
	} {
		isMember := false
		if slices.Contains(st.Roles, m.role) && (m.member == st.User || slices.Contains(st.Roles, m.member)) {
			if err := tx.GetContext(ctx, &isMember, `SELECT pg_has_role($1::name, $2::name, $3::text)`, m.member, m.role, m.how); err != nil {
				return nil, err
			}
		}
		if !isMember {
			run = append(run, "GRANT "+m.role+" TO "+pq.QuoteIdentifier(m.member))
		}
	}
	return run, nil
}

// makeRole tolerates that the role, which all databases of the server share,
// has been made from another one meanwhile.
func makeRole(ctx context.Context, tx *sqlx.Tx, statement string) error {
	if _, err := tx.ExecContext(ctx, `SAVEPOINT role`); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, statement)
	if said := as[*pq.Error](err); said != nil && ((*said).Code == "42710" || (*said).Code == "23505") {
		_, err = tx.ExecContext(ctx, `ROLLBACK TO SAVEPOINT role`)
	}
	return err
}

// isGone recognises what is said of a transaction whose connection is lost.
func isGone(err error) bool {
	var netErr net.Error
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrTxDone) || errors.Is(err, sql.ErrConnDone) || errors.As(err, &netErr)
}
