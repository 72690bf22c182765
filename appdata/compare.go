package appdata

import "iter"

// Change says how a path differs between two manifests.
type Change struct {
	Path   string
	From   string // of what was renamed: its path before
	Change ChangeKind
	Before *Entry // nil when created
	After  *Entry // nil when deleted
}

// ChangeKind is what happened to a path.
type ChangeKind string

// The kinds of change.
const (
	Created   ChangeKind = "created"
	Deleted   ChangeKind = "deleted"
	Modified  ChangeKind = "modified"  // another kind, content or target
	Touched   ChangeKind = "touched"   // the same content; mode, owner or time differ
	Renamed   ChangeKind = "renamed"   // the same file under another name; Compare does not look for it
	Uncertain ChangeKind = "uncertain" // not known, before or after: nothing may be concluded
)

// Compare gives what differs between two manifests, a folder before what is in
// it. It looks only into folders whose sums differ, so it takes as many steps
// as there are such folders, whatever the size of the trees.
//
// What could not be read on either side is Uncertain, never deleted. A manifest
// without a root (its scan was interrupted) is uncertain as a whole.
func Compare(before, after *Manifest) iter.Seq[Change] {
	return func(yield func(Change) bool) {
		a, b := before.Root(), after.Root()
		if a == nil || b == nil {
			yield(Change{Path: ".", Change: Uncertain})
			return
		}
		c := comparison{before: before, after: after, yield: yield}
		c.dirs(".")
	}
}

type comparison struct {
	before, after *Manifest
	yield         func(Change) bool
	steps         int // directories that were looked into
}

// dirs compares a directory that both have; false when nobody listens any more.
func (c *comparison) dirs(path string) bool {
	c.steps++
	a, b := c.before.Dir(path), c.after.Dir(path)
	if a == nil || b == nil || a.Err != "" || b.Err != "" {
		// What can be seen of it is still compared, but nothing is missed.
		if !c.yield(Change{Path: path, Change: Uncertain}) || a == nil || b == nil {
			return a == nil || b == nil
		}
	}
	partial := a.Err != "" || b.Err != ""
	i, j := 0, 0
	for i < len(a.Entries) || j < len(b.Entries) {
		switch {
		case j == len(b.Entries) || i < len(a.Entries) && a.Entries[i].Name < b.Entries[j].Name:
			if !partial && !c.one(c.before, path, &a.Entries[i], Deleted) {
				return false
			}
			i++
		case i == len(a.Entries) || b.Entries[j].Name < a.Entries[i].Name:
			if !partial && !c.one(c.after, path, &b.Entries[j], Created) {
				return false
			}
			j++
		default:
			if !c.both(join(path, a.Entries[i].Name), &a.Entries[i], &b.Entries[j]) {
				return false
			}
			i++
			j++
		}
	}
	return true
}

// one tells of an entry that one side has, and of all in it.
func (c *comparison) one(m *Manifest, dir string, e *Entry, kind ChangeKind) bool {
	path := join(dir, e.Name)
	change := func(path string, e *Entry) Change {
		if kind == Created {
			return Change{Path: path, Change: kind, After: e}
		}
		return Change{Path: path, Change: kind, Before: e}
	}
	if !c.yield(change(path, e)) {
		return false
	}
	return e.Kind != Folder || m.all(path, func(path string, e *Entry) bool { return c.yield(change(path, e)) })
}

func (c *comparison) both(path string, a, b *Entry) bool {
	switch {
	case a.Kind == Unknown || b.Kind == Unknown:
		return c.yield(Change{Path: path, Change: Uncertain, Before: a, After: b})
	case a.Kind == Folder && b.Kind == Folder:
		if (a.Mode != b.Mode || a.UID != b.UID || a.GID != b.GID) && !c.yield(Change{Path: path, Change: Touched, Before: a, After: b}) {
			return false
		}
		if a.Below != nil && b.Below != nil && a.Below.Exact == b.Below.Exact && a.Below.Holes+b.Below.Holes == 0 {
			return true
		}
		return c.dirs(path)
	case a.Kind == Folder || b.Kind == Folder:
		if !c.yield(Change{Path: path, Change: Modified, Before: a, After: b}) {
			return false
		}
		return c.in(c.before, path, a, Deleted) && c.in(c.after, path, b, Created)
	}
	if kind := difference(a, b); kind != "" {
		return c.yield(Change{Path: path, Change: kind, Before: a, After: b})
	}
	return true
}

// in tells of all that is in e, if it is a folder, but not of e itself.
func (c *comparison) in(m *Manifest, path string, e *Entry, kind ChangeKind) bool {
	d := m.Dir(path)
	if e.Kind != Folder || d == nil {
		return true
	}
	for i := range d.Entries {
		if !c.one(m, path, &d.Entries[i], kind) {
			return false
		}
	}
	return true
}

// difference compares two entries that are no folders.
func difference(a, b *Entry) ChangeKind {
	known := a.Digest != (Digest{}) && b.Digest != (Digest{})
	switch {
	case a.Kind != b.Kind, a.Target != b.Target, a.Size != b.Size, known && a.Digest != b.Digest:
		return Modified
	case a.Kind == File && (a.Err != "" || b.Err != ""):
		return Uncertain
	case a.Kind == File && !known && a.MTime != b.MTime:
		return Modified // not read: as far as can be told from outside
	case a.Mode != b.Mode, a.UID != b.UID, a.GID != b.GID, a.Kind == File && a.MTime != b.MTime:
		return Touched
	}
	return ""
}
