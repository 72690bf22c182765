package main

import (
	"fmt"
	"strings"

	"github.com/coterie-ha/coterie/internal/table"
)

// facts are lines of a name and what there is to say of it.
type facts [][2]string

func (f *facts) add(name, format string, args ...any) {
	*f = append(*f, [2]string{name, fmt.Sprintf(format, args...)})
}

// String lays the lines out; a line without a name begins at the margin.
func (f facts) String() string {
	width := 0
	for _, line := range f {
		width = max(width, len(line[0]))
	}
	var b strings.Builder
	for _, line := range f {
		if line[0] != "" {
			b.WriteString(pad(line[0], width+2))
		}
		b.WriteString(strings.TrimRight(table.Safe(line[1]), " ") + "\n")
	}
	return b.String()
}

func pad(text string, width int) string { return fmt.Sprintf("%-*s", width, text) }
