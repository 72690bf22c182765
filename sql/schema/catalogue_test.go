package schema_test

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/views anew")

// rules are queries that list what breaks them.
var rules = map[string]string{
	"a table, view or sequence without a comment": `
		SELECT c.oid::regclass::text FROM pg_class c
		WHERE c.relnamespace = 'coterie'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
		  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'i')
		  AND obj_description(c.oid, 'pg_class') IS NULL`,
	"a column without a comment": `
		SELECT c.oid::regclass || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relnamespace = 'coterie'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
		  AND a.attnum > 0 AND NOT a.attisdropped AND col_description(c.oid, a.attnum) IS NULL`,
	"a function without a comment": `
		SELECT p.oid::regprocedure::text FROM pg_proc p
		WHERE p.pronamespace = 'coterie'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL`,
	"a SECURITY DEFINER function whose search_path is not pg_catalog, coterie, pg_temp": `
		SELECT p.oid::regprocedure::text FROM pg_proc p
		WHERE p.pronamespace = 'coterie'::regnamespace AND p.prosecdef
		  AND p.proname <> 'assert_lease' -- see TestNothingOfTheCallersDecidesAnAssertion
		  AND NOT coalesce('search_path=pg_catalog, coterie, pg_temp' = ANY (p.proconfig), false)`,
	"a function that PUBLIC may execute": `
		SELECT p.oid::regprocedure::text FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
		WHERE p.pronamespace = 'coterie'::regnamespace AND a.grantee = 0`,
	"a table that PUBLIC or one of our roles may use": `
		SELECT c.oid::regclass || ' ' || a.grantee::regrole || ' ' || a.privilege_type
		FROM pg_class c, aclexplode(c.relacl) a
		WHERE c.relnamespace = 'coterie'::regnamespace AND c.relkind <> 'v' AND a.grantee <> c.relowner`,
	"a view that is more than readable, or not by coterie_reader": `
		SELECT c.oid::regclass || ' ' || coalesce(c.relacl::text, 'no grants') FROM pg_class c
		WHERE c.relnamespace = 'coterie'::regnamespace AND c.relkind = 'v'
		  AND (NOT has_table_privilege('coterie_reader', c.oid, 'SELECT')
		       OR EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee <> c.relowner AND (a.privilege_type <> 'SELECT' OR a.grantee = 0)))`,
	"a view without security_barrier": `
		SELECT c.oid::regclass::text FROM pg_class c
		WHERE c.relnamespace = 'coterie'::regnamespace AND c.relkind = 'v'
		  AND NOT coalesce('security_barrier=true' = ANY (c.reloptions) OR 'security_barrier=on' = ANY (c.reloptions) OR 'security_barrier' = ANY (c.reloptions), false)`,
	"something that does not belong to coterie_owner": `
		SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = 'coterie'::regnamespace AND c.relowner <> 'coterie_owner'::regrole
		UNION ALL
		SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = 'coterie'::regnamespace AND p.proowner <> 'coterie_owner'::regrole`,
	"a function whose name two have": `
		SELECT p.proname::text FROM pg_proc p WHERE p.pronamespace = 'coterie'::regnamespace GROUP BY 1 HAVING count(*) > 1`,
}

func TestTheCatalogueKeepsItsRules(t *testing.T) {
	db := migrated(t)
	for rule, query := range rules {
		var broken []string
		if err := db.Select(&broken, query); err != nil {
			t.Fatalf("%s: %v", rule, err)
		}
		if len(broken) > 0 {
			t.Errorf("%s: %s", rule, strings.Join(broken, ", "))
		}
	}
}

// offences break one rule each.
const offences = `
CREATE TABLE coterie.bad (n int);
CREATE VIEW coterie.bads AS SELECT n FROM coterie.bad;
CREATE FUNCTION coterie.bad() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
CREATE FUNCTION coterie.bad(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
GRANT EXECUTE ON FUNCTION coterie.bad() TO PUBLIC;
GRANT INSERT ON coterie.bad TO coterie_agent;`

func TestEachRuleOfTheCatalogueFindsItsOffender(t *testing.T) {
	db := migrated(t)
	if _, err := db.Exec(offences); err != nil {
		t.Fatal(err)
	}
	for rule, query := range rules {
		var broken []string
		if err := db.Select(&broken, query); err != nil {
			t.Fatalf("%s: %v", rule, err)
		}
		if len(broken) == 0 {
			t.Errorf("%s: the offender is not found", rule)
		}
	}
}

// otherClocks are PostgreSQL's ways to tell the time.
var otherClocks = regexp.MustCompile(`(?i)\b(now\s*\(\s*\)|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday|current_timestamp|localtimestamp|current_date|current_time|localtime)\b`)

// theClock is the one place where the time comes from.
const theClock = `LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.clock_timestamp()';`

func TestOnlyTheClockTellsTheTime(t *testing.T) {
	places := 0
	for file, text := range sqlTexts(t, "../..") {
		code := strings.ReplaceAll(withoutComments(text), theClock, "")
		if len(code) < len(withoutComments(text)) {
			places++
		}
		if found := otherClocks.FindString(code); found != "" {
			t.Errorf("%s says %s: use coterie.clock()", file, found)
		}
	}
	if places == 0 {
		t.Error("the clock itself was not found")
	}
}

func withoutComments(text string) string {
	return regexp.MustCompile(`--[^\n]*`).ReplaceAllString(text, "")
}

// sqlTexts are the SQL files and, of Go files, the raw strings that hold SQL,
// except those of tests and of what makes the test's clock.
func sqlTexts(t *testing.T, root string) map[string]string {
	t.Helper()
	texts := make(map[string]string)
	raw := regexp.MustCompile("(?s)`[^`]*`")
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); n == "testdata" || n == "sqltest" || strings.HasPrefix(n, ".") && n != "." && n != ".." {
				return filepath.SkipDir
			}
			return nil
		}
		switch {
		case strings.HasSuffix(name, ".sql"):
			text, err := os.ReadFile(name)
			texts[name] = string(text)
			return err
		case strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			text, err := os.ReadFile(name)
			for _, s := range raw.FindAllString(string(text), -1) {
				if regexp.MustCompile(`\b(SELECT|INSERT|UPDATE|DELETE|CREATE)\b`).MatchString(s) {
					texts[name] += s
				}
			}
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

const viewsSQL = `
SELECT c.relname AS name,
       coalesce(obj_description(c.oid, 'pg_class'), '') || e'\n' ||
       string_agg(format(e'\n%s %s\n    %s\n', a.attname, format_type(a.atttypid, a.atttypmod), coalesce(col_description(c.oid, a.attnum), '')), '' ORDER BY a.attnum) AS text
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'coterie'::regnamespace AND c.relkind = 'v' AND a.attnum > 0
GROUP BY c.oid, c.relname`

// The views are a promise: these files may gain lines at their end, and lose none.
func TestTheViewsAreAsPromised(t *testing.T) {
	var views []struct{ Name, Text string }
	if err := migrated(t).Select(&views, viewsSQL); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, v := range views {
		got[v.Name] = v.Text
	}
	const dir = "testdata/views"
	if *update {
		rewrite(t, dir, got)
	}
	want := make(map[string]string)
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		want[strings.TrimSuffix(f.Name(), ".txt")] = string(text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("views (-want +got); read this, then go test ./sql/schema -update:\n%s", diff)
	}
}

func rewrite(t *testing.T, dir string, texts map[string]string) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, name+".txt"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Functions in a view run with the rights of who reads it.
func TestAReaderMayReadEveryView(t *testing.T) {
	db := migrated(t)
	var views []string
	if err := db.Select(&views, `SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = 'coterie'::regnamespace AND c.relkind = 'v'`); err != nil {
		t.Fatal(err)
	}
	tx := db.MustBegin()
	for _, view := range views {
		if _, err := tx.Exec("SAVEPOINT one; SET LOCAL ROLE coterie_reader; SELECT * FROM " + view + "; ROLLBACK TO one"); err != nil {
			t.Errorf("%s: %v", view, err)
			if _, err := tx.Exec("ROLLBACK TO one"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
}

// All files are one transaction, so none may end it.
func TestNoFileEndsTheTransaction(t *testing.T) {
	ends := regexp.MustCompile(`(?im)^\s*(commit|rollback|begin|start transaction|end)\b[^;\n]*;\s*$`)
	body := regexp.MustCompile(`(?s)\$\$.*?\$\$`)
	for file, text := range sqlTexts(t, ".") {
		if !strings.HasSuffix(file, ".sql") {
			continue
		}
		if found := ends.FindString(body.ReplaceAllString(withoutComments(text), "")); found != "" {
			t.Errorf("%s says %s", file, strings.TrimSpace(found))
		}
	}
}
