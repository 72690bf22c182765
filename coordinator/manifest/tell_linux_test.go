package manifest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/coordinator/manifest"
)

// teller is a node that lives, in the laboratory.
func (l *lab) teller(node string) manifest.Teller {
	l.t.Helper()
	l.db.MustExec(`INSERT INTO coterie.session (node, incarnation, ttl, expires_at, login) VALUES ($1, 1, '6s', coterie.clock() + interval '1 hour', 'agent')`, node)
	return manifest.Teller{
		Store: manifest.Store{DB: l.db.Agent().DB, Node: node}, Incarnation: 1, Layout: "generic",
		Look: func(ctx context.Context, look appdata.Look) (appdata.Looked, error) { return look.Do(ctx) },
	}
}

func (l *lab) share() appdata.Share {
	return appdata.Share{Path: l.dir, Cluster: "c", ID: "id", Node: "app-a"}
}

func (l *lab) tell(t manifest.Teller, folders ...string) int {
	l.t.Helper()
	n, err := t.Tell(l.t.Context(), l.share(), appdata.Dirty{Folders: folders})
	if err != nil {
		l.t.Fatal(err)
	}
	return n
}

// told is what watches wrote into the journal, in its order.
func (l *lab) told() string {
	l.t.Helper()
	var said []string
	if err := l.db.Reader().Select(&said, `SELECT concat_ws(' ', change, path, from_path) FROM coterie.appdata_changes WHERE source = 'watch' ORDER BY seq`); err != nil {
		l.t.Fatal(err)
	}
	return strings.Join(said, ", ")
}

func (l *lab) gone(name string) {
	l.t.Helper()
	if err := os.RemoveAll(filepath.Join(l.dir, name)); err != nil {
		l.t.Fatal(err)
	}
}

func TestWhatAWatchTellsAndWhatAScanFindsAreOneJournal(t *testing.T) {
	l := newLab(t, map[string]string{"conf/one": "1", "conf/two": "2", "var/x": "x"})
	a := l.teller("app-a")
	if _, err := a.Tell(t.Context(), l.share(), appdata.Dirty{Folders: []string{"conf"}}); !errors.Is(err, manifest.ErrTooMuch) {
		t.Errorf("told against nothing: %v", err)
	}
	l.scan()

	l.write("conf/one", "one")
	l.write("conf/three", "3")
	if n := l.tell(a, "conf"); n != 2 {
		t.Errorf("%d changes", n)
	}
	if err := os.Rename(filepath.Join(l.dir, "conf/two"), filepath.Join(l.dir, "var/two")); err != nil {
		t.Fatal(err)
	}
	l.tell(a, "conf", "var")
	l.write("new/deep/file", "f")
	l.tell(a, ".", "new", "new/deep")
	l.gone("new")
	l.tell(a, ".", "new", "new/deep")
	want := "modified conf/one, created conf/three, renamed var/two conf/two, created new, created new/deep, created new/deep/file, " +
		"deleted new, deleted new/deep, deleted new/deep/file"
	if got := l.told(); got != want {
		t.Errorf("the journal says\n%s, want\n%s", got, want)
	}
	if n := l.tell(a, ".", "conf", "var"); n != 0 {
		t.Errorf("told again: %d", n)
	}

	// The next scan finds nothing that was missed, and the sums.
	if out := l.scan(); out.Changes != 0 {
		t.Errorf("a scan found %d changes: %v", out.Changes, l.journal())
	}
	// What nobody told of, it finds, also in folders that were told of before.
	l.write("conf/four", "4")
	l.tell(a, "conf")
	l.write("conf/five", "5")
	if out := l.scan(); out.Changes != 1 || !slices.Equal(l.journal(), []string{"created conf/five"}) {
		t.Errorf("a scan found %d changes: %v", out.Changes, l.journal())
	}
	var whole bool
	if err := l.db.Operator().Get(&whole, `SELECT content IS NOT NULL FROM coterie.appdata_trees WHERE name = 'share'`); err != nil || !whole {
		t.Errorf("the tree has no sum (%v)", err)
	}
	var sources []string
	if err := l.db.Reader().Select(&sources, `SELECT concat_ws(' ', source, changes) FROM coterie.appdata_sources ORDER BY source`); err != nil || !slices.Equal(sources, []string{"scan 1", "watch 10"}) {
		t.Errorf("sources are %v, %v", sources, err)
	}
}

// Two watches of one host see each change; each is in the journal once.
func TestTwoWatchesTellOnce(t *testing.T) {
	l := newLab(t, map[string]string{"conf/one": "1"})
	l.scan()
	tellers := []manifest.Teller{l.teller("app-a"), l.teller("app-b")}
	for i := range 20 {
		l.write(fmt.Sprintf("conf/f%02d", i), "x")
		errs := make(chan error)
		for _, n := range tellers {
			go func() {
				_, err := n.Tell(l.t.Context(), l.share(), appdata.Dirty{Folders: []string{"conf"}})
				errs <- err
			}()
		}
		if err := errors.Join(<-errs, <-errs); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(strings.Split(l.told(), ", ")); n != 20 {
		t.Errorf("%d changes of 20: %s", n, l.told())
	}
}

func TestHalfWrittenAndVanishedSharesAreNotTold(t *testing.T) {
	l := newLab(t, map[string]string{"conf/one": "1"})
	l.scan()
	a := l.teller("app-a")
	l.write("conf/one", "half")
	l.write("conf/two", "half")
	l.write("conf/three", "3")
	if _, err := a.Tell(t.Context(), l.share(), appdata.Dirty{Folders: []string{"conf"}, Busy: []string{"conf/one", "conf/two"}}); err != nil {
		t.Fatal(err)
	}
	if got := l.told(); got != "created conf/three" {
		t.Errorf("told: %s", got)
	}
	// An empty mount point, and another export with the same marker.
	other := newLab(t, nil)
	share := l.share()
	share.Path = t.TempDir()
	if _, err := a.Tell(t.Context(), share, appdata.Dirty{Folders: []string{".", "conf"}}); !errors.Is(err, appdata.ErrNoMarker) {
		t.Errorf("got %v", err)
	}
	share.Path, share.Word, share.Said = other.dir, appdata.Word{Nonce: "ABCDEFGHIJKLMNOPQRSTUVWXYZ", Round: 7}, 7
	if _, err := a.Tell(t.Context(), share, appdata.Dirty{Folders: []string{".", "conf"}}); err == nil {
		t.Error("another export was believed")
	}
	if got := l.told(); got != "created conf/three" {
		t.Errorf("told: %s", got)
	}
}

// Many that are gone at once are left to a scan, which looks twice and asks.
func TestManyDeletionsAreLeftToAScan(t *testing.T) {
	l := newLab(t, nil)
	for i := range 150 {
		l.write(fmt.Sprintf("many/%03d", i), "x")
	}
	l.scan()
	a := l.teller("app-a")
	l.gone("many")
	if _, err := a.Tell(t.Context(), l.share(), appdata.Dirty{Folders: []string{".", "many"}}); !errors.Is(err, manifest.ErrTooMuch) {
		t.Errorf("got %v", err)
	}
	if err := a.Doubt(t.Context(), "too much"); err != nil {
		t.Fatal(err)
	}
	var doubt string
	if err := l.db.Reader().Get(&doubt, `SELECT concat_ws(' ', doubted_by, doubt, doubts) FROM coterie.appdata_trees WHERE name = 'share'`); err != nil || doubt != "app-a too much 1" {
		t.Errorf("the doubt is %q, %v", doubt, err)
	}
	l.scan()
	if err := l.db.Reader().Get(&doubt, `SELECT coalesce(doubt, 'none') FROM coterie.appdata_trees WHERE name = 'share'`); err != nil || doubt != "none" {
		t.Errorf("after a scan the doubt is %q, %v", doubt, err)
	}
	if err := (manifest.Teller{Store: a.Store, Incarnation: 9}).Doubt(t.Context(), "x"); err == nil {
		t.Error("another life was believed")
	}
}
