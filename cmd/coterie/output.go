package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

// usualWidth is what every table fits into.
const usualWidth = 80

// show writes rows as they were asked for.
func (c *cli) show(rows *table.Rows, fields ...table.Field) error {
	return c.write(rows, table.Sheet{Fields: fields, Width: c.width()})
}

// showMore writes rows that continue a table.
func (c *cli) showMore(rows *table.Rows, fields ...table.Field) error {
	return c.write(rows, table.Sheet{Fields: fields, Width: c.width(), Headless: true})
}

func (c *cli) write(rows *table.Rows, sheet table.Sheet) error {
	if len(c.flags.columns) > 0 {
		kept, err := rows.Select(c.flags.columns)
		if err != nil {
			return err
		}
		rows, sheet.Fields = kept, nil
		for _, name := range kept.Columns {
			sheet.Fields = append(sheet.Fields, table.Column(strings.ToUpper(strings.ReplaceAll(name, "_", " ")), name))
		}
	}
	return rows.Write(c.out, c.flags.format(), sheet)
}

// width is that of the terminal, or the usual one.
func (c *cli) width() int {
	if f, ok := c.out.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return usualWidth
}

// document writes a single answer: a document for programs, text for people.
func (c *cli) document(doc table.Document, text string) error {
	if c.flags.machine() {
		return doc.Write(c.out, c.flags.format())
	}
	_, err := io.WriteString(c.out, text)
	return err
}

// say is talk: it goes to stderr and can be switched off.
func (c *cli) say(format string, args ...any) {
	if !c.flags.quiet {
		fmt.Fprintf(c.err, format+"\n", args...)
	}
}

// detail is talk for those who ask for more of it (-v).
func (c *cli) detail(format string, args ...any) {
	if c.flags.verbose {
		c.say(format, args...)
	}
}

// Signs that stand before a line. Colour is an ornament of them only.
const (
	signWell = "ok"
	signLook = "!"
	signBad  = "x"
)

// sign is a sign, in colour where that is wanted.
func (c *cli) sign(s string) string {
	f, terminal := c.out.(*os.File)
	if !terminal || c.flags.noColor || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" || !term.IsTerminal(int(f.Fd())) {
		return s
	}
	colour := map[string]string{signWell: "32", signLook: "33", signBad: "31"}[s]
	return "\x1b[1;" + colour + "m" + s + "\x1b[0m"
}

func problemDocument(p *problem.Problem) table.Document {
	return table.Document{
		{Name: "schema", Value: "coterie.problem/v1"},
		{Name: "code", Value: p.Code},
		{Name: "what", Value: p.What},
		{Name: "why", Value: p.Why},
		{Name: "remedy", Value: p.Remedy},
		{Name: "exit", Value: p.Exit},
	}
}

// columnProblem says which columns there are.
func columnProblem(e *table.ColumnError) error {
	return usageProblem("%s", e.Error()).hint(config.Nearest(e.Column, e.Columns), "It has "+strings.Join(e.Columns, ", "))
}

// plural is a number with its noun.
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// plain tells whether people read the result as text of our own making.
func (c *cli) plain() bool {
	return c.flags.format() == table.Table && len(c.flags.columns) == 0
}

// print writes text of the result.
func (c *cli) print(text string) error {
	_, err := io.WriteString(c.out, text)
	return err
}

// folded is a text as lines of the terminal's width, all but the first indented.
func (c *cli) folded(text string, indent int) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, fold(table.Safe(line), max(c.width()-indent, 20))...)
	}
	return strings.Join(lines, "\n"+strings.Repeat(" ", indent))
}
