package schema_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/sql/schema"
)

// tree is the embedded tree, in a form that a test can change.
func tree(t *testing.T, changes map[string]string) schema.Source {
	t.Helper()
	files := fstest.MapFS{}
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".sql") {
			return err
		}
		text, err := os.ReadFile(name)
		files[name] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range changes {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return schema.Source{FS: files}
}

// dump is the whole database, and the server's roles, as text.
func dump(t *testing.T, database string) string {
	t.Helper()
	var all strings.Builder
	for _, args := range [][]string{
		{"pg_dump", "-d", server.DSN(database)},
		{"pg_dumpall", "--roles-only", "-d", server.DSN(database)},
	} {
		cmd := exec.CommandContext(t.Context(), server.Binaries.Path(args[0]), args[1:]...)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", args[0], err)
		}
		// Newer minor versions fence the script with a random word.
		for line := range strings.Lines(string(out)) {
			if !strings.HasPrefix(line, `\restrict`) && !strings.HasPrefix(line, `\unrestrict`) {
				all.WriteString(line)
			}
		}
	}
	return all.String()
}

// How soon eight agents are ready is measured in test/figures.
func TestEightUpgradesAtOnceApplyEachMigrationOnce(t *testing.T) {
	name := emptyDatabase(t)
	var pools []*sqlx.DB
	for range 8 {
		pools = append(pools, open(t, server.DSN(name)))
	}
	noteWriters(t, pools[0])
	results := make([]schema.Result, len(pools))
	var wg sync.WaitGroup
	for i, db := range pools {
		wg.Go(func() {
			var err error
			if results[i], err = schema.Migrate(t.Context(), db); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	did := 0
	for _, r := range results {
		if len(r.Applied) > 0 {
			did++
		}
	}
	if did != 1 {
		t.Errorf("%d of 8 upgrades applied migrations, want 1", did)
	}
	if v, err := schema.Check(t.Context(), pools[0]); err != nil || v.Number != results[0].To {
		t.Errorf("Check: %+v, %v; want version %d", v, err, results[0].To)
	}
	if n := writers(t, pools[0]); n != 1 {
		t.Errorf("%d of 8 upgrades wrote functions, want 1", n)
	}
	if _, err := schema.Migrate(t.Context(), pools[0]); err != nil {
		t.Fatal(err)
	}
	if n := writers(t, pools[0]); n != 2 {
		t.Error("an upgrade of a finished schema does not write its functions again")
	}
}

// noteWriters makes the database remember which transactions write functions.
func noteWriters(t *testing.T, db *sqlx.DB) {
	t.Helper()
	db.MustExec(`CREATE TABLE writer (id xid8)`)
	db.MustExec(`CREATE FUNCTION note_writer() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
		AS $$ BEGIN INSERT INTO public.writer VALUES (pg_current_xact_id()); END $$`)
	db.MustExec(`CREATE EVENT TRIGGER note_writer ON ddl_command_end WHEN TAG IN ('CREATE FUNCTION') EXECUTE FUNCTION note_writer()`)
}

func writers(t *testing.T, db *sqlx.DB) (n int) {
	t.Helper()
	if err := db.Get(&n, `SELECT count(DISTINCT id) FROM writer`); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestUpgradesOfSeveralDatabasesShareTheRoles(t *testing.T) {
	var pools []*sqlx.DB
	for range 4 {
		name := emptyDatabase(t)
		pools = append(pools, open(t, server.DSN(name)))
	}
	var wg sync.WaitGroup
	for _, db := range pools {
		wg.Go(func() {
			if _, err := schema.Migrate(t.Context(), db); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestAFailingMigrationLeavesTheDatabaseAsItWas(t *testing.T) {
	for _, from := range []string{"nothing", "the present version"} {
		t.Run(from, func(t *testing.T) {
			name := emptyDatabase(t)
			db := open(t, server.DSN(name))
			if from != "nothing" {
				if _, err := schema.Migrate(t.Context(), db); err != nil {
					t.Fatal(err)
				}
			}
			before := dump(t, name)
			for file, text := range map[string]string{
				"migrations/9998_bad.sql": "CREATE TABLE coterie.extra (n int);\nALTER TABLE coterie.event ADD COLUMN more int;\nSELECT 1/0;\n",
				"functions/zz_bad.sql":    "CREATE OR REPLACE FUNCTION coterie.zz() RETURNS int LANGUAGE sql AS 'SELECT nothing()';",
				"grants.sql":              "DROP TABLE coterie.event CASCADE;\nGRANT nonsense TO coterie_agent;",
			} {
				_, err := tree(t, map[string]string{file: text}).Migrate(t.Context(), db)
				var bad *schema.FileError
				if !errors.As(err, &bad) || bad.File != file {
					t.Errorf("%s: got %v, want a FileError for it", file, err)
				}
				if diff := cmp.Diff(before, dump(t, name)); diff != "" {
					t.Errorf("%s left its traces:\n%s", file, diff)
				}
			}
		})
	}
}

func TestADatabaseNewerThanTheProgramIsRefused(t *testing.T) {
	db := open(t, server.DSN(emptyDatabase(t)))
	later := tree(t, map[string]string{"migrations/9998_later.sql": "CREATE TABLE coterie.later (n int);"})
	if _, err := later.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if _, err := schema.Migrate(t.Context(), db); !errors.Is(err, schema.ErrNewer) {
		t.Errorf("Migrate: got %v, want ErrNewer", err)
	}
	if _, err := schema.Check(t.Context(), db); !errors.Is(err, schema.ErrNewer) {
		t.Errorf("Check: got %v, want ErrNewer", err)
	}
	if st, err := schema.Status(t.Context(), db); err != nil || !errors.Is(st.Problem, schema.ErrNewer) || st.Version != 9998 {
		t.Errorf("Status: got %+v, %v; want version 9998 and ErrNewer", st, err)
	}
}

func TestAMigrationMayKeepOlderProgramsAtWork(t *testing.T) {
	db := open(t, server.DSN(emptyDatabase(t)))
	if _, err := schema.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	now, err := schema.Check(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	later := tree(t, map[string]string{"migrations/9998_later.sql": "-- needs " + strconv.Itoa(now.Number) + "\nCREATE TABLE coterie.later (n int);"})
	if _, err := later.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if v, err := schema.Check(t.Context(), db); err != nil || v.Number != 9998 {
		t.Errorf("Check: got %+v, %v; want version 9998 to be served", v, err)
	}
}

func TestAnOlderDatabaseIsRefusedByCheckAndUpgraded(t *testing.T) {
	db := open(t, server.DSN(emptyDatabase(t)))
	later := tree(t, map[string]string{"migrations/9998_later.sql": "CREATE TABLE coterie.later (n int);"})
	if _, err := later.Check(t.Context(), db); !errors.Is(err, schema.ErrAbsent) {
		t.Errorf("Check of an empty database: got %v, want ErrAbsent", err)
	}
	if _, err := schema.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if _, err := later.Check(t.Context(), db); !errors.Is(err, schema.ErrOlder) {
		t.Errorf("Check: got %v, want ErrOlder", err)
	}
	r, err := later.Migrate(t.Context(), db)
	if want := []string{"migrations/9998_later.sql"}; err != nil || !slices.Equal(r.Applied, want) {
		t.Errorf("Migrate: got %+v, %v; want %v applied", r, err, want)
	}
}

func TestAMigrationEditedAfterwardsIsRefused(t *testing.T) {
	db := open(t, server.DSN(emptyDatabase(t)))
	if _, err := schema.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("migrations/0001_kernel.sql")
	if err != nil {
		t.Fatal(err)
	}
	edited := tree(t, map[string]string{"migrations/0001_kernel.sql": string(text) + "\n-- one more word\n"})
	if _, err := edited.Migrate(t.Context(), db); !errors.Is(err, schema.ErrChanged) {
		t.Errorf("got %v, want ErrChanged", err)
	}
}

func TestAFileComesAfterThoseThatItNames(t *testing.T) {
	db := open(t, server.DSN(emptyDatabase(t)))
	src := tree(t, map[string]string{
		"functions/aa.sql": "-- after views/ys.sql\n-- after views/zzs.sql\nCREATE OR REPLACE FUNCTION coterie.aa() RETURNS SETOF coterie.zzs LANGUAGE sql AS 'SELECT * FROM coterie.zzs'; COMMENT ON FUNCTION coterie.aa() IS 'x';",
		"views/ys.sql":     "-- after views/zzs.sql\nCREATE OR REPLACE VIEW coterie.ys AS SELECT n FROM coterie.zzs;",
		"views/zzs.sql":    "CREATE OR REPLACE VIEW coterie.zzs AS SELECT 1 AS n;",
	})
	for range 2 {
		if _, err := src.Migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
	}
	if got := scalar[int](t, db, "SELECT n FROM coterie.aa()"); got != 1 {
		t.Errorf("got %d, want 1", got)
	}
	for what, views := range map[string]string{
		"a file that should come later":   "CREATE VIEW coterie.a AS SELECT n FROM coterie.b",
		"files that wait for one another": "-- after views/b.sql\nCREATE VIEW coterie.a AS SELECT n FROM coterie.b",
	} {
		wrong := tree(t, map[string]string{"views/a.sql": views, "views/b.sql": "-- after views/a.sql\nCREATE VIEW coterie.b AS SELECT n FROM coterie.a"})
		bad := new(schema.FileError)
		if _, err := wrong.Migrate(t.Context(), db); !errors.As(err, &bad) || bad.File != "views/a.sql" || bad.Line == 0 {
			t.Errorf("%s: got %v, want a FileError of views/a.sql with its line", what, err)
		}
	}
}

// An upgrade that waits for a table stands in the way of every agent behind it.
func TestAnUpgradeThatMustWaitLetsOthersThrough(t *testing.T) {
	t.Parallel()
	name := emptyDatabase(t)
	db, busy, agent := open(t, server.DSN(name)), open(t, server.DSN(name)), open(t, server.DSN(name))
	if _, err := schema.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	tx := busy.MustBegin()
	if _, err := tx.Exec("SELECT count(*) FROM coterie.lease"); err != nil {
		t.Fatal(err)
	}
	upgraded := make(chan error)
	go func() {
		_, err := tree(t, map[string]string{"migrations/9998_wide.sql": "ALTER TABLE coterie.lease ADD COLUMN wide int;"}).Migrate(t.Context(), db)
		upgraded <- err
	}()
	longest := time.Duration(0)
	for begun := time.Now(); time.Since(begun) < 2500*time.Millisecond; {
		sent := time.Now()
		scalar[int](t, agent, "SELECT count(*) FROM coterie.lease")
		longest = max(longest, time.Since(sent))
	}
	t.Logf("the longest wait of an agent was %v", longest)
	if longest > time.Second {
		t.Errorf("an agent waited %v", longest)
	}
	if longest < 100*time.Millisecond {
		t.Error("the upgrade never waited for the table: this test shows nothing")
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-upgraded; err != nil {
		t.Error(err)
	}
}

func TestAnUpgradeGivesUpWithItsContext(t *testing.T) {
	name := emptyDatabase(t)
	db, busy := open(t, server.DSN(name)), open(t, server.DSN(name))
	if _, err := schema.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	before := dump(t, name)
	tx := busy.MustBegin()
	if _, err := tx.Exec("SELECT count(*) FROM coterie.lease"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, err := tree(t, map[string]string{"migrations/9998_wide.sql": "ALTER TABLE coterie.lease ADD COLUMN wide int;"}).Migrate(ctx, db)
	if err == nil || time.Since(begun) > 3*time.Second {
		t.Errorf("got %v after %v", err, time.Since(begun))
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, dump(t, name)); diff != "" {
		t.Errorf("it left its traces:\n%s", diff)
	}
}
