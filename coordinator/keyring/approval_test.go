package keyring_test

import (
	"slices"
	"testing"

	"github.com/coterie-ha/coterie/coordinator/keyring"
)

// Who waits for approval gets no private key, and nobody waits for it.
func TestWhoWaitsForApprovalGetsNoKeystore(t *testing.T) {
	db := cluster(t)
	const a, b = "0123456789abcdef0123456789abcdef", "123456789abcdef0123456789abcdef0"
	db.MustExec(`UPDATE coterie.node SET id = CASE name WHEN 'app-a' THEN $1 ELSE $2 END`, a, b)
	publish(t, db, "app-a", 1)
	stage(t, db, version(t, db, 1, "app-a"))
	sees := func() (keys, unshared, members []string) {
		all, err := keyring.Keys(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range all {
			keys = append(keys, k.Name)
		}
		missing, err := keyring.FindUnshared(t.Context(), db, "app-a")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range missing {
			unshared = append(unshared, m.With)
		}
		v, err := keyring.Look(t.Context(), db, "server", true)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range v.Members {
			members = append(members, m.Node)
		}
		slices.Sort(members)
		return keys, unshared, members
	}
	want := func(when string, keys, unshared, members []string) {
		t.Helper()
		k, u, m := sees()
		if !slices.Equal(k, keys) || !slices.Equal(u, unshared) || !slices.Equal(m, members) {
			t.Errorf("%s: keys of %v, unshared with %v, members %v", when, k, u, m)
		}
	}
	both := []string{"app-a", "app-b"}
	want("nobody is asked", both, []string{"app-b"}, both)
	db.MustExec(`UPDATE coterie.setting SET approval = true`)
	db.MustExec(`SELECT coterie.approval_decide($1, 'app-a', 'approved', 'ana', '')`, a)
	want("app-b waits", []string{"app-a"}, nil, []string{"app-a"})
	db.MustExec(`SELECT coterie.approval_decide($1, 'app-b', 'approved', 'ana', '')`, b)
	want("app-b is approved", both, []string{"app-b"}, both)
}
