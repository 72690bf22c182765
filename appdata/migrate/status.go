package migrate

import (
	"os"
	"path/filepath"
)

// Status is how far a plan is, by the journal of this host.
func Status(file string) (Plan, Journal, error) {
	p, err := ReadPlan(file)
	if err != nil {
		return p, Journal{}, err
	}
	j, err := readJournal(p.localDir(), p)
	return p, j, err
}

// Litter says whether a plan of which nothing is to be done has left its folder.
func (p Plan) Litter() bool {
	if _, err := os.Stat(p.localDir()); err == nil {
		return true
	}
	all, err := os.ReadDir(filepath.Dir(p.localDir()))
	return err == nil && len(all) == 0
}

// OnShare says which items the share has, in the order of the layout.
func (p Plan) OnShare() []Item {
	var there []Item
	for _, one := range p.Items {
		_, err := os.Lstat(p.placeOf(filepath.FromSlash(one.Path)))
		one.Present = err == nil
		there = append(there, one)
	}
	return there
}
