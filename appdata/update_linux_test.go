package appdata

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// surveys keeps a shelf as an agent does: it scans, and stores what differs.
type surveys struct {
	t     *testing.T
	dir   string
	known *Shelf
	first bool
	ever  int  // entries that one batch holds
	lean  bool // as a scan of the share: what is known of a folder is fetched when it is asked for
	asked int  // how often it was, in the last scan
}

// outline is what is known, with the text of each folder elsewhere.
func (s *surveys) outline() *Shelf {
	var asked atomic.Int64
	o := &Shelf{Fetch: func(path string) ([]Page, error) {
		s.asked = int(asked.Add(1))
		return s.known.text(path), nil
	}}
	for path, f := range s.known.folders {
		o.Put(path, f.sums, f.err)
		o.Looks(path, f.looks)
	}
	return o
}

func newSurveys(t *testing.T, files map[string]string) *surveys {
	return &surveys{t: t, dir: tree(t, files), known: &Shelf{}, first: true, ever: 3}
}

// scan gives what the journal would say.
func (s *surveys) scan(change func(*Scanner, *Update)) []string {
	s.t.Helper()
	known := s.known
	if s.asked = 0; s.lean {
		known = s.outline()
	}
	u := Update{Known: known, Class: generic(s.t).Class, Skip: generic(s.t).Skips, First: s.first, Moment: 1}
	scanner := Scanner{Root: s.dir, Known: known.Dir, Skip: generic(s.t).Skips, Clock: time.Now().Add(time.Hour)}
	if s.lean {
		scanner.Glance = known.Glance
	}
	if change != nil {
		change(&scanner, &u)
	}
	var batches []Batch
	err := scanner.Follow(s.t.Context(), func(d *Dir, changed bool) error {
		if u.Take(d, changed); u.Entries() >= s.ever {
			batches = append(batches, u.Batch(false))
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	gone, err := Gone(s.dir, u.Missing())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, name := range gone {
		u.Gone(name)
	}
	batches = append(batches, u.Batch(true))
	var said []string
	for _, b := range batches {
		s.known.Apply(b)
		for _, c := range b.Changes {
			said = append(said, strings.TrimSpace(fmt.Sprintf("%s %s %s", c.Change, Quote(c.Path), c.From)))
		}
	}
	s.first = false
	slices.Sort(said)
	return said
}

// equals compares the shelf with a scan that knows nothing.
func (s *surveys) equals() {
	s.t.Helper()
	m := scan(s.t, Scanner{Root: s.dir, Skip: generic(s.t).Skips, Clock: time.Now().Add(time.Hour)})
	stored := s.known.Manifest()
	if stored.Root() == nil {
		s.t.Fatal("the stored manifest has no root")
	}
	if stored.Root().Exact != m.Root().Exact || stored.Root().Sums != m.Root().Sums {
		s.t.Fatalf("stored:\n%v\nfound:\n%v", text(stored), text(m))
	}
	wantLines(s.t, "entries", text(stored), text(m))
}

func TestAStoredManifestSaysWhatChanged(t *testing.T) {
	s := newSurveys(t, map[string]string{"a": "1", "b": "22", "d/x": "333", "d/e/y": "4444", "d/e/z": "5", "old/1": "one", "old/2": "two"})
	wantLines(t, "first", s.scan(nil), nil)
	s.equals()
	wantLines(t, "second", s.scan(nil), nil)
	err := errors.Join(os.Rename(s.dir+"/d/x", s.dir+"/moved"), os.Remove(s.dir+"/b"), os.Rename(s.dir+"/old", s.dir+"/new"), os.Chmod(s.dir+"/d/e/z", 0o600))
	if err != nil {
		t.Fatal(err)
	}
	plant(t, s.dir, "a", "changed")
	plant(t, s.dir, "n/e/w", "new")
	wantLines(t, "third", s.scan(func(_ *Scanner, _ *Update) { s.ever = 1000 }), []string{
		"created n", "created n/e", "created n/e/w", "created new", "deleted b", "deleted old", "modified a",
		"renamed moved d/x", "renamed new/1 old/1", "renamed new/2 old/2", "touched d/e/z",
	})
	s.equals()
}

func TestAFileInPlaceOfAFolderEndsWhatWasInIt(t *testing.T) {
	s := newSurveys(t, map[string]string{"d/x": "1", "d/e/y": "2", "f": "3"})
	s.scan(nil)
	err := errors.Join(os.RemoveAll(s.dir+"/d"), os.WriteFile(s.dir+"/d", []byte("file"), 0o600), os.Remove(s.dir+"/f"), os.Mkdir(s.dir+"/f", 0o700), os.WriteFile(s.dir+"/f/z", nil, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	wantLines(t, "changes", s.scan(nil), []string{"created f/z", "deleted d/e", "deleted d/e/y", "deleted d/x", "modified d", "modified f"})
	s.equals()
}

func TestWhatIsMissingStaysUntilItIsSettled(t *testing.T) {
	s := newSurveys(t, map[string]string{"a": "1", "d/x": "2", "d/e/y": "3", "b/1": "1", "b/2": "2"})
	s.scan(nil)
	if err := errors.Join(os.RemoveAll(s.dir+"/d"), os.Remove(s.dir+"/b/1")); err != nil {
		t.Fatal(err)
	}
	u := Update{Known: s.known, Class: generic(t).Class, Moment: 2}
	if err := (Scanner{Root: s.dir, Known: s.known.Dir}).Follow(t.Context(), func(d *Dir, changed bool) error { u.Take(d, changed); return nil }); err != nil {
		t.Fatal(err)
	}
	wantLines(t, "missing", u.Missing(), []string{"b/1", "d"})
	if files, known := u.Doubts(); files != 3 || known != 5 {
		t.Errorf("%d of %d files are in doubt, want 3 of 5", files, known)
	}
	b := u.Batch(true)
	s.known.Apply(b)
	if len(b.Changes) != 0 || len(b.Removed) != 0 {
		t.Errorf("unsettled, and yet %v and %v", b.Changes, b.Removed)
	}
	for _, name := range []string{"b/1", "d/e/y"} {
		if s.known.Manifest().Entry(name) == nil {
			t.Errorf("%s is not known any more", name)
		}
	}
	if s.known.Manifest().Root() != nil || s.known.Manifest().Dir("b") == nil {
		t.Error("what is not settled has sums")
	}
	// They are counted, although nothing below the root has a sum now.
	u = Update{Known: s.known, Class: generic(t).Class}
	if err := (Scanner{Root: s.dir, Known: s.known.Dir}).Follow(t.Context(), func(d *Dir, changed bool) error { u.Take(d, changed); return nil }); err != nil {
		t.Fatal(err)
	}
	if files, known := u.Doubts(); files != 3 || known != 5 {
		t.Errorf("%d of %d files are in doubt afterwards, want 3 of 5", files, known)
	}
	wantLines(t, "changes", s.scan(nil), []string{"deleted b/1", "deleted d", "deleted d/e", "deleted d/e/y", "deleted d/x"})
	s.equals()
}

// TestRandomChangesLeaveTheStoredManifestRight scans a tree that is changed at
// random, and compares what is stored with a scan that knows nothing.
func TestRandomChangesLeaveTheStoredManifestRight(t *testing.T) {
	seeds := 30
	if !testing.Short() {
		seeds = 300
	}
	for seed := range seeds {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		s := newSurveys(t, map[string]string{"a": "", "b/c/d": "x", `w\eird` + "\n\xff": "y"})
		s.lean = seed%2 == 1
		for range 6 {
			for range r.IntN(12) {
				mutate(t, r, s.dir)
			}
			s.ever = 1 + r.IntN(40)
			s.scan(nil)
			s.equals()
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// mutate does one thing to a tree.
func mutate(t *testing.T, r *rand.Rand, dir string) {
	t.Helper()
	names := []string{"a", "b", "c", "d", "new\nline", "\xff", "b~", "q"}
	name := dir
	for range 1 + r.IntN(3) {
		name = filepath.Join(name, names[r.IntN(len(names))])
	}
	var err error
	switch r.IntN(6) {
	case 0:
		err = os.RemoveAll(name)
	case 1:
		err = os.Mkdir(name, 0o755)
	case 2:
		err = os.Rename(name, filepath.Join(dir, names[r.IntN(len(names))]))
	case 3:
		err = os.Symlink("nowhere", name)
	default:
		err = os.WriteFile(name, []byte(strings.Repeat("z", r.IntN(5))), 0o644)
	}
	_ = err // many of them cannot be done, as below a file
}

// What somebody missed waits; what is new beside it is told all the same.
func TestWhatIsNewBesideWhatWaitsIsTold(t *testing.T) {
	s := newSurveys(t, map[string]string{"a/one": "1", "a/two": "2"})
	s.scan(nil)
	if err := os.Remove(s.dir + "/a/one"); err != nil {
		t.Fatal(err)
	}
	u := Update{Known: s.known, Class: generic(t).Class, Moment: 2}
	if err := (Scanner{Root: s.dir, Known: s.known.Dir}).Follow(t.Context(), func(d *Dir, changed bool) error { u.Take(d, changed); return nil }); err != nil {
		t.Fatal(err)
	}
	s.known.Apply(u.Batch(true)) // nobody looked a second time
	if err := os.WriteFile(s.dir+"/a/three", []byte("3"), 0o644); err != nil {
		t.Fatal(err)
	}
	wantLines(t, "changes", s.scan(nil), []string{"created a/three", "deleted a/one"})
	s.equals()
}

// A tree that rests is known by how it looks: nothing of what is in it is fetched. Of
// one that changed it is what is in the changed folders, and in those above.
func TestATreeThatRestsIsKnownByItsLooks(t *testing.T) {
	files := map[string]string{"top": "x"}
	for i := range 60 {
		files[fmt.Sprintf("d%d/e%d/f%d", i%3, i%6, i)] = "x"
	}
	for i := range 3 * chunk {
		files[fmt.Sprintf("large/f%d", i)] = "x"
	}
	s := newSurveys(t, files)
	s.lean = true
	s.scan(nil)
	wantLines(t, "changes", s.scan(nil), nil)
	if s.asked > 0 {
		t.Errorf("%d folders were asked for", s.asked)
	}
	for name, change := range map[string]func(name string) error{
		"d1/e1/f7":  func(name string) error { return os.WriteFile(name, []byte("y"), 0o644) },
		"d1/e1/f13": func(name string) error { return os.Chmod(name, 0o600) },
		"large/f9":  func(name string) error { return os.Chtimes(name, time.Time{}, time.Unix(1, 2)) },
		"d1/e4/f4": func(name string) error { // another content of the same looks, but for what nobody can set
			info, err := os.Stat(name)
			return errors.Join(err, os.WriteFile(name, []byte("z"), 0o644), os.Chtimes(name, time.Time{}, info.ModTime()))
		},
		"d2/e2/f20": func(name string) error { return os.Link(name, s.dir+"/outside.tmp") },
		"d0/e3/f3": func(name string) error { // another file of the same looks, but for its number
			info, err := os.Stat(name)
			return errors.Join(err, os.WriteFile(name+"~", []byte("z"), 0o644), os.Chtimes(name+"~", time.Time{}, info.ModTime()), os.Rename(name+"~", name))
		},
	} {
		if err := change(filepath.Join(s.dir, name)); err != nil {
			t.Fatal(err)
		}
		said := s.scan(nil)
		if s.asked == 0 || s.asked > 4 || name != "d2/e2/f20" && len(said) != 1 {
			t.Errorf("%s: %d folders were asked for, and it says %v", name, s.asked, said)
		}
		s.equals()
	}
	wantLines(t, "changes in the end", s.scan(nil), nil)
	if s.asked > 0 {
		t.Errorf("%d folders were asked for in the end", s.asked)
	}
}

func TestWhatCannotBeFetchedIsNoNews(t *testing.T) {
	s := newSurveys(t, map[string]string{"a/one": "1"})
	s.scan(nil)
	s.lean = true
	lost := errors.New("the database is away")
	known := s.outline()
	known.Fetch = func(string) ([]Page, error) { return nil, lost }
	if d := known.Dir("a"); d != nil && len(d.Entries) > 0 || !errors.Is(known.Failed(), lost) {
		t.Errorf("got %+v, %v", d, known.Failed())
	}
}

func TestPagesOfALargeFolderStayApart(t *testing.T) {
	d := &Dir{Path: "big"}
	for i := range 20_000 {
		d.Entries = append(d.Entries, Entry{Name: fmt.Sprintf("file-%06d", i), Kind: File, Size: int64(i)})
	}
	all := func(string) Class { return Shared }
	at := func(*Entry) int64 { return 7 }
	before := d.Pages(all, at)
	if len(before) < 40 || len(before) > 160 {
		t.Errorf("%d pages", len(before))
	}
	back, err := DirOf("big", before, nil)
	if err != nil || !slices.EqualFunc(back.Entries, d.Entries, func(a, b Entry) bool { return a == b }) {
		t.Fatalf("they read back otherwise: %v", err)
	}
	d.Entries = slices.Delete(d.Entries, 10_000, 10_001)
	var moved int
	for _, p := range d.Pages(all, at) {
		if !slices.Contains(before, p) {
			moved++
		}
	}
	if moved != 1 {
		t.Errorf("one name less wrote %d pages anew", moved)
	}
}

func TestNamesAndLinesAreReadBack(t *testing.T) {
	for _, name := range []string{"plain", "", `back\slash`, "a\tb\nc", "\xff\xfe", "é", "e\u0301", "\u202eabc", "日本", `\x41`, strings.Repeat("\x01", 255)} {
		q := Quote(name)
		if back, err := Unquote(q); err != nil || back != name {
			t.Errorf("%q is written %q and read %q, %v", name, q, back, err)
		}
		if strings.ContainsAny(q, "\t\n") {
			t.Errorf("%q is no line", q)
		}
	}
	for _, wrong := range []string{`\`, `\x4`, `\n`, `a\xzz`} {
		if got, err := Unquote(wrong); err == nil {
			t.Errorf("%q is read as %q", wrong, got)
		}
	}
	e := Entry{
		Name: "x\ny", Kind: Link, Mode: 0o4755, UID: 1, GID: 1 << 31, Links: 3, Size: -0, MTime: Stamp{-2177452800, 999_999_999}, CTime: Stamp{15_000_000_000, 1},
		Inode: 1<<64 - 1, Racy: true, Target: "../\t", Err: "permission denied",
	}
	line := string(e.appendLine(nil, Quote(e.Name), Shared, 42))
	got, at, err := parseLine(line)
	if err != nil || got != e || at != 42 {
		t.Errorf("got %+v %d, %v of %q", got, at, err, line)
	}
	for _, wrong := range []string{"", "x", line + "\tmore", strings.Replace(line, "42", "4x", 1), strings.Replace(line, "999999999", "9", 1)} {
		if _, _, err := parseLine(wrong); err == nil {
			t.Errorf("%q was understood", wrong)
		}
	}
}
