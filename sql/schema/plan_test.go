package schema_test

import (
	"encoding/json"
	"testing"
)

// jitAboveCost is what a server takes for so much work that it compiles the
// statement first, unless its settings say otherwise.
const jitAboveCost = 100_000

// Whoever reads a view with psql waits for milliseconds, also where few rows are and
// nobody has counted them.
func TestNoViewOfANewDatabaseIsTakenForMuchWork(t *testing.T) {
	db := migrated(t)
	var views []string
	if err := db.Select(&views, `SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = 'coterie'::regnamespace AND c.relkind = 'v'`); err != nil {
		t.Fatal(err)
	}
	if len(views) < 20 {
		t.Fatalf("only %d views", len(views))
	}
	for _, view := range views {
		var plan []struct {
			Plan struct {
				Cost float64 `json:"Total Cost"`
			}
		}
		if err := json.Unmarshal([]byte(scalar[string](t, db, `EXPLAIN (FORMAT JSON) SELECT * FROM `+view)), &plan); err != nil {
			t.Fatal(err)
		}
		if cost := plan[0].Plan.Cost; cost > jitAboveCost {
			t.Errorf("%s is expected to cost %.0f", view, cost)
		}
	}
}

// Statements of functions that avoid reading whole tables seem dear, and are not.
func TestNoStatementOfOursIsCompiled(t *testing.T) {
	db := migrated(t)
	db.MustExec(`ALTER DATABASE ` + scalar[string](t, db, `SELECT current_database()`) + ` SET jit = on`)
	again := open(t, server.DSN(scalar[string](t, db, `SELECT current_database()`)))
	if got := scalar[string](t, again, `SHOW jit`); got != "off" {
		t.Errorf("jit is %s", got)
	}
}
