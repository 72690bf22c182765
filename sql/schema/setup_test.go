package schema_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/sql/schema"
)

var planOf = map[string]string{"first": strings.Repeat("a", 64), "second": strings.Repeat("b", 64)}

const twoSteps = `[{"name": "pack", "place": 1, "node": "dev", "verb": "bundle export", "after": [], "digest": "` + digestA + `"},
	{"name": "look", "place": 2, "node": "app-a", "verb": "bundle inspect", "after": ["pack"], "digest": "` + digestB + `"}]`

const (
	digestA = "000000000000000000000000000000000000000000000000000000000000000a"
	digestB = "000000000000000000000000000000000000000000000000000000000000000b"
	digestC = "000000000000000000000000000000000000000000000000000000000000000c"
)

func declare(t *testing.T, db *sqlx.DB, plan, steps string, change bool) string {
	t.Helper()
	return scalar[string](t, db, `SELECT coterie.app_setup_declare('portal', $1, $2, $3, 'me')`, planOf[plan], steps, change)
}

// begins is the number by which a step was begun, 0 when it was not.
func begins(t *testing.T, db *sqlx.DB, plan, step, node string, token, beats int64) int64 {
	t.Helper()
	return scalar[int64](t, db, `SELECT coalesce(coterie.app_step_begin('portal', $1, $2, $3, $4, $5, 'me'), 0)`, planOf[plan], step, node, token, beats)
}

// beginsAtOnce begins the step pack by two, of whom the second asks before the first has
// committed; it is the first one's number.
func beginsAtOnce(t *testing.T, db *sqlx.DB) int64 {
	t.Helper()
	tx, err := db.Beginx()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	var first, second int64
	if err := tx.Get(&first, `SELECT coterie.app_step_begin('portal', $1, 'pack', 'dev', 0, 0, 'me')`, planOf["first"]); err != nil {
		t.Fatal(err)
	}
	var other sync.WaitGroup
	other.Go(func() { second = begins(t, db, "first", "pack", "dev", 0, 0) })
	for deadline := time.Now().Add(30 * time.Second); scalar[int](t, db, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the second does not wait for the first")
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	other.Wait()
	if second != 0 {
		t.Fatalf("begun by two, with numbers %d and %d", first, second)
	}
	return first
}

func endsStep(t *testing.T, db *sqlx.DB, step string, token int64, done bool) bool {
	t.Helper()
	return scalar[bool](t, db, `SELECT coterie.app_step_end('portal', $1, $2, $3, '', 'said', 'me')`, step, token, done)
}

func stepState(t *testing.T, db *sqlx.DB, step string) string {
	t.Helper()
	return scalar[string](t, db, `SELECT state FROM coterie.app_steps WHERE setup = 'portal' AND step = $1`, step)
}

// quieten makes whoever does a step one who has not been heard of for a while.
func quieten(db *sqlx.DB) {
	db.MustExec(`UPDATE coterie.app_step SET heard_at = coterie.clock() - interval '13 seconds' WHERE state = 'doing'`)
}

func TestAStepIsBegunByOneAndInItsTurn(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	if got := declare(t, db, "first", twoSteps, false); got != "declared" {
		t.Fatal(got)
	}
	for what, n := range map[string]int64{
		"the second before the first": begins(t, db, "first", "look", "app-a", 0, 0),
		"another node":                begins(t, db, "first", "pack", "app-a", 0, 0),
		"another plan":                begins(t, db, "second", "pack", "dev", 0, 0),
		"no such step":                begins(t, db, "first", "unpack", "dev", 0, 0),
		"seen otherwise":              begins(t, db, "first", "pack", "dev", 1, 0),
	} {
		if n != 0 {
			t.Errorf("%s was begun, number %d", what, n)
		}
	}
	token := beginsAtOnce(t, db)
	if endsStep(t, db, "pack", token+1, true) || stepState(t, db, "pack") != "doing" {
		t.Error("ended by somebody else")
	}
	if !endsStep(t, db, "pack", token, true) || endsStep(t, db, "pack", token, false) {
		t.Error("not ended once")
	}
	if begins(t, db, "first", "pack", "dev", token, 0) != 0 {
		t.Error("begun again when it was done")
	}
	if got := stepState(t, db, "look"); got != "ready" {
		t.Errorf("the next step is %s", got)
	}
	failed := begins(t, db, "first", "look", "app-a", 0, 0)
	if !endsStep(t, db, "look", failed, false) || stepState(t, db, "look") != "failed" {
		t.Error("not failed")
	}
	if again := begins(t, db, "first", "look", "app-a", failed, 0); again <= failed {
		t.Errorf("again with number %d after %d", again, failed)
	}
}

func TestOnlyTheStepOfASilentProcessIsTaken(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	declare(t, db, "first", twoSteps, false)
	first := begins(t, db, "first", "pack", "dev", 0, 0)
	if begins(t, db, "first", "pack", "dev", first, 0) != 0 {
		t.Fatal("taken from one who was just heard of")
	}
	quieten(db)
	if !scalar[bool](t, db, `SELECT coterie.app_step_beat('portal', 'pack', $1)`, first) {
		t.Fatal("not heard")
	}
	quieten(db)
	if begins(t, db, "first", "pack", "dev", first, 0) != 0 {
		t.Fatal("taken by one who has not seen the last beat")
	}
	second := begins(t, db, "first", "pack", "dev", first, 1)
	if second <= first {
		t.Fatalf("number %d after %d", second, first)
	}
	if scalar[bool](t, db, `SELECT coterie.app_step_beat('portal', 'pack', $1)`, first) || endsStep(t, db, "pack", first, true) {
		t.Error("who was put out is heard")
	}
	if !endsStep(t, db, "pack", second, true) {
		t.Error("who took it is not heard")
	}
}

func TestAPlanIsChangedOnlyWhereNothingWasDone(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	declare(t, db, "first", twoSteps, false)
	other := strings.Replace(twoSteps, digestB, digestC, 1)
	undone := strings.Replace(twoSteps, digestA, digestC, 1)
	for _, c := range []struct {
		what, plan, steps string
		change            bool
		want              string
	}{
		{"the same", "first", twoSteps, false, "same"},
		{"another, unsaid", "second", other, false, "other"},
		{"another", "second", other, true, "declared"},
		{"back", "first", twoSteps, true, "declared"},
	} {
		if got := declare(t, db, c.plan, c.steps, c.change); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
	first := begins(t, db, "first", "pack", "dev", 0, 0)
	if got := declare(t, db, "second", undone, true); got != "begun pack" {
		t.Errorf("under way: %s", got)
	}
	quieten(db)
	if got := declare(t, db, "second", undone, true); got != "declared" {
		t.Errorf("begun by one who is silent: %s", got)
	}
	if endsStep(t, db, "pack", first, true) {
		t.Error("the step of the old plan was ended")
	}
	second := begins(t, db, "second", "pack", "dev", 0, 0)
	if second <= first || endsStep(t, db, "pack", first, true) || !endsStep(t, db, "pack", second, true) {
		t.Errorf("number %d after %d", second, first)
	}
	if got := declare(t, db, "first", twoSteps, true); got != "begun pack" {
		t.Errorf("done: %s", got)
	}
	swapped := `[` + strings.Split(strings.Trim(undone, "[]"), "\n")[1] + `,` + strings.TrimSuffix(strings.Split(strings.Trim(undone, "[]"), "\n")[0], ",") + `]`
	if got := declare(t, db, "first", strings.Replace(swapped, `"place": 1`, `"place": 3`, 1), true); got != "declared" || stepState(t, db, "pack") != "done" {
		t.Errorf("moved: %s, and what was done is %s", got, stepState(t, db, "pack"))
	}
}

func TestReadersSeeStepsAndBeginNone(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	declare(t, db, "first", twoSteps, false)
	db.SetMaxOpenConns(1)
	db.MustExec(`SET ROLE ` + schema.Reader)
	if n := scalar[int](t, db, `SELECT count(*) FROM coterie.app_steps`); n != 2 {
		t.Errorf("%d steps", n)
	}
	for _, statement := range []string{
		`SELECT count(*) FROM coterie.app_step`, `SELECT coterie.app_step_begin('portal', 'x', 'pack', 'dev', 0, 0, 'me')`,
		`SELECT coterie.app_step_end('portal', 'pack', 0, true, '', '', 'me')`, `SELECT coterie.app_step_beat('portal', 'pack', 0)`,
		`SELECT coterie.app_setup_declare('portal', 'x', '[]', true, 'me')`,
	} {
		_, err := db.Exec(statement)
		refused(t, err, statement, "42501")
	}
}
