package manifest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/coordinator/manifest"
	"github.com/coterie-ha/coterie/sql/sqltest"
)

// houses are nodes with files of their own.
type houses struct {
	t     testing.TB
	db    *sqltest.DB
	dir   string
	equal appdata.Equal
}

func newHouses(t testing.TB, nodes ...string) *houses {
	h := &houses{t: t, db: sqltest.New(t), dir: t.TempDir(), equal: appdata.Equal{
		Paths: []string{"patches", "conf/*.xml"}, Merge: []appdata.Merge{{Path: "conf/*.xml", XML: "Server@port"}},
	}}
	for _, node := range nodes {
		h.sql(`INSERT INTO coterie.node (name, id) VALUES ($1, $1)`, node)
		h.write(node, "patches/one.jar", "one")
		h.write(node, "patches/deep/two.jar", "two")
		h.write(node, "conf/server.xml", fmt.Sprintf(`<Server port="80%d" x="y"/>`, len(node)))
		h.write(node, "conf/other.txt", node)
	}
	return h
}

func (h *houses) sql(statement string, args ...any) {
	h.t.Helper()
	if _, err := h.db.Exec(statement, args...); err != nil {
		h.t.Fatal(err)
	}
}

func (h *houses) write(node, name, content string) {
	h.t.Helper()
	full := filepath.Join(h.dir, node, name)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
		h.t.Fatal(err)
	}
	// As if it had rested for a while: what is known need not be read again.
	if err := os.Chtimes(full, time.Now(), time.Now().Add(-time.Hour)); err != nil {
		h.t.Fatal(err)
	}
}

func (h *houses) look(node string) manifest.OwnOutcome {
	h.t.Helper()
	s := manifest.OwnSurvey{
		Store: manifest.Store{DB: h.db.Agent().DB, Node: node}, Own: appdata.Own{Root: filepath.Join(h.dir, node), Equal: h.equal},
		Scan: func(ctx context.Context, o appdata.Own, tell func(appdata.OwnFound) error) error {
			return o.Do(ctx, tell)
		},
	}
	out, err := s.Run(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	h.sql(`INSERT INTO coterie.own (node, incarnation, root, rules, every) VALUES ($1, 1, '/x', $2, '1m') ON CONFLICT (node) DO UPDATE SET rules = excluded.rules`, node, h.equal.Name())
	h.sql(`SELECT coterie.own_settle()`)
	return out
}

func (h *houses) drifts() []string {
	h.t.Helper()
	var said []string
	err := h.db.Reader().Select(&said, `SELECT concat_ws(' ', node, path, array_to_string(differs, '+'), coalesce(reference, '?')) FROM coterie.drifts ORDER BY node, path COLLATE "C"`)
	if err != nil {
		h.t.Fatal(err)
	}
	return said
}

func TestANodeDriftsFromWhatMostHave(t *testing.T) {
	h := newHouses(t, "app-a", "app-b", "app-cc")
	for _, node := range []string{"app-a", "app-b", "app-cc"} {
		if out := h.look(node); !out.First || out.Read == 0 {
			t.Errorf("the first look: %+v", out)
		}
	}
	want(t, "equal but for what may differ", h.drifts(), nil)

	h.write("app-b", "patches/one.jar", "ONE")
	h.write("app-b", "patches/new/three.jar", "three")
	h.write("app-b", "patches/new/four.jar", "four")
	h.write("app-b", "conf/server.xml", `<Server port="1" x="z"/>`)
	if err := os.Remove(filepath.Join(h.dir, "app-b/patches/deep/two.jar")); err != nil {
		t.Fatal(err)
	}
	h.look("app-b")
	want(t, "one of three", h.drifts(), []string{
		"app-b conf/server.xml content most", "app-b patches/deep/two.jar missing most", "app-b patches/new extra most", "app-b patches/one.jar content most",
	})
	h.write("app-cc", "patches/one.jar", "Eins")
	h.look("app-cc")
	want(t, "three of one file", h.drifts()[:1], []string{"app-a patches/one.jar content ?"})
	h.sql(`SELECT coterie.own_refer('app-b', 'ana', '')`)
	want(t, "by an operator's word", h.drifts(), []string{
		"app-a conf/server.xml content app-b", "app-a patches/deep/two.jar extra app-b", "app-a patches/new missing app-b", "app-a patches/one.jar content app-b",
		"app-cc conf/server.xml content app-b", "app-cc patches/deep/two.jar extra app-b", "app-cc patches/new missing app-b", "app-cc patches/one.jar content app-b",
	})
}

func TestRightsRulesAndKindsAreCompared(t *testing.T) {
	h := newHouses(t, "app-a", "app-b")
	h.look("app-a")
	h.sql(`SELECT coterie.own_refer('app-a', 'ana', '')`)
	at := func(name string) string { return filepath.Join(h.dir, "app-b", name) }
	for _, err := range []error{
		os.Chmod(at("patches/one.jar"), 0o600), os.Remove(at("patches/deep/two.jar")), os.Symlink("one.jar", at("patches/deep/two.jar")), os.Chmod(at("conf/other.txt"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	h.write("app-b", "conf/server.xml", "<Server")
	h.look("app-b")
	want(t, "rights, kinds and what is not understood", h.drifts(), []string{
		"app-b conf/server.xml unclear app-a", "app-b patches/deep/two.jar kind app-a", "app-b patches/one.jar mode app-a",
	})
	var since, later time.Time
	const sinceSQL = `SELECT since FROM coterie.drifts WHERE path = 'patches/one.jar'`
	if err := h.db.Reader().Get(&since, sinceSQL); err != nil {
		t.Fatal(err)
	}
	h.write("app-b", "patches/one.jar", "other")
	h.look("app-b")
	if err := h.db.Reader().Get(&later, sinceSQL); err != nil || !later.Equal(since) {
		t.Errorf("since %v, and when it differs in more %v (%v)", since, later, err)
	}
	h.equal.Ignore = []string{"deep"}
	h.look("app-b")
	if got := h.drifts(); len(got) == 0 || got[0] != "app-b . rules app-a" {
		t.Errorf("with other rules: %q", got)
	}
}

func TestALookAtEqualFilesReadsAndWritesNothing(t *testing.T) {
	h := newHouses(t, "app-a", "app-b")
	h.look("app-a")
	h.look("app-b")
	var before, after int64
	const eventsSQL = `SELECT count(*) FROM coterie.events`
	if err := h.db.Reader().Get(&before, eventsSQL); err != nil {
		t.Fatal(err)
	}
	out := h.look("app-b")
	if out.Changes != 0 || out.Names == 0 {
		t.Errorf("%+v", out)
	}
	if err := h.db.Reader().Get(&after, eventsSQL); err != nil || before != after {
		t.Errorf("%d events, then %d (%v)", before, after, err)
	}
}
