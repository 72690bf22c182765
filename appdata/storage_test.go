package appdata_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/sql/sqltest"
)

func TestStatesAreTheDatabases(t *testing.T) {
	db := sqltest.New(t)
	var labels []appdata.State
	if err := db.Select(&labels, "SELECT unnest(enum_range(NULL::coterie.storage_state))::text"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(appdata.States(), labels); diff != "" {
		t.Errorf("Go and SQL differ:\n%s", diff)
	}
}

const reportSQL = `SELECT coterie.storage_report($1, $2, $3, $4, true, true, $5, 'nfs4', 'nas1:/export', 'rw,hard', 3.5, 1000, 1)`

// report has a node say what it sees, as the agent does.
func report(t *testing.T, p *sqltest.Pool, node string, incarnation int64, state appdata.State, reason string) (taken bool) {
	t.Helper()
	if err := p.Get(&taken, reportSQL, node, incarnation, state, reason, state == appdata.OK); err != nil {
		t.Fatal(err)
	}
	return taken
}

func withNodes(t *testing.T) (db *sqltest.DB, a, b *sqltest.Pool) {
	t.Helper()
	db = sqltest.New(t)
	db.MustExec(`SELECT coterie.cluster_init('deploy-prod')`)
	a, b = db.Login("app_a", "coterie_agent"), db.Login("app_b", "coterie_agent")
	for node, p := range map[string]*sqltest.Pool{"app-a": a, "app-b": b} {
		db.MustExec(`INSERT INTO coterie.node (name, id) VALUES ($1, $1)`, node)
		p.MustExec(`SELECT coterie.session_begin($1, 1, '{}', NULL, NULL, 0)`, node)
	}
	return db, a, b
}

func TestOnlyAChangeOfStateIsAnEvent(t *testing.T) {
	db, a, _ := withNodes(t)
	for _, step := range []struct {
		state  appdata.State
		reason string
	}{
		{appdata.OK, ""}, {appdata.OK, ""}, {appdata.Hung, "does not answer within 2s"},
		{appdata.Hung, "does not answer within 5s"}, {appdata.OK, ""}, {appdata.OK, ""},
	} {
		if !report(t, a, "app-a", 1, step.state, step.reason) {
			t.Fatalf("%v was refused", step)
		}
	}
	var events []string
	if err := db.Select(&events, `SELECT concat_ws(' ', subject, detail ->> 'from', detail ->> 'to', reason)
		FROM coterie.events WHERE kind = 'storage.changed' ORDER BY id`); err != nil {
		t.Fatal(err)
	}
	want := []string{"app-a OK", "app-a OK HUNG does not answer within 2s", "app-a HUNG OK"}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Errorf("events:\n%s", diff)
	}
}

func TestTheViewSaysWhatEachNodeSees(t *testing.T) {
	db, a, b := withNodes(t)
	report(t, a, "app-a", 1, appdata.OK, "")
	report(t, a, "app-a", 1, appdata.OK, "")
	report(t, b, "app-b", 1, appdata.ReadOnly, "cannot write: read-only file system")
	db.MustExec(`DELETE FROM coterie.session WHERE node = 'app-b'`)
	var rows []struct {
		Node, State, Reason, Source string
		Writable                    bool
		NodeLives                   bool `db:"node_lives"`
		Settled                     bool // checked again since the state began
	}
	err := db.Reader().Select(&rows, `SELECT node, state, reason, source, writable, node_lives, checked_at > since AS settled
		FROM coterie.storages ORDER BY node`)
	if err != nil || len(rows) != 2 {
		t.Fatalf("got %+v, %v", rows, err)
	}
	if r := rows[0]; r.State != "OK" || !r.Writable || !r.NodeLives || !r.Settled || r.Source != "nas1:/export" {
		t.Errorf("got %+v", r)
	}
	if r := rows[1]; r.State != "READ_ONLY" || r.Writable || r.NodeLives || r.Settled || r.Reason != "cannot write: read-only file system" {
		t.Errorf("got %+v", r)
	}
}

func TestOnlyTheLivingNodeItselfReports(t *testing.T) {
	db, a, b := withNodes(t)
	report(t, a, "app-a", 1, appdata.OK, "")
	for what, taken := range map[string]bool{
		"another life of the node": report(t, a, "app-a", 2, appdata.Hung, "x"),
		"another node":             report(t, b, "app-a", 1, appdata.Hung, "x"),
		"a node without a session": report(t, a, "app-c", 1, appdata.Hung, "x"),
	} {
		if taken {
			t.Errorf("%s spoke for the node", what)
		}
	}
	var state string
	if err := db.Get(&state, `SELECT state FROM coterie.storages WHERE node = 'app-a'`); err != nil || state != "OK" {
		t.Errorf("the row says %s, %v", state, err)
	}
	if _, err := db.Operator().Exec(reportSQL, "app-a", 1, "HUNG", "x", false); err == nil {
		t.Error("an operator reported for a node")
	}
	if _, err := a.Exec(`UPDATE coterie.storage SET state = 'HUNG'`); err == nil {
		t.Error("an agent wrote the table itself")
	}
}
