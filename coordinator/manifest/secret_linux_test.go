package manifest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/coterie-ha/coterie/appdata"
)

// looker reads as one role may.
type looker interface {
	Select(into any, query string, args ...any) error
}

// shownBy gives the views, and the functions that everybody may call, in which
// somebody is shown one of some texts.
func shownBy(t *testing.T, who looker, calls []string, texts []string) (where []string) {
	t.Helper()
	var views []string
	if err := who.Select(&views, `SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = 'coterie'::regnamespace AND c.relkind = 'v' ORDER BY 1`); err != nil {
		t.Fatal(err)
	}
	for _, from := range slices.Concat(views, calls) {
		for _, text := range texts {
			var n []int
			if err := who.Select(&n, fmt.Sprintf(`SELECT count(*) FROM %s AS seen WHERE position($1 IN seen::text) > 0`, from), text); err != nil {
				t.Fatalf("%s: %v", from, err)
			}
			if n[0] > 0 {
				where = append(where, from)
				break
			}
		}
	}
	return where
}

// digestsOf are the forms in which digests of contents are kept.
func digestsOf(contents ...string) (texts []string) {
	for _, content := range contents {
		sum := sha256.Sum256([]byte(content))
		texts = append(texts, hex.EncodeToString(sum[:]), base64.StdEncoding.EncodeToString(sum[:]))
	}
	return texts
}

// A password of eight letters can be guessed by its digest.
func TestNobodyIsShownADigestOfASecretFile(t *testing.T) {
	h := newHouses(t, "app-a", "app-b")
	l := &lab{t: t, db: h.db, dir: filepath.Join(h.dir, "share")}
	l.write("conf/server.keystore", "secret one")
	l.write("conf/server/log4j.properties", "known to all")
	if err := appdata.CreateMarker(l.dir, appdata.Marker{Cluster: "c", ID: "id", Generation: 1}); err != nil {
		t.Fatal(err)
	}
	layout, err := appdata.LayoutOf("ucd")
	if err != nil {
		t.Fatal(err)
	}
	survey := l.survey()
	survey.Layout = layout
	scan := func() (changes int64) {
		t.Helper()
		out, err := survey.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return int64(out.Changes)
	}
	scan()
	if n := scan(); n != 0 {
		t.Errorf("what is known of secrets is not known to who scans: %d changes", n)
	}
	l.write("conf/server.keystore", "secret two")
	if n := scan(); n != 1 {
		t.Errorf("%d changes of a secret that changed", n)
	}
	teller := l.teller("app-a")
	teller.Layout = "ucd"
	l.write("conf/server.keystore", "secret six!")
	if n := l.tell(teller, "conf"); n != 1 {
		t.Errorf("%d changes told", n)
	}

	h.equal.Paths, h.equal.Secret = append(h.equal.Paths, "conf/*.password"), []string{"conf/*.password"}
	h.write("app-a", "conf/db.password", "secret three")
	h.write("app-b", "conf/db.password", "secret four")
	h.write("app-a", "conf/only.password", "secret five")
	h.look("app-a")
	h.look("app-b")
	h.sql(`SELECT coterie.own_refer('app-a', 'ana', '')`)
	h.sql(`SELECT coterie.own_take_ask('app-b', 'app-a', ARRAY['conf/db.password', 'conf/only.password', 'patches/one.jar'], 'ana')`)
	given := fmt.Sprintf(`{"raw": "%s", "size": 12, "mode": 420}`, digestsOf("secret three")[0])
	var moved bool
	err = h.db.Agent().Get(&moved, `SELECT coterie.own_take_move('app-a', 1, id, 'given', $1, '') FROM coterie.takes WHERE path = 'conf/db.password'`, given)
	if err != nil || !moved {
		t.Fatalf("not given: %v", err)
	}
	// As if it could not be read on one node: what the other has stays unsaid.
	h.sql(`UPDATE coterie.appdata_page SET entries = replace(entries, $1, '') WHERE folder = 'conf'`, digestsOf("secret four")[1])
	h.sql(`SELECT coterie.own_settle()`)
	if n := get[int](l, `SELECT count(*) FROM coterie.drifts WHERE node = 'app-b' AND class = 'secret'`); n != 2 {
		t.Errorf("%d drifts of secret files", n)
	}

	calls := []string{`coterie.appdata_diff('share', 'node/app-a')`, `coterie.appdata_diff('node/app-b', 'node/app-a')`}
	secrets := digestsOf("secret one", "secret two", "secret six!", "secret three", "secret four", "secret five")
	for who, db := range map[string]looker{"a reader": h.db.Reader(), "an operator": h.db.Operator(), "an agent": h.db.Agent()} {
		if where := shownBy(t, db, calls, secrets); len(where) > 0 {
			t.Errorf("%s is shown a digest of a secret by %v", who, where)
		}
		// What is looked at is what shows digests.
		want := []string{"coterie.appdata_files", "coterie.appdata_pages", "coterie.takes"}
		if where := shownBy(t, db, nil, digestsOf("one", "known to all")); !slices.Equal(where, append([]string{"coterie.appdata_changes"}, want...)) && !slices.Equal(where, want) {
			t.Errorf("%s is shown digests of others by %v", who, where)
		}
	}

	// With all else known, sums over folders tell as much.
	var sums []string
	const sumsSQL = `SELECT content FROM coterie.appdata_folders WHERE content IS NOT NULL UNION ALL SELECT content FROM coterie.appdata_trees WHERE content IS NOT NULL`
	if err := h.db.Operator().Select(&sums, sumsSQL); err != nil || len(sums) == 0 {
		t.Errorf("an operator is shown %d sums (%v)", len(sums), err)
	}
	if where := shownBy(t, h.db.Reader(), nil, sums); len(where) > 0 {
		t.Errorf("a reader is shown sums by %v", where)
	}
	for _, call := range []string{
		`SELECT folder FROM coterie.appdata_page_list('share', '', 'z')`, `SELECT path FROM coterie.appdata_known('share', '{.}', '{}')`,
		`SELECT path FROM coterie.own_takes_open('app-a')`, `SELECT path FROM coterie.own_differences()`,
	} {
		var paths []string
		if err := h.db.Reader().Select(&paths, call); err == nil {
			t.Errorf("a reader may call %s", call)
		}
	}

	// Who gives and takes still knows the file by its digest.
	var open []struct{ Path, State, Was, Raw string }
	if err := h.db.Agent().Select(&open, `SELECT path, state, was, raw FROM coterie.own_takes_open('app-b')`); err != nil {
		t.Fatal(err)
	}
	if len(open) != 1 || open[0].Raw != digestsOf("secret three")[0] || open[0].Was != digestsOf("secret four")[0] {
		t.Errorf("app-b is to take %+v", open)
	}
}
