package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrNotFound says that no configuration file was found.
var ErrNotFound = errors.New("no configuration found")

// Source is the layer that a value came from.
type Source int

// The layers, the strongest last.
const (
	FromDefault Source = iota
	FromFile
	FromEnvironment
	FromFlag
)

func (s Source) String() string {
	return [...]string{"default", "file", "environment", "flag"}[s]
}

// Origin is the place that a value came from.
type Origin struct {
	Source Source
	Name   string // of the file, the variable or the flag; for a default how it was found, or ""
	Line   int    // in the file, from 1; 0 for the file as a whole
	Column int
}

// String is such as "file /etc/coterie/coterie.yaml:4:3".
func (o Origin) String() string {
	if o.Name == "" {
		return o.Source.String()
	}
	if o.Line > 0 {
		return fmt.Sprintf("%v %s:%d:%d", o.Source, o.Name, o.Line, o.Column)
	}
	return fmt.Sprintf("%v %s", o.Source, o.Name)
}

// place is the origin within its group of an error text.
func (o Origin) place() string {
	switch {
	case o.Source == FromFile && o.Line > 0:
		return fmt.Sprintf("%d:%d", o.Line, o.Column)
	case o.Source == FromFile, o.Source == FromDefault:
		return ""
	}
	return o.Name
}

// Fault is one thing that is wrong.
type Fault struct {
	Origin Origin
	Key    string
	Text   string
}

// String is the fault on a line of its own, such as
// /etc/coterie/coterie.yaml:4:3: unknown key "nod"; did you mean "node"?
func (f Fault) String() string {
	name := f.Origin.Name
	if f.Origin.Source == FromDefault {
		name = "default"
	}
	if f.Origin.Line > 0 {
		return fmt.Sprintf("%s:%d:%d: %s", name, f.Origin.Line, f.Origin.Column, f.Text)
	}
	return name + ": " + f.Text
}

// Place is somewhere a configuration file was looked for.
type Place struct {
	Path string // or the name of the flag or variable that was not given
	Why  string // why there is none
}

// Error is everything that is wrong with a configuration.
type Error struct {
	File   string  // the file that was read, if any
	Places []Place // where a file was looked for, if none was found
	Faults []Fault
}

// Unwrap makes errors.Is(err, ErrNotFound) true when there was no file.
func (e *Error) Unwrap() error {
	if e.File == "" && len(e.Places) > 0 {
		return ErrNotFound
	}
	return nil
}

// Error is the whole story on several lines, faults grouped by where they are.
func (e *Error) Error() string {
	var b strings.Builder
	switch n := len(e.Faults); n {
	case 0:
	case 1:
		b.WriteString("configuration has 1 error")
	default:
		fmt.Fprintf(&b, "configuration has %d errors", n)
	}
	for _, group := range groups(e.Faults) {
		writeGroup(&b, group)
	}
	if e.File == "" && len(e.Places) > 0 {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(ErrNotFound.Error() + "; looked at")
		for _, p := range e.Places {
			fmt.Fprintf(&b, "\n  %s: %s", p.Path, p.Why)
		}
	}
	return b.String()
}

// groups splits sorted faults where the source changes.
func groups(faults []Fault) [][]Fault {
	var all [][]Fault
	for i, f := range faults {
		if i == 0 || f.Origin.Source != faults[i-1].Origin.Source {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], f)
	}
	return all
}

func writeGroup(b *strings.Builder, group []Fault) {
	const most = 25
	switch o := group[0].Origin; o.Source {
	case FromFile:
		b.WriteString("\nin " + o.Name)
	case FromEnvironment:
		b.WriteString("\nin the environment")
	case FromFlag:
		b.WriteString("\non the command line")
	default:
		b.WriteString("\nwithout a value")
	}
	rest := 0
	if len(group) > most {
		group, rest = group[:most], len(group)-most
	}
	width := 0
	for _, f := range group {
		width = max(width, len(f.Origin.place()))
	}
	for _, f := range group {
		if width == 0 {
			fmt.Fprintf(b, "\n  %s", f.Text)
		} else {
			fmt.Fprintf(b, "\n  %-*s  %s", width, f.Origin.place(), f.Text)
		}
	}
	if rest > 0 {
		fmt.Fprintf(b, "\n  and %d more", rest)
	}
}

// compareFaults orders by layer, then as one reads.
func compareFaults(a, b Fault) int {
	// What has no value is told after the file it should be in.
	rank := func(s Source) Source {
		if s == FromDefault {
			return FromFlag + 1
		}
		return s
	}
	return cmp.Or(
		cmp.Compare(rank(a.Origin.Source), rank(b.Origin.Source)),
		cmp.Compare(a.Origin.Line, b.Origin.Line),
		cmp.Compare(a.Origin.Column, b.Origin.Column),
		cmp.Compare(a.Origin.Name, b.Origin.Name),
	)
}

func (r *reader) sorted() []Fault {
	slices.SortStableFunc(r.faults, compareFaults)
	return r.faults
}
