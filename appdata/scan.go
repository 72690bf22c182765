package appdata

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// Scanner walks a tree and says what is in it. It reads the content of a file
// only if the file looks different from what is Known of it, changes nothing,
// follows no link, and opens nothing but files and folders.
//
// What it may not read becomes an entry with an error; the scan goes on. What
// is deleted while it runs is left out.
type Scanner struct {
	Root string // the folder to scan; may be a link itself

	// Known gives what an earlier scan found in a directory, or nil; a nil
	// function knows nothing. See Manifest.Dir and Manifest.Over.
	Known func(path string) *Dir
	// Glance gives what is known of a directory as a whole, or nil. A directory that
	// looks so is not asked for with Known, and is found without entries. See Shelf.Glance.
	Glance func(path string) *Glance
	// Clock is the time of the share itself when the scan begins, as Share.Clock
	// reads it. A file that changed no longer before it was read than the share
	// can tell apart may change again without looking different, so its content
	// is read again next time. Without a Clock that is every file.
	Clock time.Time
	// Check is asked before the first and after the last look: an error there
	// (the share is gone, or another one) voids the scan. See Share.Present.
	Check func() error
	// Skip leaves a path out, with all below it; several goroutines call it at
	// once, as they do Known. See Layout.Skips.
	Skip func(path string) bool
	// Leads says that a path is of interest as a folder on the way alone: anything
	// else there is left out; nil: none is. See Equal.Leads.
	Leads func(path string) bool
	// Normal gives a file of that path as it is to be compared, instead of as it is;
	// nil, false for most. See Equal.Normalises.
	Normal func(path string) (normal func(text []byte) ([]byte, error), wanted bool)

	Workers      int   // directories looked at at once; 0: 8
	MaxContent   int64 // content of larger files is not read; 0: no limit
	NoContent    bool  // read no content at all
	Reread       bool  // read all content, also where nothing looks different: what changed without a trace is found
	TrustCache   bool  // let a network client answer from its memory: one request per folder instead of one per file, up to a minute late
	LooseInodes  bool  // inode numbers change from mount to mount (FUSE): a new one is no sign of change
	Timeless     bool  // sums leave out times and sizes of files, which differ where the same was installed twice
	OpsPerSecond int   // names looked at, at most; 0: no limit
	BytesPerSec  int64 // content read, at most; 0: no limit

	Progress *Progress // counted up while the scan runs; may be nil
}

// Progress may be read while a scan runs.
type Progress struct {
	Folders, Entries, Errors atomic.Int64
	Again                    atomic.Int64 // entries that were looked at a second time, because their folder had changed
	Read                     atomic.Int64 // bytes of content
	Apart                    atomic.Int64 // how many work on what was found, and wait for nothing of the share
}

// Scan gives the manifest of the tree. When ctx ends it gives, with the error,
// what was looked at so far: such a manifest has no root, and the next scan can
// take it up.
func (s Scanner) Scan(ctx context.Context) (*Manifest, error) {
	m := &Manifest{dirs: map[string]*Dir{}}
	err := s.Walk(ctx, func(d *Dir) error {
		m.dirs[d.Path] = d
		return nil
	})
	if errors.Is(err, errVoid) {
		return &Manifest{}, err
	}
	return m, err
}

// errVoid says that what was found may be of another tree.
var errVoid = errors.New("the scan is void")

// Walk is Scan for trees larger than memory: it gives each directory when all
// below it is known, and itself holds no more than the unfinished ones. found
// is never called by two goroutines at once; its error ends the walk. When ctx
// ends, the unfinished directories are given too.
func (s Scanner) Walk(ctx context.Context, found func(*Dir) error) error {
	return s.Follow(ctx, func(d *Dir, _ bool) error { return found(d) })
}

// Follow is Walk for those who want to know whether a directory is as it was Known.
func (s Scanner) Follow(ctx context.Context, found func(d *Dir, changed bool) error) error {
	check := s.Check
	if check == nil {
		check = func() error { return nil }
	}
	if err := check(); err != nil {
		return fmt.Errorf("scan %q: %w: %w", s.Root, errVoid, err)
	}
	walked := newWalk(s, found).run(ctx)
	if err := check(); err != nil {
		return fmt.Errorf("scan %q: %w: %w", s.Root, errVoid, err)
	}
	if walked != nil {
		return fmt.Errorf("scan %q: %w", s.Root, walked)
	}
	return nil
}

// settled is how long a file must have been as it is before it was read, so
// that a later change cannot leave it looking the same. FAT and some servers
// keep times to 2 s.
const settled = 2 * time.Second

// racy is git's rule: a file that was changed in the same moment in which it
// was read, as far as the share can tell moments apart, may have been changed
// after it was read.
func (s *Scanner) racy(e *Entry, sinceBegun time.Duration) bool {
	if s.Clock.IsZero() {
		return true
	}
	limit := stampOf(s.Clock.Add(sinceBegun - settled))
	return e.MTime.after(limit) || e.CTime.after(limit)
}

func (s Share) isOurs(m Marker) bool { return (s.ID == "" || m.ID == s.ID) && m.Cluster == s.Cluster }

// ErrOtherShare says that the marker is ours, and the folder is not the one that
// this node wrote to.
var ErrOtherShare = errors.New("another export, or an older copy of it")

// Clock reads the share's own clock: the time that it gives to a file written
// now. It is compared with nothing but the times of other files there.
func (s Share) Clock() (time.Time, error) {
	if err := s.Check(); err != nil {
		return time.Time{}, err
	}
	root, err := os.OpenRoot(s.Path)
	if err != nil {
		return time.Time{}, err
	}
	at, err := s.clock(root)
	if err = errors.Join(err, root.Close()); err != nil {
		return time.Time{}, fmt.Errorf("clock of %q: %w", s.Path, err)
	}
	return at, nil
}

func (s Share) clock(root *os.Root) (time.Time, error) {
	nodes, err := root.OpenRoot(nodesDir)
	if err != nil {
		return time.Time{}, err
	}
	defer nodes.Close() // only a folder
	name := s.Node + "~" + strings.ToLower(rand.Text()[:12]) + ".clock"
	f, err := nodes.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return time.Time{}, err
	}
	err = f.Close()
	info, looked := nodes.Lstat(name)
	if err = errors.Join(err, looked, nodes.Remove(name)); err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}
