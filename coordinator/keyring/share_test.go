package keyring_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/coordinator/keyring"
)

var (
	one = strings.Repeat("1", 64)
	two = strings.Repeat("2", 64)
)

func see(t *testing.T, db *sqlx.DB, node, sha256 string) string {
	t.Helper()
	expected, told, err := keyring.See(t.Context(), db, node, life(node), "conf/encryption.keystore", sha256, "")
	if err != nil || !told {
		t.Fatalf("%s: told %v, %v", node, told, err)
	}
	return expected
}

func TestTheFirstEncryptionKeystoreThatIsSeenIsTheOne(t *testing.T) {
	db := cluster(t)
	if got := see(t, db, "app-a", ""); got != "" {
		t.Errorf("nobody has seen any, and %q is expected", got)
	}
	for _, c := range []struct{ node, sha256 string }{{"app-b", one}, {"app-a", two}, {"app-a", ""}, {"app-b", two}} {
		if got := see(t, db, c.node, c.sha256); got != one {
			t.Errorf("%s sees %.4q: %.4q is expected", c.node, c.sha256, got)
		}
	}
	if _, told, err := keyring.See(t.Context(), db, "app-a", 99, "x", one, ""); told || err != nil {
		t.Errorf("a former life is heard: %v, %v", told, err)
	}
	// Of two who accept at once the second is told; what nobody sees is not accepted.
	for _, c := range []struct {
		sha256, was string
		want        bool
	}{{two, "", false}, {strings.Repeat("3", 64), one, false}, {two, one, true}, {two, one, true}, {"", one, false}, {"", two, true}} {
		if got, err := keyring.Accept(t.Context(), db, c.sha256, c.was, "ana", "why not"); got != c.want || err != nil {
			t.Errorf("accept %.4q after %.4q: %v, %v", c.sha256, c.was, got, err)
		}
	}
}

// holds makes a node the holder of a lease.
func holds(t *testing.T, db *sqlx.DB, lease, node string, token int64) {
	t.Helper()
	db.MustExec(`SELECT coterie.era_check(0)`)
	db.MustExec(`INSERT INTO coterie.lease AS l (name, token, node, incarnation, acquired_at) VALUES ($1, $2, $3, $4, coterie.clock())
		ON CONFLICT (name) DO UPDATE SET token = excluded.token, node = excluded.node, incarnation = excluded.incarnation`, lease, token, node, life(node))
}

func stale(err error) bool {
	said, ok := errors.AsType[*pq.Error](err)
	return ok && said.Code == "CT001"
}

func TestOnlyTheHolderTellsOfTheCopy(t *testing.T) {
	db := stagedFor(t, 1)
	holds(t, db, "keystore/server", "app-a", 7)
	f := keyring.File{Token: 7, Path: "conf/server.keystore", Version: 1, SHA256: one, Written: true}
	for range 2 {
		if err := self(db, "app-a").Copied(t.Context(), db, f); err != nil {
			t.Fatal(err)
		}
	}
	holds(t, db, "keystore/server", "app-b", 8)
	f.SHA256 = two
	if err := self(db, "app-a").Copied(t.Context(), db, f); !stale(err) {
		t.Errorf("a stale token: %v", err)
	}
	var got string
	if err := db.Get(&got, `SELECT concat_ws(' ', node, token, version, sha256) FROM coterie.keystore_files`); err != nil || got != "app-a 7 1 "+one {
		t.Errorf("got %s, %v", got, err)
	}
}

func due(t *testing.T, db *sqlx.DB, before time.Duration) keyring.Due {
	t.Helper()
	d, err := self(db, "app-a").BeginRenewal(t.Context(), 7, before, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestACertificateIsRenewedWhenItIsTimeAndNotBefore(t *testing.T) {
	const always = 100 * 365 * 24 * time.Hour
	db := stagedFor(t, 1)
	holds(t, db, "renewal/server", "app-a", 7)
	is := func(when string, d keyring.Due, want string) {
		t.Helper()
		if d.Now != (want == "") || d.Why != want || !d.Now && d.Wait <= 0 {
			t.Errorf("%s: %+v, want %q", when, d, want)
		}
	}
	is("nothing is active", due(t, db, always), "no version is active")
	db.MustExec(`UPDATE coterie.keystore SET state = 'active', not_after = coterie.clock() + interval '20 days'`)
	is("it lasts", due(t, db, 10*24*time.Hour), "it is not time yet")
	if _, err := self(db, "app-a").BeginRenewal(t.Context(), 6, always, time.Minute); !stale(err) {
		t.Errorf("a stale token: %v", err)
	}
	is("it is time", due(t, db, always), "")
	is("an attempt goes on", due(t, db, always), "an attempt failed")

	// What an attempt made is staged once, by who holds it.
	v := version(t, db, 2, "app-a", "app-b")
	v.SHA256 = two
	if err := self(db, "app-a").StageRenewal(t.Context(), 6, v); !stale(err) {
		t.Errorf("staged under a stale token: %v", err)
	}
	if err := self(db, "app-a").EndRenewal(t.Context(), 7, keyring.Renewed{Retry: time.Minute, Error: "no network"}); err != nil {
		t.Fatal(err)
	}
	if err := self(db, "app-a").StageRenewal(t.Context(), 7, v); !errors.Is(err, keyring.ErrOver) {
		t.Errorf("staged without an attempt: %v", err)
	}
	if err := self(db, "app-a").EndRenewal(t.Context(), 7, keyring.Renewed{Retry: time.Minute}); !errors.Is(err, keyring.ErrOver) {
		t.Errorf("ended twice: %v", err)
	}
	db.MustExec(`UPDATE coterie.renewal SET next_at = coterie.clock()`)
	is("again", due(t, db, always), "")
	if err := self(db, "app-a").StageRenewal(t.Context(), 7, v); err != nil {
		t.Fatal(err)
	}
	if err := self(db, "app-a").EndRenewal(t.Context(), 7, keyring.Renewed{Version: 2, Activate: true, Patience: time.Minute, Retry: time.Minute}); err != nil {
		t.Fatal(err)
	}
	is("it is on its way", due(t, db, always), "a version is on its way to the nodes")
	if got := states(t, db); got != "1 active, 2 staged" {
		t.Errorf("got %s", got)
	}
	var failures int
	if err := db.Get(&failures, `SELECT failures FROM coterie.renewals WHERE failing_since IS NULL AND error = ''`); err != nil || failures != 0 {
		t.Errorf("%d failures, %v", failures, err)
	}
}
