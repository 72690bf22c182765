package bundle

import (
	"path"

	"github.com/coterie-ha/coterie/appdata"
)

// propose gives each unbundled file that is not everywhere the pattern that would take
// it into a bundle: its folder, where a tree lacks all of that; the files of its kind
// beside it, where they differ too; else itself.
func (c Comparison) propose(rows []Row) {
	p := proposer{Comparison: c, differs: map[string]bool{}, mixed: map[string]bool{}}
	for _, row := range rows {
		if row.Class == Unbundled {
			p.differs[row.Path] = true
		}
	}
	for i := range rows {
		if rows[i].Class == Unbundled {
			rows[i].Pattern = p.pattern(rows[i].Path)
		}
	}
}

type proposer struct {
	Comparison
	differs map[string]bool
	mixed   map[string]bool // folders that have been looked through: has one files of another class?
}

func (p proposer) pattern(name string) string {
	for folder := range parents(name) {
		if p.somewhereAbsent(folder) && !p.hasOthers(folder) {
			return literal(folder)
		}
	}
	if ext := path.Ext(name); ext != "" && ext != path.Base(name) {
		dir := path.Dir(name)
		like := join(literalDir(dir), "*"+literal(ext))
		if p.onlyDiffering(dir, like) {
			return like
		}
	}
	return literal(name)
}

func literalDir(dir string) string {
	if dir == "." {
		return dir
	}
	return literal(dir)
}

func (p proposer) somewhereAbsent(folder string) bool {
	for _, column := range p.Columns {
		if column.Dir(folder) == nil {
			return true
		}
	}
	return false
}

// hasOthers says that a folder has what is not unbundled, in any tree.
func (p proposer) hasOthers(folder string) bool {
	if known, looked := p.mixed[folder]; looked {
		return known
	}
	found := false
	for _, column := range p.Columns {
		found = found || p.othersIn(column, folder)
	}
	p.mixed[folder] = found
	return found
}

func (p proposer) othersIn(column Column, folder string) bool {
	d := column.Dir(folder)
	if d == nil {
		return false
	}
	for i := range d.Entries {
		e := &d.Entries[i]
		at := join(folder, e.Name)
		if e.Kind == appdata.Folder && p.othersIn(column, at) || e.Kind != appdata.Folder && p.Profile.Class(at) != Unbundled {
			return true
		}
	}
	return false
}

// onlyDiffering says that a pattern fits more than one of the files that differ, and no
// other file or folder.
func (p proposer) onlyDiffering(dir, like string) bool {
	if p.Sieve.has(dir, like) {
		return false
	}
	met := map[string]bool{}
	for _, column := range p.Columns {
		d := column.Dir(dir)
		if d == nil {
			continue
		}
		for i := range d.Entries {
			at := join(dir, d.Entries[i].Name)
			if !fits(like, at) {
				continue
			}
			if !p.differs[at] || d.Entries[i].Kind == appdata.Folder {
				return false
			}
			met[at] = true
		}
	}
	return len(met) > 1
}
