package appdata

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"
)

// Own is a scan of the files that a node has of its own and that must be as on the
// other nodes. It is done by a worker: a root can be a mount that hangs as well.
type Own struct {
	Root  string      `json:"root"`
	Equal Equal       `json:"equal"`
	Known []OwnFolder `json:"known,omitempty"`
	Names int         `json:"names,omitempty"` // looked at a second, at most; 0: no limit
	Bytes int64       `json:"bytes,omitempty"` // read a second, at most; 0: no limit
}

// OwnFolder is a folder of such a scan, or what is known of it, as text.
type OwnFolder struct {
	Path    string `json:"path"` // quoted
	Pages   []Page `json:"pages,omitempty"`
	Summed  bool   `json:"summed"`
	Content string `json:"content,omitempty"`
	Exact   string `json:"exact,omitempty"`
	Files   int64  `json:"files"`
	Bytes   int64  `json:"bytes"`
	Holes   int64  `json:"holes"`
	Err     string `json:"err,omitempty"`
}

// OwnFound is what the scan tells: a folder that is not as known, or how far it is.
type OwnFound struct {
	Folder *OwnFolder `json:"folder,omitempty"`
	Looked int64      `json:"looked"` // names
	Read   int64      `json:"read"`   // bytes
	Errors int64      `json:"errors,omitempty"`
	Done   bool       `json:"done,omitempty"`
}

// tellEvery is how often a scan says how far it is, so that one that hangs is known.
const tellEvery = time.Second

// Do scans, and tells; what tell gives as error ends it.
func (o Own) Do(ctx context.Context, tell func(OwnFound) error) error {
	if err := o.Equal.Check(); err != nil {
		return err
	}
	known, err := shelve(o.Known)
	if err != nil {
		return err
	}
	t := &ownTeller{tell: tell}
	s := Scanner{
		Root: o.Root, Known: known.Dir, Skip: o.Equal.Skips, Leads: o.Equal.Leads, Normal: o.Equal.Normalises, Clock: clockOf(o.Root),
		Workers: 2, Timeless: true, OpsPerSecond: o.Names, BytesPerSec: o.Bytes, Progress: &t.progress,
	}
	ended, moving := make(chan struct{}), make(chan error, 1)
	go func() { moving <- t.moves(ended) }()
	err = s.Follow(ctx, func(d *Dir, changed bool) error {
		if !changed {
			return nil
		}
		return t.say(OwnFound{Folder: d.asOwn(o.Equal.Class)})
	})
	close(ended)
	if err = errors.Join(err, <-moving); err != nil {
		return err
	}
	return t.say(OwnFound{Done: true})
}

// ownTeller says one thing at a time.
type ownTeller struct {
	progress Progress

	mu   sync.Mutex
	tell func(OwnFound) error // guarded by mu
}

func (t *ownTeller) say(f OwnFound) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.Looked, f.Read, f.Errors = t.progress.Entries.Load(), t.progress.Read.Load(), t.progress.Errors.Load()
	return t.tell(f)
}

// moves says how far the scan is while it gets on: one that hangs says nothing.
func (t *ownTeller) moves(ended <-chan struct{}) error {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	var last int64
	for {
		select {
		case <-ended:
			return nil
		case <-tick.C:
		}
		if now := t.progress.Entries.Load() + t.progress.Read.Load() + t.progress.Folders.Load() + t.progress.Again.Load(); now != last {
			last = now
			if err := t.say(OwnFound{}); err != nil {
				return err
			}
		}
	}
}

// clockOf is the clock by which files at a root get their times: the host's where
// they lie on a disk of its own. Elsewhere none is known, and all is read again.
func clockOf(root string) time.Time {
	mount, err := MountAt(root)
	if err != nil {
		return time.Time{}
	}
	for _, far := range []string{"nfs", "cifs", "smb", "fuse", "9p", "ceph", "gluster", "afs", "lustre"} {
		if strings.HasPrefix(mount.FSType, far) {
			return time.Time{}
		}
	}
	return time.Now()
}

func (d *Dir) asOwn(class func(string) Class) *OwnFolder {
	return &OwnFolder{
		Path: Quote(d.Path), Pages: d.Pages(class, func(*Entry) int64 { return 0 }), Summed: true, Content: d.Content.String(), Exact: d.Exact.String(),
		Files: d.Files, Bytes: d.Bytes, Holes: d.Holes, Err: d.Err,
	}
}

func (f *OwnFolder) sums() (*Sums, error) {
	if !f.Summed {
		return nil, nil
	}
	s := &Sums{Files: f.Files, Bytes: f.Bytes, Holes: f.Holes}
	return s, errors.Join(s.Content.Read(f.Content), s.Exact.Read(f.Exact))
}

// Dir reads the folder; below gives the sums of the folders in it.
func (f *OwnFolder) Dir(below func(path string) *Sums) (*Dir, error) {
	path, err := Unquote(f.Path)
	if err != nil {
		return nil, err
	}
	d, err := DirOf(path, f.Pages, below)
	if err != nil {
		return nil, err
	}
	sums, err := f.sums()
	if err == nil && sums != nil {
		d.Sums = *sums
	}
	d.Err, d.timeless = f.Err, true
	return d, err
}

func shelve(folders []OwnFolder) (*Shelf, error) {
	s := &Shelf{}
	for i := range folders {
		f := &folders[i]
		path, err := Unquote(f.Path)
		if err != nil {
			return nil, err
		}
		sums, err := f.sums()
		if err != nil {
			return nil, err
		}
		s.Put(path, sums, f.Err)
		for _, p := range f.Pages {
			s.Add(path, p)
		}
	}
	return s, nil
}

// Own gives all that the shelf has, for a worker; nil if that is more than most bytes.
func (s *Shelf) Own(most int) []OwnFolder {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []OwnFolder
	for path, f := range s.folders {
		o := OwnFolder{Path: Quote(path), Pages: f.pages, Err: f.err}
		if f.sums != nil {
			o.Summed, o.Content, o.Exact = true, f.sums.Content.String(), f.sums.Exact.String()
			o.Files, o.Bytes, o.Holes = f.sums.Files, f.sums.Bytes, f.sums.Holes
		}
		for _, p := range f.pages {
			most -= len(p.Text) + len(p.Text)/8
		}
		if most -= 400 + len(path); most < 0 {
			return nil
		}
		all = append(all, o)
	}
	return all
}

// Sums gives the sums of a folder, or nil.
func (s *Shelf) Sums(path string) *Sums {
	if f := s.get(path); f != nil {
		return f.sums
	}
	return nil
}
