package appdata

import (
	"iter"
	"path"
	"slices"
	"strings"
)

// Manifest is what a scan found: each directory, from the root down.
type Manifest struct {
	dirs map[string]*Dir
}

// Dir gives a directory by its path below the root ("." is the root), or nil.
func (m *Manifest) Dir(path string) *Dir {
	if m == nil {
		return nil
	}
	return m.dirs[path]
}

// Root stands for the whole tree; it is nil when the scan did not come to its end.
func (m *Manifest) Root() *Dir {
	if d := m.Dir("."); d != nil && !d.unfinished {
		return d
	}
	return nil
}

// Over gives what Scanner.Known wants: what m knows, and else what was known
// before. With it a scan that was interrupted is taken up.
func (m *Manifest) Over(before func(path string) *Dir) func(path string) *Dir {
	return func(path string) *Dir {
		d := m.Dir(path)
		if before == nil || d != nil && !d.unfinished {
			return d
		}
		old := before(path)
		switch {
		case d == nil:
			return old
		case old == nil:
			return d
		}
		return d.over(old)
	}
}

// over fills what an unfinished directory lacks from an older state of it.
func (d *Dir) over(old *Dir) *Dir {
	both := &Dir{Path: d.Path, Entries: slices.Clone(d.Entries), unfinished: true}
	for _, e := range old.Entries {
		if d.Entry(e.Name) == nil {
			both.Entries = append(both.Entries, e)
		}
	}
	slices.SortFunc(both.Entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return both
}

// Entry gives what has a path below the root, or nil.
func (m *Manifest) Entry(name string) *Entry {
	d := m.Dir(path.Dir(name))
	if d == nil {
		return nil
	}
	return d.Entry(path.Base(name))
}

// All gives each path and its entry, a folder before what is in it.
func (m *Manifest) All() iter.Seq2[string, *Entry] {
	return func(yield func(string, *Entry) bool) { m.all(".", yield) }
}

func (m *Manifest) all(dir string, yield func(string, *Entry) bool) bool {
	d := m.Dir(dir)
	if d == nil {
		return true
	}
	for i := range d.Entries {
		e := &d.Entries[i]
		name := join(dir, e.Name)
		if !yield(name, e) || e.Kind == Folder && !m.all(name, yield) {
			return false
		}
	}
	return true
}

func (d *Dir) find(name string) (int, bool) {
	return slices.BinarySearchFunc(d.Entries, name, func(e Entry, name string) int { return strings.Compare(e.Name, name) })
}

// join is path.Join without cleaning: a name may be anything.
func join(dir, name string) string {
	if dir == "." {
		return name
	}
	return dir + "/" + name
}
