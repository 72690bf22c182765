//go:build linux

package shares

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/coordinator/manifest"
	"github.com/coterie-ha/coterie/sql/sqltest"
	"github.com/coterie-ha/coterie/test/shares/faulty"
)

var (
	trials = flag.Int("trials", 60, "scans of a share that lies")
	lies   = flag.Uint64("lies", 0, "seed of what it lies about; 0 for a new one")
)

// liar is a share that is seen through a file system that lies, and its manifest.
type liar struct {
	t                       *testing.T
	agent, reader, operator *sqltest.Pool
	server                  *faulty.Server
	dir                     string // the truth
	older                   string // a copy from before the node wrote its last word
	other                   string // another cluster's
	share                   appdata.Share
	random                  *rand.Rand
	made                    int
	ops                     int // of a scan
}

func newLiar(t *testing.T, seed uint64) *liar {
	db := sqltest.New(t)
	l := &liar{t: t, agent: db.Agent(), reader: db.Reader(), operator: db.Operator(), dir: t.TempDir(), other: t.TempDir(), random: rand.New(rand.NewPCG(seed, 0))}
	for i := range 4 {
		for j := range 30 {
			l.write(fmt.Sprintf("d%d/%s/file%02d", i, []string{".", "below"}[j%2], j))
		}
	}
	l.must(appdata.CreateMarker(l.dir, appdata.Marker{Cluster: "c", ID: "id", Generation: 1}))
	l.must(appdata.CreateMarker(l.other, appdata.Marker{Cluster: "others", ID: "another", Generation: 1}))
	point := t.TempDir()
	l.share = appdata.Share{Path: l.dir, Cluster: "c", ID: "id", Node: "app-a", Word: appdata.Word{Nonce: strings.Repeat("A", 26), Round: 1}}
	l.say(1)
	l.older = copyOf(t, l.dir)
	l.say(2)
	l.share.Path = point
	server, err := faulty.Mount(l.dir, point)
	if err != nil {
		if os.Getenv("COTERIE_CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("NOT TESTED: %v", err)
	}
	l.server = server
	t.Cleanup(func() { l.must(server.Close()) })
	l.tell(faulty.Plan{})
	if out, err := l.scan(); err != nil || !out.First {
		t.Fatalf("the first scan: %+v, %v", out, err)
	}
	l.ops = l.tell(faulty.Plan{})
	return l
}

func (l *liar) tell(p faulty.Plan) (asked int) {
	l.t.Helper()
	asked, err := l.server.Tell(p)
	l.must(err)
	return asked
}

func (l *liar) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// say has the node write its word.
func (l *liar) say(round int64) {
	l.t.Helper()
	l.share.Word.Round = round
	c, err := l.share.Probe(l.t.Context())
	if err != nil || c.Words == nil || !c.Words.Kept {
		l.t.Fatalf("the word was not written: %+v, %v", c, err)
	}
	l.share.Said = round
}

func (l *liar) write(name string) {
	l.t.Helper()
	full := filepath.Join(l.dir, name)
	l.must(errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte(name), 0o644)))
}

func (l *liar) scan() (manifest.Outcome, error) {
	layout, err := appdata.LayoutOf("generic")
	l.must(err)
	return manifest.Survey{
		Store: manifest.Store{DB: l.agent.DB, Node: "app-a"}, Tree: manifest.Share, Layout: layout,
		Scanner: appdata.Scanner{Root: l.share.Path, Check: l.share.Present, LooseInodes: true},
		Clock:   func() (time.Time, error) { return time.Now().Add(time.Hour), nil },
		Pause:   pauseOfLiars,
	}.Run(l.t.Context())
}

const pauseOfLiars = 20 * time.Millisecond

// files are those that are there, or that the manifest knows.
func (l *liar) files() (there, known []string) {
	l.t.Helper()
	l.must(filepath.WalkDir(l.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == ".coterie" {
			return fs.SkipDir
		}
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(l.dir, path) // below it
			there = append(there, name)
		}
		return err
	}))
	l.must(l.reader.Select(&known, `SELECT path FROM coterie.appdata_files WHERE tree = 'share' AND kind <> 'folder'`))
	slices.Sort(there)
	slices.Sort(known)
	return there, known
}

// change does what somebody does in truth: a file goes, another comes. No folder loses
// by that: one with few files that is hidden for good, at both looks, is one that is gone
// as far as anybody can tell, so its files count as deleted (fewer than twenty do).
func (l *liar) change() {
	l.t.Helper()
	there, _ := l.files()
	if l.random.IntN(2) == 0 {
		gone := there[l.random.IntN(len(there))]
		l.must(os.Remove(filepath.Join(l.dir, gone)))
		folder, _, _ := strings.Cut(gone, "/")
		l.made++
		l.write(fmt.Sprintf("%s/new%05d", folder, l.made))
	}
}

// plan makes a lie up.
func (l *liar) plan() faulty.Plan {
	p := faulty.Plan{Salt: l.random.Uint64(), In: 9, Folder: fmt.Sprintf("d%d", l.random.IntN(4))}
	switch l.random.IntN(3) {
	case 0: // some time in the scan, or from then on
		p.Kind = []faulty.Kind{faulty.IO, faulty.Stale, faulty.Denied, faulty.Unplugged, faulty.Empty, faulty.Elsewhere, faulty.Slow, faulty.Yesterday}[l.random.IntN(8)]
		p.From, p.Other = l.random.IntN(l.ops), []string{l.other, l.older}[l.random.IntN(2)]
		if l.random.IntN(3) > 0 {
			p.For = 1 + l.random.IntN(l.ops)
		}
	case 1: // always
		p.Kind = []faulty.Kind{faulty.Truncated, faulty.Unlisted, faulty.SomeIO, faulty.FolderGone}[l.random.IntN(4)]
	default: // for as long as a scan lasts, but not for the look that comes after a while
		p.Kind, p.In, p.Until = []faulty.Kind{faulty.SomeGone, faulty.FolderGone}[l.random.IntN(2)], 13, pauseOfLiars/2
		p.Folder += "/below"
	}
	return p
}

// Whatever a file system says for a while, no file counts as deleted that is there;
// and when it says the truth again, the manifest does.
func TestNoLieOfAFileSystemDeletes(t *testing.T) {
	mounts(t)
	seed := cmp.Or(*lies, uint64(time.Now().UnixNano()))
	l := newLiar(t, seed)
	t.Logf("seed %d; a scan asks %d questions", seed, l.ops)
	told := map[string]int{}
	for i := range *trials {
		l.change()
		what := l.plan()
		var before int64
		l.must(l.reader.Get(&before, `SELECT head FROM coterie.appdata_trees`))
		l.tell(what)
		out, err := l.scan()
		l.tell(faulty.Plan{})
		switch {
		case err != nil:
			told["refused"]++
		case out.Held > 0:
			told["held"]++
		default:
			told["scanned"]++
		}
		var gone []string
		l.must(l.reader.Select(&gone, `SELECT CASE change WHEN 'renamed' THEN from_path ELSE path END FROM coterie.appdata_changes WHERE seq > $1 AND change IN ('deleted', 'renamed')`, before))
		for _, path := range gone {
			if _, err := os.Lstat(filepath.Join(l.dir, path)); err == nil {
				t.Fatalf("seed %d, trial %d: %v: %s counts as deleted, and is there (%+v, %v)", seed, i, what, path, out, err)
			}
		}
		for range 3 { // what was told wrongly for a while is looked at once more
			out, err := l.scan()
			if err != nil {
				t.Fatalf("seed %d, trial %d: after %v: %v", seed, i, what, err)
			}
			if out.Held > 0 { // files that only an older copy has, seen in it for a while
				var accepted int64
				l.must(l.operator.Get(&accepted, `SELECT coterie.appdata_accept('share', 'ana', '')`))
				told["accepted"]++
			}
			if there, known := l.files(); slices.Equal(there, known) {
				break
			}
		}
		if there, known := l.files(); !slices.Equal(there, known) {
			t.Fatalf("seed %d, trial %d: after %v the manifest has\n%v\nand there is\n%v", seed, i, what, known, there)
		}
	}
	t.Logf("FIGURE %d trials, no false deletion: %v", *trials, told)
}
