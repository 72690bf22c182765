package leases_test

import (
	"testing"

	"github.com/coterie-ha/coterie/sql/schema"
	"github.com/coterie-ha/coterie/sql/sqltest"
)

// A whole cluster that lost its power and gets other logins has nobody else who
// could end the lives before.
func TestAnExpiredLifeIsReplacedByAnotherLogin(t *testing.T) {
	db := sqltest.New(t)
	db.MustExec(`SELECT coterie.cluster_init('deploy')`)
	before, after := db.Login("before", schema.Agent), db.Login("after", schema.Agent)
	if _, err := before.Exec(`SELECT coterie.session_begin('app-a', 1, '{}', NULL, NULL, 0)`); err != nil {
		t.Fatal(err)
	}
	replaced := func(beats string) (began bool) {
		t.Helper()
		if err := after.Get(&began, `SELECT began FROM coterie.session_begin('app-a', 2, '{}', 1, `+beats+`, 0)`); err != nil {
			t.Fatal(err)
		}
		return began
	}
	if replaced("0") {
		t.Error("a life that is not over is replaced")
	}
	db.MustExec(`UPDATE coterie.session SET expires_at = coterie.clock() - interval '1s'`)
	if replaced("NULL") {
		t.Error("another login's word that the process is gone counts")
	}
	if replaced("3") {
		t.Error("a life that has beaten since is replaced")
	}
	if !replaced("0") {
		t.Error("a life that is over is not replaced")
	}
}
