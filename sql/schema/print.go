package schema

import (
	"fmt"
	"io"
	"slices"
)

// Print writes all SQL that an upgrade of an empty database applies, for
// somebody to read. Functions and views stand in the order of their names,
// which is not always one in which they can be made.
func Print(w io.Writer) error { return Source{}.Print(w) }

// Print is like the function of that name.
func (s Source) Print(w io.Writer) error {
	p, err := s.plan()
	if err != nil {
		return err
	}
	files := []file{p.bootstrap}
	for _, m := range p.migrations {
		files = append(files, m.file)
	}
	for _, f := range slices.Concat(files, p.code, []file{p.grants}) {
		if _, err := fmt.Fprintf(w, "-- %s\n\n%s\n", f.name, f.text); err != nil {
			return err
		}
	}
	return nil
}
