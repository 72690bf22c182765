package coordinator_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-ha/coterie/coordinator"
	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/sqltest"
)

func cluster(t *testing.T) *sqltest.DB {
	t.Helper()
	db := sqltest.New(t)
	if _, err := coordinator.Init(t.Context(), db.DB, "deploy"); err != nil {
		t.Fatal(err)
	}
	return db
}

func TestInitTwiceIsHarmlessAndAnotherClusterIsRefused(t *testing.T) {
	db := cluster(t)
	first, err := coordinator.Init(t.Context(), db.DB, "deploy")
	if err != nil {
		t.Fatal(err)
	}
	second, err := coordinator.Init(t.Context(), db.DB, "deploy")
	if err != nil || second != first {
		t.Errorf("second init: id %s, err %v, want %s again", second, err, first)
	}
	_, err = coordinator.Init(t.Context(), db.DB, "other")
	if wrong := new(coordinator.WrongClusterError); !errors.As(err, &wrong) || !strings.Contains(wrong.Said, "deploy") {
		t.Errorf("init of another cluster: %v, want a WrongClusterError that names deploy", err)
	}
}

func TestAJoinIsRefusedWithARowThatSaysWhy(t *testing.T) {
	db := cluster(t)
	join := func(cluster, name, id string) error {
		n := coordinator.Node{DB: db.Agent().DB, Cluster: cluster, Name: name, ID: id, Candidate: true}
		_, err := n.Join(t.Context())
		return err
	}
	if err := join("deploy", "app-a", "id-a"); err != nil {
		t.Fatal(err)
	}
	if err := join("deploy", "app-a", "id-a"); err != nil {
		t.Errorf("joining again: %v", err)
	}
	if err := join("deploy", "app-a", "id-b"); !errors.Is(err, coordinator.ErrNameTaken) {
		t.Errorf("another installation under this name: %v, want ErrNameTaken", err)
	}
	if err := join("deploy", "app-b", "id-a"); !errors.Is(err, coordinator.ErrCopied) {
		t.Errorf("a copied installation: %v, want ErrCopied", err)
	}
	if wrong := new(coordinator.WrongClusterError); !errors.As(join("other", "app-c", "id-c"), &wrong) {
		t.Error("joining another cluster is not refused")
	}
	db.MustExec(`SELECT coterie.session_begin('app-a', 7, '{}', NULL, NULL, 0)`) // under another login
	if err := join("deploy", "app-a", "id-a"); !errors.Is(err, coordinator.ErrNameTaken) {
		t.Errorf("joining beside a life under another login: %v, want ErrNameTaken", err)
	}
	var reasons []string
	if err := db.Select(&reasons, `SELECT reason FROM coterie.events WHERE kind = 'node.refused' ORDER BY id`); err != nil {
		t.Fatal(err)
	}
	if len(reasons) != 3 || !strings.Contains(reasons[1], "copied") || !strings.Contains(reasons[2], "login") {
		t.Errorf("the ledger says %q, want all three refusals", reasons)
	}
}

func TestAStateIsReportedOnlyByTheLivingIncarnationAndOnlyAlongEdges(t *testing.T) {
	db := cluster(t)
	pool := db.Agent()
	n := coordinator.Node{DB: pool.DB, Cluster: "deploy", Name: "app-a", ID: "id-a", Candidate: true}
	if _, err := n.Join(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(`SELECT coterie.session_begin('app-a', 7, '{}', NULL, NULL, 0)`); err != nil {
		t.Fatal(err)
	}
	state := func() (s string) {
		if err := db.Get(&s, `SELECT state FROM coterie.node WHERE name = 'app-a'`); err != nil {
			t.Fatal(err)
		}
		return s
	}
	if err := n.Report(t.Context(), 6, coordinator.Ready, ""); err != nil {
		t.Fatal(err)
	}
	if got := state(); got != "joining" {
		t.Errorf("a former incarnation made the state %s", got)
	}
	if err := n.Report(t.Context(), 7, coordinator.Drained, ""); err == nil {
		t.Error("a jump from joining to drained was accepted")
	}
	if err := n.Report(t.Context(), 7, coordinator.Ready, "all well"); err != nil {
		t.Fatal(err)
	}
	if got := state(); got != "ready" {
		t.Errorf("state %s, want ready", got)
	}
	var before, after int64
	for _, into := range []*int64{&before, &after} {
		if err := n.Report(t.Context(), 7, coordinator.Ready, "all well"); err != nil {
			t.Fatal(err)
		}
		if err := db.Get(into, `SELECT max(id) FROM coterie.events`); err != nil {
			t.Fatal(err)
		}
	}
	if before != after {
		t.Error("saying the same twice wrote to the ledger")
	}
}

func TestAnIdentityIsMadeOnceAndRemembersItsFormerLife(t *testing.T) {
	dir := t.TempDir()
	first, err := coordinator.OpenIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := coordinator.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := first.Remember("app-a", 4711); err != nil {
		t.Fatal(err)
	}
	if err := first.Note(12); err != nil {
		t.Fatal(err)
	}
	if err := first.Note(5); err != nil {
		t.Fatal(err)
	}
	again, err := coordinator.OpenIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	if again.ID() != first.ID() || len(again.ID()) != 32 {
		t.Errorf("id %q after %q, want the same 32 digits", again.ID(), first.ID())
	}
	if got := again.Former("app-a"); got != 4711 {
		t.Errorf("former life %d, want 4711", got)
	}
	if got := again.Former("app-b"); got != 0 {
		t.Errorf("former life of another name %d, want none", got)
	}
	if got, want := again.Mark(), leases.Token(12); got != want {
		t.Errorf("mark %d, want %d: it never goes back", got, want)
	}
	// In a copy of the directory nobody proves anything by locking it.
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	twin, err := coordinator.Lock(copied)
	if err != nil {
		t.Fatal(err)
	}
	defer twin.Close()
	clone, err := coordinator.OpenIdentity(copied)
	if err != nil {
		t.Fatal(err)
	}
	if got := clone.Former("app-a"); got != 0 || clone.ID() != first.ID() {
		t.Errorf("a copy of %s takes %d for its former life", first.ID(), got)
	}
	other, err := coordinator.OpenIdentity(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if other.ID() == first.ID() {
		t.Error("two installations have one id")
	}
}

func TestAStateDirectoryHasOneAgent(t *testing.T) {
	dir := t.TempDir()
	lock, err := coordinator.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := coordinator.Lock(dir); !errors.Is(err, coordinator.ErrRunning) {
		t.Errorf("second lock: %v, want ErrRunning", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := coordinator.Lock(dir)
	if err != nil {
		t.Errorf("lock after the first agent is gone: %v", err)
	}
	again.Close()
}

// What an installation says of itself is shown to everybody, and kept no longer
// than anybody reads it.
func TestWhatANodeSaysOfItselfIsBounded(t *testing.T) {
	db := sqltest.New(t)
	db.MustExec(`SELECT coterie.cluster_init('deploy')`)
	long := strings.Repeat("x", 1<<20)
	agent := db.Login("app_a", "coterie_agent")
	agent.MustExec(`SELECT coterie.node_join('deploy', 'app-a', 'id', $1, $1, $1, $1, array_fill($1::text, '{2}') || array_fill('t'::text, '{5000}'), true, 1, array_fill($1::text, '{2}') || array_fill('a'::text, '{5000}'))`, long)
	agent.MustExec(`SELECT coterie.session_begin('app-a', 1, '{}', NULL, NULL, 0)`)
	agent.MustExec(`SELECT coterie.node_report('app-a', 1, 'ready', $1)`, long)
	agent.MustExec(`SELECT coterie.storage_report('app-a', 1, 'OK', $1, true, true, true, $1, $1, $1, 1, 1, 1)`, long)
	agent.MustExec(`SELECT coterie.node_taken('app-a', $1, $1)`, long)
	for _, table := range []string{"node", "storage", "event"} {
		var largest int
		if err := db.Get(&largest, `SELECT max(length(t::text)) FROM coterie.`+table+` t`); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d characters", table, largest)
		if largest > 10_000 {
			t.Errorf("a row of %s has %d characters", table, largest)
		}
	}
	if _, err := agent.Exec(`SELECT coterie.node_join('deploy', 'app-b', $1, '', '', '', '', '{}', true, 1, '{}')`, long); err == nil {
		t.Error("an identity of a megabyte was accepted")
	}
}
