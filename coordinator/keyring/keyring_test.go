package keyring_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/coordinator/keyring"
	"github.com/coterie-ha/coterie/sql/sqltest"
)

// cluster is a database with two nodes that live.
func cluster(t *testing.T) *sqlx.DB {
	t.Helper()
	pool := sqltest.New(t)
	db := pool.DB
	if _, err := coordinatorInit(t, db); err != nil {
		t.Fatal(err)
	}
	for _, node := range []string{"app-a", "app-b"} {
		db.MustExec(`SELECT coterie.node_join('deploy-prod', $1, $1, '', '', '', '', '{}', true, 1, '{}')`, node)
		db.MustExec(`INSERT INTO coterie.session (node, incarnation, ttl, expires_at) VALUES ($1, $2, '6s', coterie.clock() + interval '1 hour')`, node, life(node))
	}
	return db
}

func coordinatorInit(t *testing.T, db *sqlx.DB) (id string, err error) {
	t.Helper()
	return id, db.Get(&id, `SELECT coterie.cluster_init('deploy-prod')`)
}

func life(node string) int64 { return int64(node[len(node)-1]) }

func publish(t *testing.T, db *sqlx.DB, node string, seal byte) {
	t.Helper()
	err := keyring.Publish(t.Context(), db, life(node), keyring.Key{
		Node: node, Seal: bytes.Repeat([]byte{seal}, 100), Identity: make([]byte, 32), Signature: make([]byte, 64),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func keyOf(t *testing.T, db *sqlx.DB, name string) keyring.Key {
	t.Helper()
	keys, err := keyring.Keys(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if k.Name == name {
			return k
		}
	}
	t.Fatalf("no key of %s among %v", name, keys)
	return keyring.Key{}
}

func printOf(t *testing.T, db *sqlx.DB, name string) (print string) {
	t.Helper()
	if err := db.Get(&print, `SELECT fingerprint FROM coterie.keystore_recipients WHERE name = $1`, name); err != nil {
		t.Fatal(err)
	}
	return print
}

func version(t *testing.T, db *sqlx.DB, number int64, recipients ...string) keyring.Version {
	t.Helper()
	v := keyring.Version{
		Name: "server", Version: number, Format: "pkcs12", Bytes: 7, SHA256: strings.Repeat("a", 64), Alias: "tomcat", Fingerprint: strings.Repeat("b", 64),
		Subject: "CN=app", NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<40, 0), Content: []byte{byte(number), 1, 2}, By: "ana", Reason: "renewed",
	}
	for _, r := range recipients {
		v.Copies = append(v.Copies, keyring.Copy{Recipient: r, Seal: printOf(t, db, r), Key: []byte("sealed to " + r)})
	}
	return v
}

func stage(t *testing.T, db *sqlx.DB, v keyring.Version) {
	t.Helper()
	if err := keyring.Stage(t.Context(), db, v); err != nil {
		t.Fatal(err)
	}
}

func TestOnlyTheLivingNodePublishesItsKey(t *testing.T) {
	db := cluster(t)
	if k := keyOf(t, db, "app-a"); len(k.Seal) != 0 || k.NodeID != "app-a" {
		t.Errorf("before: %v", k)
	}
	publish(t, db, "app-a", 1)
	publish(t, db, "app-a", 1)
	if err := keyring.Publish(t.Context(), db, 1, keyring.Key{Node: "app-a", Seal: make([]byte, 100), Identity: make([]byte, 32), Signature: make([]byte, 64)}); err != nil {
		t.Fatal(err)
	}
	if k := keyOf(t, db, "app-a"); !bytes.Equal(k.Seal, bytes.Repeat([]byte{1}, 100)) {
		t.Error("a former life of the node replaced its key")
	}
	var events int
	if err := db.Get(&events, `SELECT count(*) FROM coterie.events WHERE kind = 'keystore.key'`); err != nil || events != 1 {
		t.Errorf("%d events, %v; want 1", events, err)
	}
}

func TestOfTwoWhoStageOneWinsAndTheOtherIsToldWho(t *testing.T) {
	db := cluster(t)
	publish(t, db, "app-a", 1)
	first := version(t, db, 1, "app-a")
	stage(t, db, first)
	stage(t, db, first) // its answer was lost
	second := first
	second.Content, second.By = []byte("other"), "bob"
	err := keyring.Stage(t.Context(), db, second)
	if conflict, ok := errors.AsType[*keyring.ConflictError](err); !ok || !strings.Contains(conflict.Said, "version 1 of server was staged by ") {
		t.Errorf("got %v", err)
	}
	ahead := version(t, db, 3, "app-a")
	if err := keyring.Stage(t.Context(), db, ahead); err == nil {
		t.Error("a version was left out")
	}
	content, key, err := keyring.Fetch(t.Context(), db, "server", 1, "app-a")
	if err != nil || !bytes.Equal(content, first.Content) || string(key) != "sealed to app-a" {
		t.Errorf("got %q %q %v", content, key, err)
	}
	n, err := keyring.FindNewest(t.Context(), db, "server")
	if err != nil || n.Version.Int64 != 1 || n.Now.IsZero() {
		t.Errorf("got %+v, %v", n, err)
	}
}

func TestAKeyThatChangedMeanwhileStopsTheStaging(t *testing.T) {
	db := cluster(t)
	publish(t, db, "app-a", 1)
	v := version(t, db, 1, "app-a")
	publish(t, db, "app-a", 2)
	if _, ok := errors.AsType[*keyring.ConflictError](keyring.Stage(t.Context(), db, v)); !ok {
		t.Error("it was staged")
	}
	if n, err := keyring.FindNewest(t.Context(), db, "server"); err != nil || n.Version.Valid {
		t.Errorf("got %+v, %v", n, err)
	}
}

func TestANewcomerGetsItsCopyFromWhoHasOne(t *testing.T) {
	db := cluster(t)
	publish(t, db, "app-a", 1)
	stage(t, db, version(t, db, 1, "app-a"))
	unshared := func(node string) []keyring.Unshared {
		missing, err := keyring.FindUnshared(t.Context(), db, node)
		if err != nil {
			t.Fatal(err)
		}
		return missing
	}
	if got := unshared("app-a"); len(got) != 1 || got[0] != (keyring.Unshared{Name: "server", Version: 1, With: "app-b"}) {
		t.Errorf("got %v", got)
	}
	if got := unshared("app-b"); len(got) != 0 {
		t.Errorf("who cannot open it shares it: %v", got)
	}
	if _, _, err := keyring.Fetch(t.Context(), db, "server", 1, "app-b"); !errors.Is(err, keyring.ErrClosed) {
		t.Errorf("got %v", err)
	}
	publish(t, db, "app-b", 2)
	share := func(node string, incarnation int64, key string) bool {
		done, err := keyring.Share(t.Context(), db, node, incarnation, "server", 1, keyring.Copy{Recipient: "app-b", Seal: printOf(t, db, "app-b"), Key: []byte(key)})
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	if share("app-a", 1, "of a dead life") || !share("app-a", life("app-a"), "first") || share("app-a", life("app-a"), "second") {
		t.Error("a copy is given once, by a living node")
	}
	if _, key, err := keyring.Fetch(t.Context(), db, "server", 1, "app-b"); err != nil || string(key) != "first" {
		t.Errorf("got %q, %v", key, err)
	}
	publish(t, db, "app-b", 3) // a new identity
	if got := unshared("app-a"); len(got) != 1 {
		t.Errorf("a copy of a former key counts: %v", got)
	}
	if !share("app-a", life("app-a"), "third") {
		t.Error("the copy of a former key stays")
	}
}

func TestARecoveryKeyIsARecipient(t *testing.T) {
	db := cluster(t)
	for i, want := range []bool{true, false} {
		if done, err := keyring.Register(t.Context(), db, make([]byte, 100), "ana", "for the safe"); err != nil || done != want {
			t.Errorf("call %d: %v, %v", i, done, err)
		}
	}
	keys, err := keyring.Keys(t.Context(), db)
	if err != nil || len(keys) != 3 || !strings.HasPrefix(keys[2].Name, "recovery/") || keys[2].Node != "" {
		t.Errorf("got %v, %v", keys, err)
	}
}

func TestAReaderSeesNoCiphertextAndAnAgentStagesNothing(t *testing.T) {
	db := cluster(t)
	for role, refused := range map[string][]string{
		"coterie_reader": {"SELECT content FROM coterie.keystore", "SELECT key FROM coterie.keystore_copy", "SELECT * FROM coterie.keystore_fetch('server', 1, 'app-a')"},
		"coterie_agent": {"SELECT coterie.keystore_recovery('x', '', '')", "INSERT INTO coterie.keystore_copy VALUES ('server', 1, 'app-a', '', '')",
			"SELECT coterie.keystore_stage('server', 1, 'jks', 1, '', '', '', '', now(), now(), '', '{}', '{}', '{}', '', '')",
			"SELECT coterie.keystore_activate('server', 1, 0, '1m', '', '')", "SELECT coterie.keystore_recall(1, '', '')",
			"UPDATE coterie.keystore SET state = 'active'", "INSERT INTO coterie.keystore_rollout (name, version, patience) VALUES ('server', 1, '1m')"},
		"coterie_operator": {"SELECT coterie.keystore_publish('app-a', 1, '', '', '')", "SELECT coterie.keystore_share('app-a', 1, 'server', 1, 'app-a', '', '')",
			"SELECT coterie.keystore_vote('app-a', 1, 'server', 1, true, true, false, '')", "SELECT coterie.keystore_turn('app-a', 1, 1, 1, 'done', '', '', '')",
			"SELECT coterie.keystore_report('app-a', 1, 'server', 1, 'proved', NULL, NULL, NULL, NULL, '')"},
	} {
		for _, statement := range refused {
			tx := db.MustBegin()
			tx.MustExec("SET LOCAL ROLE " + role)
			if _, err := tx.Exec(statement); err == nil || !strings.Contains(err.Error(), "permission denied") {
				t.Errorf("%s: %s: %v", role, statement, err)
			}
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
