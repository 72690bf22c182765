package schema_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/coterie-ha/coterie/sql/pgserver"
	"github.com/coterie-ha/coterie/sql/schema"
)

// bare is a server that has never seen our roles, with one database of a plain
// owner.
func bare(t *testing.T, owner string) (admin, plain string) {
	t.Helper()
	s, err := pgserver.Start(t.Context(), pgserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	db := open(t, s.DSN("postgres"))
	for _, statement := range []string{"CREATE ROLE dba LOGIN " + owner, "CREATE DATABASE deploy OWNER dba"} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	return s.DSN("deploy"), strings.Replace(s.DSN("deploy"), "user=postgres", "user=dba", 1)
}

func TestAPlainOwnerWhoMayMakeRolesUpgrades(t *testing.T) {
	_, plain := bare(t, "CREATEROLE")
	db := open(t, plain)
	for range 2 {
		if _, err := schema.Migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
	}
	if got := scalar[string](t, db, "SELECT string_agg(DISTINCT tableowner, ',') FROM pg_tables WHERE schemaname = 'coterie'"); got != schema.Owner {
		t.Errorf("tables belong to %q, want %s", got, schema.Owner)
	}
	if got := scalar[string](t, db, "SELECT string_agg(DISTINCT applied_by, ',') FROM coterie.schema_versions"); got != "dba" {
		t.Errorf("applied by %q, want dba", got)
	}
}

func TestWhoMayNotIsToldWhatToRunAndThenMay(t *testing.T) {
	admin, plain := bare(t, "")
	db, super := open(t, plain), open(t, admin)
	for _, revoke := range []string{"ALTER DATABASE deploy OWNER TO postgres", "SELECT 1"} {
		if _, err := super.Exec(revoke); err != nil {
			t.Fatal(err)
		}
		_, err := schema.Migrate(t.Context(), db)
		var lacks *schema.PrivilegeError
		if !errors.As(err, &lacks) || lacks.User != "dba" || len(lacks.Run) == 0 {
			t.Fatalf("got %v, want a PrivilegeError", err)
		}
		if n := scalar[int](t, super, "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'coterie%'"); n != 0 {
			t.Fatalf("a refused upgrade left %d roles", n)
		}
		if revoke == "SELECT 1" {
			t.Log(err)
			for _, statement := range lacks.Run {
				if _, err := super.Exec(statement); err != nil {
					t.Fatalf("%s: %v", statement, err)
				}
			}
		}
	}
	if _, err := schema.Migrate(t.Context(), db); err != nil {
		t.Fatalf("after what was to be run: %v", err)
	}
	// Roles of a database administrator suffice for the next database.
	if _, err := super.Exec("CREATE DATABASE second OWNER dba"); err != nil {
		t.Fatal(err)
	}
	second := open(t, strings.Replace(plain, "dbname=deploy", "dbname=second", 1))
	if _, err := schema.Migrate(t.Context(), second); err != nil {
		t.Errorf("a second database: %v", err)
	}
}

func TestASchemaOfSomebodyElseIsLeftAlone(t *testing.T) {
	name := emptyDatabase(t)
	db := open(t, server.DSN(name))
	if _, err := db.Exec("CREATE SCHEMA coterie"); err != nil {
		t.Fatal(err)
	}
	if _, err := schema.Migrate(t.Context(), db); err == nil || !strings.Contains(err.Error(), "belongs to") {
		t.Errorf("got %v, want a refusal", err)
	}
}

func TestAnAgentMayCheckAndNobodyElse(t *testing.T) {
	name := emptyDatabase(t)
	db := open(t, server.DSN(name))
	if _, err := schema.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(fmt.Sprintf(`DROP ROLE IF EXISTS node_a, stranger; CREATE ROLE node_a LOGIN IN ROLE %s; CREATE ROLE stranger LOGIN`, schema.Agent)); err != nil {
		t.Fatal(err)
	}
	as := func(user string) string { return strings.Replace(server.DSN(name), "user=postgres", "user="+user, 1) }
	if _, err := schema.Check(t.Context(), open(t, as("node_a"))); err != nil {
		t.Errorf("an agent: %v", err)
	}
	if _, err := schema.Check(t.Context(), open(t, as("stranger"))); !errors.Is(err, schema.ErrNoRole) {
		t.Errorf("a stranger: got %v, want ErrNoRole", err)
	}
}
