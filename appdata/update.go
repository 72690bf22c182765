package appdata

import (
	"maps"
	"path"
	"slices"
)

// Update turns a scan into what has to be written so that a stored manifest says
// what was found. It decides nothing by the clock and touches nothing: the
// caller scans, asks for a second look at what is Missing, and stores Batches.
//
//	Scanner.Follow -> Take -> Batch -> store      while the scan goes on: nothing is removed
//	   Missing -> a second look -> Gone           what is really not there any more
//	   Doubts  -> are they too many to believe?   then an operator is asked
//	   Batch(last) -> store -> Shelf.Apply
type Update struct {
	Known  *Shelf
	Class  func(path string) Class
	Skip   func(path string) bool // what the layout ignores leaves the manifest without a word
	Moment int64                  // of this scan, seconds since 1970 by the database's clock
	First  bool                   // nothing was known before: what is found is no change
	Own    bool                   // the tree is this node's own: what cannot be read is told, and hides nothing
	All    bool                   // write again also what did not change, as for another layout
	Loose  bool                   // inode numbers are no part of how a folder looks, as in Scanner.LooseInodes

	dirs    map[string]*taken // changed, and not stored as they are
	entries int               // in dirs that no batch has given
	missing map[string]*Entry // was known, and was not there
	changes []Change          // found, not given
	removed []string          // folders whose absence is settled
}

// taken is a directory that differs from what was known.
type taken struct {
	dir   *Dir
	keeps []Entry // known entries that are not there, or not to be seen; none is removed yet
	given bool    // in some batch, with what it keeps
}

// DirText is what to store of a directory.
type DirText struct {
	Path  string
	Sums  *Sums  // nil: not all below it is settled
	Looks Digest `json:",omitzero"` // with Sums, where a look shows whether anything changed; see Glance
	Err   string
	Pages []Page   // new or other than stored
	Gone  []string // First of pages that are no more
}

// Batch is what to store in one step.
type Batch struct {
	Folders []DirText
	Removed []string // folders, without what is below them
	Changes []Change // for the journal
}

// Entries is how much a Batch would hold.
func (u *Update) Entries() int { return u.entries }

// Take is for Scanner.Follow.
func (u *Update) Take(d *Dir, changed bool) {
	if !changed && !u.All {
		u.Known.forget(d.Path)
		return
	}
	if u.dirs == nil {
		u.dirs, u.missing = map[string]*taken{}, map[string]*Entry{}
	}
	t := &taken{dir: d}
	u.dirs[d.Path] = t
	u.entries += len(d.Entries) + 1
	if old := u.Known.Dir(d.Path); old != nil {
		u.compare(t, old)
	} else {
		for i := range d.Entries {
			u.change(Change{Path: join(d.Path, d.Entries[i].Name), Change: Created, After: &d.Entries[i]})
		}
	}
}

// compare finds what differs in one directory, folders below left out: they come by
// themselves. Of a directory that waits, or that a scan left in the midst of it, all that
// was ever known is kept: what is not among that is new.
func (u *Update) compare(t *taken, old *Dir) {
	for i := range old.Entries {
		was := &old.Entries[i]
		name := join(t.dir.Path, was.Name)
		if now := t.dir.Entry(was.Name); now == nil {
			u.lost(t, was, name)
		} else if !u.Own && hides(was, now) {
			t.keeps = append(t.keeps, *was)
		} else if now.Kind == Folder && was.Kind == Folder {
			if now.Mode != was.Mode || now.UID != was.UID || now.GID != was.GID {
				u.change(Change{Path: name, Change: Touched, Before: was, After: now})
			}
		} else if kind := difference(was, now); kind != "" && kind != Uncertain {
			u.change(Change{Path: name, Change: kind, Before: was, After: now})
			if was.Kind == Folder { // a file stands in its place
				u.gone(name, was, false)
			}
		}
	}
	for i := range t.dir.Entries {
		now := &t.dir.Entries[i]
		if old.Entry(now.Name) == nil {
			u.change(Change{Path: join(t.dir.Path, now.Name), Change: Created, After: now})
		}
	}
}

// hides says whether an error stands where something was known: it proves nothing.
func hides(was, now *Entry) bool {
	return now.Err != "" && was.Err == "" && (now.Kind == Unknown || now.Kind == was.Kind)
}

// lost notes what is not in its directory any more.
func (u *Update) lost(t *taken, was *Entry, name string) {
	switch {
	case u.Skip != nil && u.Skip(name):
		u.drop(name, was)
	case t.dir.unfinished || t.dir.Err != "":
		t.keeps = append(t.keeps, *was) // not looked for to the end
	default:
		t.keeps = append(t.keeps, *was)
		u.missing[name] = was
	}
}

// drop lets a folder that is not to be known leave without a word.
func (u *Update) drop(name string, e *Entry) {
	if e.Kind == Folder {
		u.removed = append(u.removed, slices.Collect(u.Known.below(name))...)
	}
}

func (u *Update) change(c Change) {
	if !u.First {
		u.changes = append(u.changes, c)
	}
}

// Missing are the paths that were known and were not found, in order; of a
// folder the folder alone.
func (u *Update) Missing() []string { return slices.Sorted(maps.Keys(u.missing)) }

// Doubts are the files that would be gone if all that is missing were, and how
// many were known.
func (u *Update) Doubts() (files, known int64) {
	if len(u.missing) == 0 {
		return 0, 0
	}
	for name, e := range u.missing {
		switch {
		case e.Kind != Folder:
			files++
		case e.Below != nil:
			files += e.Below.Files
		default: // not all below it is settled
			for folder := range u.Known.below(name) {
				files += u.Known.filesIn(folder)
			}
		}
	}
	return files, u.Known.files()
}

// Gone settles that a missing path is not there any more.
func (u *Update) Gone(name string) {
	e := u.missing[name]
	t := u.dirs[path.Dir(name)]
	if e == nil || t == nil {
		return
	}
	delete(u.missing, name)
	t.keeps = slices.DeleteFunc(t.keeps, func(k Entry) bool { return k.Name == e.Name })
	t.given = false
	u.gone(name, e, true)
}

// gone tells of what is not there any more, and of all that was in it.
func (u *Update) gone(name string, e *Entry, itself bool) {
	if itself {
		u.change(Change{Path: name, Change: Deleted, Before: e})
	}
	if e.Kind != Folder {
		return
	}
	for folder := range u.Known.below(name) {
		u.removed = append(u.removed, folder)
		d := u.Known.Dir(folder)
		if d == nil {
			continue
		}
		for i := range d.Entries {
			u.change(Change{Path: join(folder, d.Entries[i].Name), Change: Deleted, Before: &d.Entries[i]})
		}
	}
}

// Batch gives what was taken in since the last one. The last one of a scan also
// gives the directories again whose sums had to wait for what was missing.
func (u *Update) Batch(last bool) Batch {
	waits := u.waiting()
	var b Batch
	for _, name := range slices.Sorted(maps.Keys(u.dirs)) {
		t := u.dirs[name]
		if t.given && !last {
			continue
		}
		if f := u.folder(t, waits[name]); u.Known.differs(f) {
			b.Folders = append(b.Folders, f)
		}
		u.Known.forget(name)
		// Whoever waits is given once more, with its sums.
		if t.given = true; !waits[name] {
			delete(u.dirs, name)
		}
	}
	u.entries = 0
	b.Removed, u.removed = u.removed, nil
	b.Changes, u.changes = renames(u.changes), nil
	return b
}

// waiting are the directories below which something is not settled.
func (u *Update) waiting() map[string]bool {
	waits := map[string]bool{}
	for name, t := range u.dirs {
		if len(t.keeps) == 0 && !t.dir.unfinished {
			continue
		}
		for ; !waits[name]; name = path.Dir(name) {
			waits[name] = true
			if name == "." {
				break
			}
		}
	}
	return waits
}

func (u *Update) folder(t *taken, waits bool) DirText {
	d := t.dir
	f := DirText{Path: d.Path, Err: d.Err}
	if waits {
		d = d.with(t.keeps)
	} else {
		f.Sums, f.Looks = &t.dir.Sums, d.looks(!u.Loose)
	}
	old, moments := u.Known.Dir(d.Path), u.Known.taken(d.Path)
	at := func(e *Entry) int64 {
		if moment, known := moments[e.Name]; known {
			if was := old.Entry(e.Name); was != nil && difference(was, e) != Modified {
				return moment
			}
		}
		return u.Moment
	}
	stored := map[string]string{}
	for _, p := range u.Known.text(d.Path) {
		stored[p.First] = p.Text
	}
	for _, p := range d.Pages(u.Class, at) {
		if was, known := stored[p.First]; !known || was != p.Text {
			f.Pages = append(f.Pages, p)
		}
		delete(stored, p.First)
	}
	f.Gone = slices.Sorted(maps.Keys(stored))
	return f
}

// with puts entries into a copy of a directory, in place of those of their names.
func (d *Dir) with(keeps []Entry) *Dir {
	both := &Dir{Path: d.Path, Entries: slices.Clone(d.Entries)}
	for _, e := range keeps {
		if i, found := both.find(e.Name); found {
			both.Entries[i] = e
		} else {
			both.Entries = slices.Insert(both.Entries, i, e)
		}
	}
	return both
}
