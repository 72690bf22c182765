package keyring_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/coordinator/keyring"
	"github.com/coterie-ha/coterie/keystore/rollout"
)

// stagedFor is a cluster of two with so many versions.
func stagedFor(t *testing.T, versions int64) *sqlx.DB {
	t.Helper()
	db := cluster(t)
	publish(t, db, "app-a", 1)
	publish(t, db, "app-b", 2)
	for n := range versions {
		v := version(t, db, n+1, "app-a", "app-b")
		v.SHA256 = strings.Repeat("0123456789abcdef"[n:n+1], 64)
		if err := keyring.Stage(t.Context(), db, v); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func self(db *sqlx.DB, node string) keyring.Self {
	return keyring.Self{DB: db, Node: node, Incarnation: life(node), Name: "server"}
}

func look(t *testing.T, db *sqlx.DB) rollout.View {
	t.Helper()
	v, err := keyring.Look(t.Context(), db, "server", true)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func activate(t *testing.T, db *sqlx.DB, version, active int64) (int64, error) {
	t.Helper()
	return keyring.Activate(t.Context(), db, keyring.Activation{Name: "server", Version: version, Active: active, Patience: time.Minute, By: "ana"})
}

// keepers are nodes whose servers take up everything, but those versions that are broken.
func keepers(t *testing.T, db *sqlx.DB, broken map[string]int64) []*rollout.Keeper {
	t.Helper()
	var all []*rollout.Keeper
	for _, node := range []string{"app-a", "app-b"} {
		have := int64(0)
		s := self(db, node)
		all = append(all, &rollout.Keeper{Node: node, Serves: true, Hands: rollout.Hands{
			Look: func(_ context.Context, n int64) rollout.Vote { return rollout.Vote{Version: n, OK: true, Serves: true} },
			Seen: func(_ context.Context, want int64) rollout.Report {
				r := rollout.Report{Version: have, State: rollout.Drifted, Served: strings.Repeat("c", 64)}
				if have == want {
					r.State = rollout.Proved
				}
				return r
			},
			Put: func(_ context.Context, p rollout.Putting) error {
				if broken[node] == p.Version {
					return errors.New("it does not suit")
				}
				have = p.Version
				return nil
			},
			Vote: s.Vote, Report: s.Report, Turn: s.Turn,
		}})
	}
	return all
}

// until lets all do what is due, until nobody has anything to do.
func until(t *testing.T, db *sqlx.DB, all []*rollout.Keeper) {
	t.Helper()
	for range 200 {
		busy := false
		for _, k := range all {
			more, err := k.Round(t.Context(), look(t, db))
			if err != nil {
				t.Fatal(err)
			}
			busy = busy || more
		}
		if !busy {
			return
		}
	}
	t.Fatalf("they never come to rest: %+v", look(t, db))
}

func states(t *testing.T, db *sqlx.DB) (all string) {
	t.Helper()
	if err := db.Get(&all, `SELECT coalesce(string_agg(version || ' ' || state, ', ' ORDER BY version), '') FROM coterie.keystores`); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAVersionIsActiveWhenAllNodesHaveIt(t *testing.T) {
	db := stagedFor(t, 2)
	all := keepers(t, db, nil)
	for n, want := range []string{"1 active, 2 staged", "1 retired, 2 active"} {
		if _, err := activate(t, db, int64(n)+1, int64(n)); err != nil {
			t.Fatal(err)
		}
		until(t, db, all)
		if got := states(t, db); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	var ok bool
	if err := db.Get(&ok, `SELECT count(*) = 2 AND bool_and(ok AND version = 2) FROM coterie.certificates`); err != nil || !ok {
		t.Errorf("not every node has version 2: %v", err)
	}
	if id, err := activate(t, db, 2, 2); id != 0 || err != nil {
		t.Errorf("what is active is brought again: %d, %v", id, err)
	}
}

func TestOneNodeThatCannotBringsAllBack(t *testing.T) {
	db := stagedFor(t, 2)
	all := keepers(t, db, map[string]int64{"app-b": 2})
	for n := range int64(2) {
		if _, err := activate(t, db, n+1, n); err != nil {
			t.Fatal(err)
		}
		until(t, db, all)
	}
	if got := states(t, db); got != "1 active, 2 rejected" {
		t.Error(got)
	}
	p, _, err := keyring.FindRollout(t.Context(), db, "server", 0)
	if err != nil || p.Phase != rollout.Failed || p.FailedNode != "app-b" || p.Failure != "app-b: it does not suit" {
		t.Errorf("%+v, %v", p, err)
	}
	for _, k := range all {
		if !k.Settled(look(t, db)) {
			t.Errorf("%s does not have version 1", k.Node)
		}
	}
}

func TestOfTwoWhoActivateOneWinsAndTheOtherIsToldWho(t *testing.T) {
	db := stagedFor(t, 3)
	if _, err := activate(t, db, 1, 0); err != nil {
		t.Fatal(err)
	}
	_, err := activate(t, db, 2, 0)
	if c, ok := errors.AsType[*keyring.ConflictError](err); !ok || !strings.Contains(c.Said, "version 1 of server is being brought to the nodes, by") {
		t.Errorf("while another is on its way: %v", err)
	}
	until(t, db, keepers(t, db, nil))
	_, err = activate(t, db, 2, 0)
	if c, ok := errors.AsType[*keyring.ConflictError](err); !ok || !strings.Contains(c.Said, "version 1 of server was activated by") {
		t.Errorf("after another became active: %v", err)
	}
	if _, err := activate(t, db, 9, 1); !errors.Is(err, keyring.ErrNoVersion) {
		t.Errorf("a version that is not there: %v", err)
	}
}

func TestWhatWasDecidedUponOlderRowsIsNotDone(t *testing.T) {
	db := stagedFor(t, 1)
	if _, err := activate(t, db, 1, 0); err != nil {
		t.Fatal(err)
	}
	old := look(t, db)
	for _, node := range []string{"app-a", "app-b"} {
		if err := self(db, node).Vote(t.Context(), rollout.Vote{Version: 1, OK: true, Serves: true}); err != nil {
			t.Fatal(err)
		}
	}
	turn := rollout.Turn{To: rollout.Canary, Canary: "app-a"}
	if err := self(db, "app-a").Turn(t.Context(), *old.Rollout, turn); err != nil || look(t, db).Rollout.Phase != rollout.Voting {
		t.Errorf("a turn upon rows that moved: %v, %+v", err, look(t, db).Rollout)
	}
	// Nor what a former life of the node decided.
	stale := self(db, "app-a")
	stale.Incarnation++
	if err := stale.Turn(t.Context(), *look(t, db).Rollout, turn); err != nil || look(t, db).Rollout.Phase != rollout.Voting {
		t.Errorf("a turn of another life: %v", err)
	}
	// Nor a step that there is not.
	if err := self(db, "app-a").Turn(t.Context(), *look(t, db).Rollout, rollout.Turn{To: rollout.Done}); err == nil {
		t.Error("from voting to done")
	}
	if err := self(db, "app-a").Turn(t.Context(), *look(t, db).Rollout, turn); err != nil || look(t, db).Rollout.Phase != rollout.Canary {
		t.Errorf("a turn upon the rows that there are: %v", err)
	}
}

func TestACalledBackRolloutIsOverWhenAllHaveWhatTheyHad(t *testing.T) {
	db := stagedFor(t, 1)
	id, err := activate(t, db, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := keepers(t, db, nil)
	for look(t, db).Rollout.Phase != rollout.Rest {
		for _, k := range all {
			if _, err := k.Round(t.Context(), look(t, db)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if done, err := keyring.Recall(t.Context(), db, id, "ana", "not today"); !done || err != nil {
		t.Fatalf("%v, %v", done, err)
	}
	until(t, db, all)
	p, _, err := keyring.FindRollout(t.Context(), db, "server", id)
	if err != nil || p.Phase != rollout.Failed || p.Failure != "called back by ana: not today" {
		t.Errorf("%+v, %v", p, err)
	}
	if done, err := keyring.Recall(t.Context(), db, id, "ana", ""); done || err != nil {
		t.Errorf("called back twice: %v, %v", done, err)
	}
}

// The certificate that servers show is looked at without a job.
func TestAnActiveVersionThatEndsSoonIsFound(t *testing.T) {
	db := stagedFor(t, 1)
	if _, err := activate(t, db, 1, 0); err != nil {
		t.Fatal(err)
	}
	until(t, db, keepers(t, db, nil))
	for _, c := range []struct{ left, want string }{{"31 days", ""}, {"29 days", "note"}, {"6 days", "warning"}, {"23 hours", "error"}, {"-1 day", "error"}} {
		db.MustExec(`UPDATE coterie.keystore SET not_after = coterie.clock() + $1::interval`, c.left)
		var got string
		err := db.Get(&got, `SELECT coalesce(max(severity), '') FROM coterie.findings WHERE code = 'COT-530' AND subject = 'server' AND since <= coterie.clock()`)
		if err != nil || got != c.want {
			t.Errorf("%s before its end: %q, %v, want %q", c.left, got, err, c.want)
		}
	}
}

// A node of an older release does not vote: nobody changes anything for it, and it is named.
func TestANodeThatDoesNotVoteIsNamed(t *testing.T) {
	db := stagedFor(t, 1)
	id, err := activate(t, db, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := keepers(t, db, nil)
	for range 5 {
		if _, err := all[0].Round(t.Context(), look(t, db)); err != nil {
			t.Fatal(err)
		}
	}
	if phase := look(t, db).Rollout.Phase; phase != rollout.Voting {
		t.Fatalf("app-b has not voted, and it is %s", phase)
	}
	db.MustExec(`UPDATE coterie.keystore_rollout SET moved_at = moved_at - interval '2 minutes'`)
	if _, err := all[0].Round(t.Context(), look(t, db)); err != nil {
		t.Fatal(err)
	}
	p, _, err := keyring.FindRollout(t.Context(), db, "server", id)
	if err != nil || p.Phase != rollout.Refused || p.FailedNode != "app-b" {
		t.Errorf("%+v, %v", p, err)
	}
}
