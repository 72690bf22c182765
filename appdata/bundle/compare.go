package bundle

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/coterie-ha/coterie/appdata"
)

// Column is one of the trees that are compared.
type Column struct {
	Name string
	Tier string                         // its environment; columns without one are all of one
	Dir  func(path string) *appdata.Dir // nil where there is no such folder; "." is the root
}

// Cell is what one tree has at a path. Cells with the same letter have the same.
type Cell struct {
	Letter byte // a, b, c; or Absent, or Unsure
	Entry  *appdata.Entry
}

// The letters that are none.
const (
	Absent = '-'
	Unsure = '?' // it could not be read, or not be understood: nothing may be concluded
)

// Row is a path that is not the same in all trees.
type Row struct {
	Path     string
	Class    appdata.Class
	Cells    []Cell // one for each column
	Expected bool   // its class is one that may differ so
	Pattern  string // would take an unbundled file, and its like, into a bundle
}

// Comparison compares trees.
type Comparison struct {
	Profile Profile
	Columns []Column
	Modes   bool   // permissions must be the same too
	Sieve   *Sieve // knows what the columns have all the same, if they are folders; nil: nothing is known
}

// Scan looks at a folder as it is to be compared.
func (c Comparison) Scan(ctx context.Context, s appdata.Scanner) (*appdata.Manifest, error) {
	s.Skip, s.Normal, s.Timeless = c.Profile.Skips, c.Profile.equal().Normalises, true
	if c.Sieve != nil {
		s.Skip = func(name string) bool { return c.Sieve.Skips(name) || c.Profile.Skips(name) }
	}
	return s.Scan(ctx)
}

// Rows are the paths that differ, in the order of their folders.
func (c Comparison) Rows() []Row {
	rows := slices.Collect(c.differences())
	c.propose(rows)
	return rows
}

func (c Comparison) differences() iter.Seq[Row] {
	return func(yield func(Row) bool) {
		dirs := make([]*appdata.Dir, len(c.Columns))
		for i := range c.Columns {
			dirs[i] = c.Columns[i].Dir(".")
		}
		c.folder(".", dirs, yield)
	}
}

// folder compares a folder; trees that have none there have a nil.
func (c Comparison) folder(name string, dirs []*appdata.Dir, yield func(Row) bool) bool {
	if c.alike(dirs) {
		return true
	}
	if slices.ContainsFunc(dirs, func(d *appdata.Dir) bool { return d != nil && d.Err != "" }) && !yield(c.unread(name, dirs)) {
		return false
	}
	for each := range names(dirs) {
		at := join(name, each)
		if c.Profile.Skips(at) { // a manifest that somebody else made can have it
			continue
		}
		entries := make([]*appdata.Entry, len(dirs))
		below := make([]*appdata.Dir, len(dirs))
		folders := 0
		for i, d := range dirs {
			if d == nil {
				continue
			}
			if entries[i] = d.Entry(each); entries[i] != nil && entries[i].Kind == appdata.Folder {
				folders++
				below[i] = c.Columns[i].Dir(at)
			}
		}
		if row, differs := c.row(at, entries, below, folders); differs && !yield(row) {
			return false
		}
		if folders > 0 && !c.folder(at, below, yield) {
			return false
		}
	}
	return true
}

// alike says that nothing below can differ.
func (c Comparison) alike(dirs []*appdata.Dir) bool {
	for _, d := range dirs {
		if d == nil || d.Holes > 0 || d.Content == (appdata.Digest{}) || d.Content != dirs[0].Content || c.Modes && d.Exact != dirs[0].Exact {
			return false
		}
	}
	return true
}

func (c Comparison) unread(name string, dirs []*appdata.Dir) Row {
	row := Row{Path: name, Class: c.Profile.Class(name), Cells: make([]Cell, len(dirs))}
	for i, d := range dirs {
		row.Cells[i].Letter = Absent
		if d != nil {
			row.Cells[i] = Cell{Letter: Unsure, Entry: &appdata.Entry{Name: name, Kind: appdata.Folder, Err: d.Err}}
		}
	}
	return row
}

// row compares one path; folders are told only where they are all there is.
func (c Comparison) row(at string, entries []*appdata.Entry, below []*appdata.Dir, folders int) (Row, bool) {
	row := Row{Path: at, Cells: make([]Cell, len(entries))}
	there, differs := 0, false
	for i, e := range entries {
		row.Cells[i] = Cell{Letter: Absent, Entry: e}
		if e == nil {
			continue
		}
		there++
		row.Cells[i].Letter = c.letter(row.Cells[:i], e)
	}
	for _, cell := range row.Cells {
		differs = differs || cell.Letter != 'a'
	}
	onlyFolders := folders == there
	empty := !slices.ContainsFunc(below, func(d *appdata.Dir) bool { return d != nil && len(d.Entries) > 0 })
	if !differs || onlyFolders && there < len(entries) && !empty {
		return row, false
	}
	row.Class = c.Profile.Class(at)
	row.Expected = row.Class == appdata.PerHost || row.Class == TierBound && c.sameInTiers(row.Cells)
	return row, row.Class != appdata.Ignored
}

// letter is that of an earlier cell with the same, or the next.
func (c Comparison) letter(before []Cell, e *appdata.Entry) byte {
	if e.Kind == appdata.Unknown || e.Kind == appdata.File && (e.Err != "" || e.Digest == (appdata.Digest{})) {
		return Unsure
	}
	next := byte('a')
	for _, cell := range before {
		if cell.Letter == Absent || cell.Letter == Unsure {
			continue
		}
		if c.same(cell.Entry, e) {
			return cell.Letter
		}
		next = max(next, cell.Letter+1)
	}
	return next
}

func (c Comparison) same(a, b *appdata.Entry) bool {
	return a.Kind == b.Kind && a.Digest == b.Digest && a.Target == b.Target && (!c.Modes || a.Kind == appdata.Link || a.Mode == b.Mode)
}

// sameInTiers says that trees of one tier have the same.
func (c Comparison) sameInTiers(cells []Cell) bool {
	for i := range cells {
		for j := range i {
			if c.Columns[i].Tier == c.Columns[j].Tier && cells[i].Letter != cells[j].Letter {
				return false
			}
		}
	}
	return true
}

// names are those of all the folders, each once, in order.
func names(dirs []*appdata.Dir) iter.Seq[string] {
	return func(yield func(string) bool) {
		at := make([]int, len(dirs))
		for {
			least, some := "", false
			for i, d := range dirs {
				if d != nil && at[i] < len(d.Entries) && (!some || d.Entries[at[i]].Name < least) {
					least, some = d.Entries[at[i]].Name, true
				}
			}
			if !some {
				return
			}
			for i, d := range dirs {
				if d != nil && at[i] < len(d.Entries) && d.Entries[at[i]].Name == least {
					at[i]++
				}
			}
			if !yield(least) {
				return
			}
		}
	}
}

// join is path.Join without cleaning: a name may be anything.
func join(dir, name string) string {
	if dir == "." {
		return name
	}
	return dir + "/" + name
}

// parents are the folders above a path, from the top.
func parents(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range len(name) {
			if name[i] == '/' && !yield(name[:i]) {
				return
			}
		}
	}
}

// literal is the pattern that fits one path.
func literal(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if strings.IndexByte(`*?[\`, name[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(name[i])
	}
	return b.String()
}
