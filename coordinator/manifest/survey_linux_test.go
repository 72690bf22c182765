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
	"time"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/coordinator/manifest"
	"github.com/coterie-ha/coterie/sql/sqltest"
)

// lab is a share and a database.
type lab struct {
	t   *testing.T
	db  *sqltest.DB
	dir string
}

func newLab(t *testing.T, files map[string]string) *lab {
	l := &lab{t: t, db: sqltest.New(t), dir: t.TempDir()}
	if err := appdata.CreateMarker(l.dir, appdata.Marker{Cluster: "c", ID: "id", Generation: 1}); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		l.write(name, content)
	}
	return l
}

func (l *lab) write(name, content string) {
	l.t.Helper()
	full := filepath.Join(l.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte(content), 0o644)); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) survey() manifest.Survey {
	layout, err := appdata.LayoutOf("generic")
	if err != nil {
		l.t.Fatal(err)
	}
	share := appdata.Share{Path: l.dir, Cluster: "c", ID: "id", Node: "app-a"}
	return manifest.Survey{
		Store: manifest.Store{DB: l.db.Agent().DB, Node: "app-a"}, Tree: manifest.Share, Layout: layout,
		Scanner: appdata.Scanner{Root: l.dir, Check: share.Present},
		Clock:   func() (time.Time, error) { return time.Now().Add(time.Hour), nil },
		Pause:   time.Millisecond,
	}
}

func (l *lab) scan() manifest.Outcome {
	l.t.Helper()
	out, err := l.survey().Run(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	return out
}

func (l *lab) journal() []string {
	l.t.Helper()
	var said []string
	if err := l.db.Reader().Select(&said, `SELECT concat_ws(' ', change, path, from_path) FROM coterie.appdata_changes WHERE source = 'scan' AND seen_by = 'app-a' ORDER BY path`); err != nil {
		l.t.Fatal(err)
	}
	return said
}

// files are the rows of the view.
func (l *lab) files() []string {
	l.t.Helper()
	var said []string
	if err := l.db.Reader().Select(&said, `SELECT concat_ws(' ', kind, path, size) FROM coterie.appdata_files WHERE tree = 'share' ORDER BY path COLLATE "C"`); err != nil {
		l.t.Fatal(err)
	}
	return said
}

func want(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant:\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func get[T any](l *lab, query string, args ...any) (v T) {
	l.t.Helper()
	if err := l.db.Reader().Get(&v, query, args...); err != nil {
		l.t.Fatal(err)
	}
	return v
}

func TestAScanIsStoredAndItsChangesAreTheJournal(t *testing.T) {
	l := newLab(t, map[string]string{"a": "1", "conf/b": "22", "conf/c": "333", "x/y": "moves", "new\nline\xff": "odd"})
	if err := os.Chtimes(filepath.Join(l.dir, "a"), time.Time{}, time.Unix(-2147483000, 5)); err != nil {
		t.Fatal(err)
	}
	if out := l.scan(); !out.First || out.Changes != 0 || out.Held != 0 {
		t.Errorf("the first scan found %+v", out)
	}
	want(t, "files", l.files(), []string{"file a 1", "folder conf 0", "file conf/b 2", "file conf/c 3", `file new\x0aline\xff 3`, "folder x 0", "file x/y 5"})
	want(t, "journal", l.journal(), nil)
	if at := get[time.Time](l, `SELECT modified_at FROM coterie.appdata_files WHERE path = 'a'`); at.Year() != 1901 {
		t.Errorf("a file of 1901 is of %v", at)
	}
	if d := get[string](l, `SELECT digest FROM coterie.appdata_files WHERE path = 'a'`); d != "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b" {
		t.Errorf("the digest of 1 is %s", d)
	}
	l.write("conf/b", "other")
	l.write("n", "new")
	if err := errors.Join(os.Remove(filepath.Join(l.dir, "conf/c")), os.Rename(filepath.Join(l.dir, "x/y"), filepath.Join(l.dir, "z"))); err != nil {
		t.Fatal(err)
	}
	if out := l.scan(); out.First || out.Changes != 4 || out.Sums.Files != 0 && out.Held != 0 {
		t.Errorf("the second scan found %+v", out)
	}
	changed := []string{"modified conf/b", "deleted conf/c", "created n", "renamed z x/y"}
	want(t, "journal", l.journal(), changed)
	l.scan()
	want(t, "journal after a scan without news", l.journal(), changed)
	if state := get[string](l, `SELECT state FROM coterie.appdata_trees WHERE name = 'share'`); state != "known" {
		t.Errorf("the tree is %s", state)
	}
	if head, last := get[int64](l, `SELECT head FROM coterie.appdata_trees`), get[int64](l, `SELECT max(seq) FROM coterie.appdata_changes`); last > head {
		t.Errorf("the journal is ahead of the head: %d, %d", last, head)
	}
}

func TestManyMissingFilesWaitForAnOperator(t *testing.T) {
	files := map[string]string{}
	for i := range 100 {
		files[fmt.Sprintf("d%d/f%d", i/10, i)] = "x"
	}
	l := newLab(t, files)
	l.scan()
	before := l.files()
	for i := range 3 {
		if err := os.RemoveAll(filepath.Join(l.dir, fmt.Sprintf("d%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if out := l.scan(); out.Held != 30 || out.Changes != 0 {
			t.Errorf("30 of 100 files are missing, and the scan found %+v", out)
		}
	}
	want(t, "files", l.files(), before)
	if state := get[string](l, `SELECT state FROM coterie.appdata_trees`); state != "held" {
		t.Errorf("the tree is %s", state)
	}
	if n := get[int](l, `SELECT count(*) FROM coterie.events WHERE kind = 'appdata.held'`); n != 1 {
		t.Errorf("%d events say so", n)
	}
	var accepted int64
	if err := l.db.Operator().Get(&accepted, `SELECT coterie.appdata_accept('share', 'eve', 'old releases')`); err != nil || accepted != 30 {
		t.Fatalf("accepted %d, %v", accepted, err)
	}
	if err := os.RemoveAll(filepath.Join(l.dir, "d3")); err != nil { // one more than was accepted
		t.Fatal(err)
	}
	if out := l.scan(); out.Held != 40 {
		t.Errorf("more are missing than were accepted, and the scan found %+v", out)
	}
	// Said while a scan is under way that knows nothing of it.
	store := l.survey().Store
	under, err := store.Begin(t.Context(), manifest.Share, "generic")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.db.Operator().Get(&accepted, `SELECT coterie.appdata_accept('share', 'eve', 'and another')`); err != nil {
		t.Fatal(err)
	}
	if err := store.Finish(t.Context(), under, 40, nil, 0); err != nil {
		t.Fatal(err)
	}
	// They are not listed, and are shown to who asks for them, as by a client that remembers.
	if under, err = store.Begin(t.Context(), manifest.Share, "generic"); err != nil {
		t.Fatal(err)
	}
	if err := store.Finish(t.Context(), under, 0, nil, 40); err != nil {
		t.Fatal(err)
	}
	if state := get[string](l, `SELECT state FROM coterie.appdata_trees`); state != "held" {
		t.Errorf("the tree is %s", state)
	}
	if out := l.scan(); out.Held != 0 || out.Changes != 44 {
		t.Errorf("all was accepted, and the scan found %+v", out)
	}
	if n := len(l.files()); n != len(before)-44 {
		t.Errorf("%d entries stay of %d", n, len(before))
	}
}

func TestAShareThatIsGoneStoresNothing(t *testing.T) {
	l := newLab(t, map[string]string{"a": "1", "b": "2"})
	l.scan()
	before := l.files()
	s := l.survey()
	s.Scanner.Root = t.TempDir() // the mount point, with nothing mounted
	s.Scanner.Check = (appdata.Share{Path: s.Scanner.Root, Cluster: "c", ID: "id", Node: "app-a"}).Present
	if _, err := s.Run(t.Context()); !errors.Is(err, appdata.ErrNoMarker) {
		t.Errorf("got %v", err)
	}
	// It goes while the scan is at work: after so many looks the marker is not there any more.
	for looks := range 4 {
		s, n := l.survey(), 0
		s.Scanner.Root = t.TempDir()
		s.Scanner.Check = func() error {
			if n++; n > looks {
				return appdata.ErrNoMarker
			}
			return nil
		}
		if _, err := s.Run(t.Context()); !errors.Is(err, appdata.ErrNoMarker) {
			t.Errorf("gone after %d looks: %v", looks, err)
		}
		want(t, "files", l.files(), before)
	}
	want(t, "journal", l.journal(), nil)
}

func TestAScanThatWasInterruptedIsTakenUp(t *testing.T) {
	files := map[string]string{}
	for i := range 400 {
		files[fmt.Sprintf("d%02d/f%d", i/10, i)] = strings.Repeat("x", 1000)
	}
	l := newLab(t, files)
	var all int64
	for n := 0; ; n++ {
		s := l.survey()
		s.Scanner.Workers = 1
		s.Scanner.Progress = new(appdata.Progress)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for ctx.Err() == nil && s.Scanner.Progress.Read.Load() < 90_000 {
				time.Sleep(100 * time.Microsecond)
			}
			cancel()
		}()
		out, err := s.Run(ctx)
		cancel()
		all += s.Scanner.Progress.Read.Load()
		if err == nil {
			if !out.First {
				t.Error("an interrupted scan counted as the first")
			}
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if n > 50 {
			t.Fatal("it does not come to its end")
		}
	}
	if all > 600_000 {
		t.Errorf("%d bytes were read of a tree of 400,000: what was known is read again", all)
	}
	if n := len(l.files()); n != 440 {
		t.Errorf("%d entries are known, want 440", n)
	}
	want(t, "journal", l.journal(), nil)
}

// A scan that is killed between a folder and the one above it leaves no sum above that
// is not true: two trees would be taken for the same.
func TestAScanThatIsKilledLeavesNoFalseSums(t *testing.T) {
	l := newLab(t, map[string]string{"a/b/one": "1", "c/two": "2"})
	l.scan()
	l.write("a/b/one", "another")
	s := l.survey()
	scan, err := s.Begin(t.Context(), manifest.Share, "generic")
	if err != nil {
		t.Fatal(err)
	}
	known, err := s.Load(t.Context(), manifest.Share)
	if err != nil {
		t.Fatal(err)
	}
	s.Scanner.Known, s.Scanner.Skip = known.Dir, s.Layout.Skips
	killed := errors.New("killed")
	update := appdata.Update{Known: known, Class: s.Layout.Class, Moment: scan.Moment}
	err = s.Scanner.Follow(t.Context(), func(d *appdata.Dir, changed bool) error {
		if update.Take(d, changed); d.Path != "a/b" {
			return nil
		}
		_, err := s.Put(t.Context(), scan, update.Batch(false), manifest.Done{}, manifest.Journal{Class: s.Layout.Class})
		return errors.Join(killed, err)
	})
	if !errors.Is(err, killed) {
		t.Fatal(err)
	}
	var summed []string
	if err := l.db.Operator().Select(&summed, `SELECT path FROM coterie.appdata_folders WHERE content IS NOT NULL ORDER BY path`); err != nil || !slices.Equal(summed, []string{"a/b", "c"}) {
		t.Errorf("sums are known of %v (%v), want those of a/b and c", summed, err)
	}
	l.scan()
	fresh, err := (appdata.Scanner{Root: l.dir, Skip: s.Layout.Skips}).Scan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var content string
	if err := l.db.Operator().Get(&content, `SELECT content FROM coterie.appdata_folders WHERE path = '.'`); err != nil || content != fresh.Root().Content.String() {
		t.Errorf("the tree's sum is %s (%v), want %s", content, err, fresh.Root().Content)
	}
	want(t, "journal", l.journal(), []string{"modified a/b/one"})
}

// Of a tree that rests a scan reads what stands for its folders, and no more.
func TestAScanOfWhatRestsReadsNoPages(t *testing.T) {
	files := map[string]string{}
	for i := range 60 {
		files[fmt.Sprintf("d%d/e%d/f%d", i%3, i%6, i)] = "x"
	}
	l := newLab(t, files)
	l.scan()
	l.db.MustExec(`ALTER FUNCTION coterie.appdata_pages_of(text, text) RENAME TO elsewhere`)
	if out := l.scan(); out.Changes != 0 {
		t.Errorf("%d changes", out.Changes)
	}
	// What cannot be read is no news: a scan that needs it stores nothing.
	l.write("d1/e1/f1", "another")
	if out, err := l.survey().Run(t.Context()); err == nil {
		t.Errorf("it says %+v", out)
	}
	want(t, "journal", l.journal(), nil)
	l.db.MustExec(`ALTER FUNCTION coterie.elsewhere(text, text) RENAME TO appdata_pages_of`)
	l.scan()
	want(t, "journal", l.journal(), []string{"modified d1/e1/f1"})
	// As after an upgrade, looks are written anew, once.
	l.db.MustExec(`UPDATE coterie.appdata_folder SET looks = NULL`)
	l.scan()
	l.db.MustExec(`ALTER FUNCTION coterie.appdata_pages_of(text, text) RENAME TO elsewhere`)
	l.scan()
	want(t, "journal", l.journal(), []string{"modified d1/e1/f1"})
}

func TestAnEarlierScanStoresNothingMore(t *testing.T) {
	l := newLab(t, map[string]string{"a": "1"})
	store := l.survey().Store
	first, err := store.Begin(t.Context(), manifest.Share, "generic")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Begin(t.Context(), manifest.Share, "generic"); err != nil {
		t.Fatal(err)
	}
	_, err = store.Put(t.Context(), first, appdata.Batch{}, manifest.Done{}, manifest.Journal{})
	if !errors.Is(err, manifest.ErrSuperseded) {
		t.Errorf("it stored: %v", err)
	}
	if err := store.Finish(t.Context(), first, 0, nil, 0); !errors.Is(err, manifest.ErrSuperseded) {
		t.Errorf("it finished: %v", err)
	}
}

func TestALayoutGivesClassesAndAnotherOneGivesOthers(t *testing.T) {
	l := newLab(t, map[string]string{"conf/encryption.keystore": "k", "var/plugins/p.zip": "p", "mine": "m", "x.tmp": "t"})
	l.scan()
	classes := func() []string {
		var said []string
		if err := l.db.Reader().Select(&said, `SELECT path || ' ' || class FROM coterie.appdata_files WHERE kind = 'file' ORDER BY path`); err != nil {
			t.Fatal(err)
		}
		return said
	}
	want(t, "generic", classes(), []string{"conf/encryption.keystore shared", "mine shared", "var/plugins/p.zip shared"})
	s := l.survey()
	ucd, err := appdata.LayoutOf("ucd")
	if err != nil {
		t.Fatal(err)
	}
	s.Layout = ucd
	if out, err := s.Run(t.Context()); err != nil || out.Changes != 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	want(t, "ucd", classes(), []string{"conf/encryption.keystore secret", "mine per_host", "var/plugins/p.zip shared"})
}

func TestWhatChangedWithoutATraceIsFoundByReadingAll(t *testing.T) {
	l := newLab(t, map[string]string{"a": "good", "b": "same"})
	l.scan()
	var page string
	if err := l.db.Get(&page, `SELECT entries FROM coterie.appdata_page WHERE folder = '.'`); err != nil {
		t.Fatal(err)
	}
	// As if the disk had given other bytes then.
	good := "dw5gdiTWiSZcpsRIhNCAfZsFTSPEc8EGxyvp3gi3N2w="
	if !strings.Contains(page, good) {
		t.Fatalf("no digest of a in %q", page)
	}
	if _, err := l.db.Exec(`UPDATE coterie.appdata_page SET entries = $1 WHERE folder = '.'`, strings.Replace(page, good, strings.Repeat("a", 43)+"=", 1)); err != nil {
		t.Fatal(err)
	}
	if out := l.scan(); out.Changes != 0 {
		t.Errorf("a usual scan found %+v", out)
	}
	s := l.survey()
	s.Scanner.Reread = true
	if out, err := s.Run(t.Context()); err != nil || out.Changes != 1 {
		t.Errorf("reading all found %+v, %v", out, err)
	}
	want(t, "journal", l.journal(), []string{"modified a"})
}

func TestTwoTreesAreComparedInSQL(t *testing.T) {
	l := newLab(t, map[string]string{"same/a": "1", "d/x": "1", "d/y": "2", "only/here": "3"})
	l.scan()
	err := errors.Join(os.RemoveAll(filepath.Join(l.dir, "only")), os.Chmod(filepath.Join(l.dir, "d/y"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	l.write("d/x", "changed")
	l.write("there/too", "4")
	s := l.survey()
	s.Tree = manifest.Own("app-a")
	if _, err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var said []string
	if err := l.db.Reader().Select(&said, `SELECT change || ' ' || path FROM coterie.appdata_diff('share', 'node/app-a')`); err != nil {
		t.Fatal(err)
	}
	want(t, "difference", said, []string{"modified d/x", "touched d/y", "deleted only", "deleted only/here", "created there", "created there/too"})
	if err := l.db.Reader().Select(&said, `SELECT path FROM coterie.appdata_diff('share', 'share')`); err != nil || len(said) != 0 {
		t.Errorf("a tree differs from itself: %v, %v", said, err)
	}
}
