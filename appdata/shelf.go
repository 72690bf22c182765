package appdata

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Shelf keeps a stored manifest as text, a third of what its entries would take,
// and reads a directory when it is asked for. Several goroutines may use it.
//
// With Fetch it keeps no more than what stands for each directory. The text of one is
// fetched when it is asked for, and let go of when an Update has done with it.
type Shelf struct {
	// Fetch gives the pages of a directory, in their order. Its first error stands: see Failed.
	Fetch func(path string) ([]Page, error)

	mu      sync.RWMutex
	folders map[string]*shelved // guarded by mu
	failed  error               // guarded by mu
}

type shelved struct {
	pages  []Page
	absent bool   // the pages are to be fetched
	sums   *Sums  // nil: not all below is known
	looks  Digest // how it looked when it was summed; zero: it has to be looked at one by one
	told   bool   // its entries are all, though somebody told of a change since it was summed
	err    string
}

// Put takes in what is stored of a directory; nil sums say that not all below
// it is known. Its pages follow with Add, in their order.
func (s *Shelf) Put(path string, sums *Sums, err string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.folders == nil {
		s.folders = map[string]*shelved{}
	}
	s.folders[path] = &shelved{sums: sums, err: err, absent: s.Fetch != nil}
}

// Looks says how a directory looked that was Put.
func (s *Shelf) Looks(path string, looks Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.folders[path].looks = looks
}

// Glance is for Scanner.Glance.
func (s *Shelf) Glance(path string) *Glance {
	f := s.get(path)
	if f == nil || f.sums == nil || f.looks == (Digest{}) || f.err != "" {
		return nil
	}
	return &Glance{Looks: f.looks, Sums: *f.sums}
}

// Failed is why a directory could not be fetched: what was found since is to be
// compared with nothing.
func (s *Shelf) Failed() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.failed
}

// text gives a directory's pages as they are stored.
func (s *Shelf) text(path string) []Page {
	s.mu.RLock()
	f := s.folders[path]
	if f == nil || !f.absent {
		defer s.mu.RUnlock()
		if f == nil {
			return nil
		}
		return f.pages
	}
	s.mu.RUnlock()
	pages, err := s.Fetch(path)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if s.failed == nil {
			s.failed = err
		}
		return nil
	}
	f.pages, f.absent = pages, false
	return pages
}

// forget lets go of the text of a directory that can be fetched again.
func (s *Shelf) forget(path string) {
	if s.Fetch == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.folders[path]; f != nil {
		f.pages, f.absent = nil, true
	}
}

// Told says that a directory which was Put without sums has all its entries.
func (s *Shelf) Told(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.folders[path].told = true
}

// Add takes in the next page of a directory that was Put.
func (s *Shelf) Add(path string, p Page) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.folders[path]; f != nil {
		f.pages = append(f.pages, p)
	}
}

// Len is the number of directories.
func (s *Shelf) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.folders)
}

// Dir reads a directory; nil when it is not there, or not to be understood: then
// it is looked at as if nothing were known of it.
func (s *Shelf) Dir(path string) *Dir {
	f := s.get(path)
	if f == nil {
		return nil
	}
	d, err := DirOf(path, s.text(path), func(path string) *Sums {
		if below := s.get(path); below != nil {
			return below.sums
		}
		return nil
	})
	if err != nil {
		return nil
	}
	d.Err = f.err
	if f.sums == nil {
		d.unfinished, d.told = !f.told, f.told
		return d
	}
	d.Sums = *f.sums
	return d
}

func (s *Shelf) get(path string) *shelved {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.folders[path]
}

// taken gives the moments in which the entries of a directory were taken in.
func (s *Shelf) taken(path string) map[string]int64 {
	moments := map[string]int64{}
	for _, p := range s.text(path) {
		for line := range strings.SplitSeq(p.Text, "\n") {
			if e, at, err := parseLine(line); err == nil {
				moments[e.Name] = at
			}
		}
	}
	return moments
}

// differs says whether there is anything to store.
func (s *Shelf) differs(f DirText) bool {
	was := s.get(f.Path)
	return was == nil || len(f.Pages) > 0 || len(f.Gone) > 0 || was.err != f.Err || (was.sums == nil) != (f.Sums == nil) || f.Sums != nil && (*was.sums != *f.Sums || was.looks != f.Looks)
}

// below gives a folder and all folders below it.
func (s *Shelf) below(path string) iter.Seq[string] {
	return func(yield func(string) bool) {
		d := s.Dir(path)
		if d == nil || !yield(path) {
			return
		}
		for i := range d.Entries {
			if d.Entries[i].Kind != Folder {
				continue
			}
			for name := range s.below(join(path, d.Entries[i].Name)) {
				if !yield(name) {
					return
				}
			}
		}
	}
}

// files counts what is known and is no folder.
func (s *Shelf) files() (n int64) {
	s.mu.RLock()
	summed := map[string]*Sums{}
	for path, f := range s.folders {
		summed[path] = f.sums
	}
	s.mu.RUnlock()
	for path, sums := range summed {
		switch {
		case sums == nil:
			n += s.filesIn(path)
		case path == "." || summed[above(path)] == nil: // else they are among those above
			n += sums.Files
		}
	}
	return n
}

// filesIn counts the lines of a directory that are no folder's.
func (s *Shelf) filesIn(path string) (n int64) {
	for _, p := range s.text(path) {
		for line := range strings.SplitSeq(p.Text, "\n") {
			if _, rest, found := strings.Cut(line, "\t"); found && !strings.HasPrefix(rest, string(Folder)) {
				n++
			}
		}
	}
	return n
}

// above is the folder in which a path stands; path.Dir would clean names that are not ours.
func above(path string) string {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i]
	}
	return "."
}

// Apply makes the shelf say what was stored.
func (s *Shelf) Apply(b Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.folders == nil {
		s.folders = map[string]*shelved{}
	}
	for _, name := range b.Removed {
		delete(s.folders, name)
	}
	for _, f := range b.Folders {
		now := &shelved{sums: f.Sums, looks: f.Looks, err: f.Err}
		if was := s.folders[f.Path]; was != nil {
			now.pages = slices.DeleteFunc(slices.Clone(was.pages), func(p Page) bool {
				return slices.Contains(f.Gone, p.First) || slices.ContainsFunc(f.Pages, func(o Page) bool { return o.First == p.First })
			})
		}
		now.pages = append(now.pages, f.Pages...)
		slices.SortFunc(now.pages, func(a, b Page) int { return strings.Compare(a.First, b.First) })
		s.folders[f.Path] = now
	}
}

// Manifest reads all of it.
func (s *Shelf) Manifest() *Manifest {
	m := &Manifest{dirs: map[string]*Dir{}}
	s.mu.RLock()
	names := slices.Collect(maps.Keys(s.folders))
	s.mu.RUnlock()
	for _, name := range names {
		if d := s.Dir(name); d != nil {
			m.dirs[name] = d
		}
	}
	return m
}
