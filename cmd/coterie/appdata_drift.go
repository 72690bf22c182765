package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

func driftColumns() []table.Field {
	return []table.Field{
		table.Column("NODE", "node"),
		table.Prose("PATH", "path"),
		table.Column("DIFFERS", "differs"),
		table.Column("CLASS", "class"),
		table.Span("SINCE", "since"),
		table.Column("REFERENCE", "reference"),
		table.Column("AGAINST", "against").AsWide(),
		table.Column("EXPECTED", "expected").AsWide(),
		table.Column("FOUND", "found").AsWide(),
	}
}

func (c *cli) appdataDrifts() *cobra.Command {
	return c.view(&cobra.Command{
		Use:   "drifts",
		Short: "Show local files that differ and must not",
		Long: `Shows which files of nodes are not as they should be, of those that equal.paths
of the configuration names. The exit code is 0 when there are none, and 10 when
there are some.`,
		Example: `  coterie appdata drifts
  coterie appdata drifts -o wide
  coterie appdata drifts -o json --columns node,path,differs,since`,
		Args: nothing,
	}, func(ctx context.Context, k *cluster, _ []string) error {
		rows, err := k.rows(ctx, "drifts", `ORDER BY v.node, v.path COLLATE "C"`)
		if err != nil {
			return err
		}
		return c.drifted(rows)
	})
}

func (c *cli) drifted(rows *table.Rows) error {
	if c.plain() && rows.Len() == 0 {
		return c.print("Nothing differs.\n")
	}
	if err := c.show(rows, driftColumns()...); err != nil || rows.Len() == 0 {
		return err
	}
	return outcome(problem.ExitChanges)
}

// ownNode is a node that looks at its own files.
func (k *cluster) ownNode(ctx context.Context, name string) error {
	var nodes []string
	if err := k.db.SelectContext(ctx, &nodes, `SELECT node FROM coterie.owns ORDER BY node`); err != nil {
		return err
	}
	if slices.Contains(nodes, name) {
		return nil
	}
	p := problem.New("COT-610", nil, "no node %q looks at files of its own", name)
	if near := config.Nearest(name, nodes); near != "" {
		p.What += `; did you mean "` + near + `"?`
	}
	p.Remedy = "give that node equal.root and equal.paths in its configuration"
	return p
}

// differsOn shows what differs on a node; of texts also the lines.
func (c *cli) differsOn(ctx context.Context, k *cluster, node, path string) error {
	if err := k.ownNode(ctx, node); err != nil {
		return err
	}
	rows, err := k.rows(ctx, "drifts", `WHERE v.node = $1 AND ($2 IN ('', v.path) OR starts_with(v.path, $2 || '/')) ORDER BY v.path COLLATE "C"`, node, strings.TrimSuffix(path, "/"))
	if err != nil {
		return err
	}
	err = c.drifted(rows)
	if !c.plain() || rows.Len() == 0 {
		return err
	}
	for i := range rows.Len() {
		row := rows.Row(i)
		text, failed := c.linesOf(ctx, k, row)
		if failed != nil {
			return failed
		}
		if failed := c.print(text); failed != nil {
			return failed
		}
	}
	return err
}

// linesOf gives the lines in which a text differs.
func (c *cli) linesOf(ctx context.Context, k *cluster, row table.Row) (string, error) {
	if !strings.Contains(row.Text("differs"), "content") {
		return "", nil
	}
	path, head := row.Text("path"), fmt.Sprintf("\n--- %s on %s\n+++ %s on %s\n", row.Text("path"), row.Text("against"), row.Text("path"), row.Text("node"))
	if row.Text("class") == "secret" {
		return head + "(secret: it differs, and in what is not shown)\n", nil
	}
	var texts []struct{ Expected, Found *string }
	if err := k.db.SelectContext(ctx, &texts, `SELECT expected, found FROM coterie.own_texts($1, $2)`, row.Text("node"), path); err != nil {
		return "", err
	}
	switch {
	case len(texts) == 0:
		return head + "(the nodes have not told the text yet)\n", nil
	case texts[0].Expected == nil || texts[0].Found == nil:
		return head + "(no text, or too long to be shown)\n", nil
	}
	lines := differingLines(*texts[0].Expected, *texts[0].Found)
	if lines == "" {
		lines = "(only lines that may be secret differ)\n"
	}
	return head + lines, nil
}

// mostCompared bounds how many lines are held against each other.
const mostCompared = 2000

// differingLines gives the lines that only one of two texts has: - of the first, +
// of the second.
func differingLines(a, b string) string {
	x, y := slices.Collect(strings.Lines(a)), slices.Collect(strings.Lines(b))
	for len(x) > 0 && len(y) > 0 && x[0] == y[0] {
		x, y = x[1:], y[1:]
	}
	for len(x) > 0 && len(y) > 0 && x[len(x)-1] == y[len(y)-1] {
		x, y = x[:len(x)-1], y[:len(y)-1]
	}
	var out strings.Builder
	line := func(mark, text string) {
		out.WriteString(mark + strings.Map(shown, strings.TrimRight(text, "\r\n")) + "\n")
	}
	if len(x) > mostCompared || len(y) > mostCompared {
		return fmt.Sprintf("(%d lines here, %d there: too many to be compared)\n", len(y), len(x))
	}
	for _, step := range unlike(x, y) {
		if step.first {
			line("-", step.text)
		} else {
			line("+", step.text)
		}
	}
	return out.String()
}

// shown keeps what a file has in it from giving orders to a terminal.
func shown(r rune) rune {
	if r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 {
		return '?'
	}
	return r
}

type loneLine struct {
	text  string
	first bool
}

// unlike are the lines that are not in a longest common part of two texts.
func unlike(x, y []string) (all []loneLine) {
	longest := make([][]int16, len(x)+1) // of what is left of both
	for i := range longest {
		longest[i] = make([]int16, len(y)+1)
	}
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			if x[i] == y[j] {
				longest[i][j] = longest[i+1][j+1] + 1
			} else {
				longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(x) || j < len(y); {
		switch {
		case i < len(x) && j < len(y) && x[i] == y[j]:
			i, j = i+1, j+1
		case j == len(y) || i < len(x) && longest[i+1][j] >= longest[i][j+1]:
			all = append(all, loneLine{x[i], true})
			i++
		default:
			all = append(all, loneLine{y[j], false})
			j++
		}
	}
	return all
}

func (c *cli) appdataReference() *cobra.Command {
	var reason string
	cmd := c.view(&cobra.Command{
		Use:   "reference [NODE|most]",
		Short: "Name the node that the others are to be like in their own files",
		Long: `Without a word: shows which nodes look at files of their own, and which of them
is the reference. With a node: the others are held against it from now on. With
most: against what more than half of the nodes have, as it is without a
reference. No file is touched.`,
		Example: `  coterie appdata reference
  coterie appdata reference app-a -n
  coterie appdata reference app-a -y -m "patched first"
  coterie appdata reference most -y`,
		Args: perhapsOne("NODE"),
	}, func(ctx context.Context, k *cluster, args []string) error {
		if len(args) == 0 {
			return c.showOwns(ctx, k)
		}
		return c.refer(ctx, k, args[0], reason)
	})
	reasonFlag(cmd, &reason)
	return cmd
}

func (c *cli) showOwns(ctx context.Context, k *cluster) error {
	rows, err := k.rows(ctx, "owns", "ORDER BY v.node")
	if err != nil {
		return err
	}
	return c.show(rows,
		table.Column("NODE", "node"),
		table.Column("REFERENCE", "reference"),
		table.Number("FILES", "files"),
		table.Number("DRIFTS", "drifts"),
		table.Span("SCANNED", "scanned_at"),
		table.Prose("ROOT", "root"),
		table.Prose("TROUBLE", "trouble").AsWide(),
		table.Column("RULES", "rules").AsWide())
}

func (c *cli) refer(ctx context.Context, k *cluster, word, reason string) error {
	var node any
	meant := "what most nodes have"
	if word != "most" {
		if err := k.ownNode(ctx, word); err != nil {
			return err
		}
		node, meant = word, word
	}
	var was string
	if err := k.db.GetContext(ctx, &was, `SELECT coalesce((SELECT node FROM coterie.owns WHERE reference), 'most')`); err != nil {
		return err
	}
	changed := was != word
	if changed {
		if done, err := c.agree("Would hold the files of the nodes against "+meant+":", []string{"before: " + was, "no file is touched"}, "Go on?"); done || err != nil {
			return err
		}
		if err := k.command(ctx, &changed, `SELECT coterie.own_refer($1, $2, $3)`, node, caller(), reason); err != nil {
			return err
		}
	}
	text := "The files of the nodes are held against " + meant + ".\n"
	if !changed {
		text = "They are held against " + meant + " already; nothing to do.\n"
	}
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.appdata_reference/v1"}, {Name: "reference", Value: word}, {Name: "before", Value: was}, {Name: "changed", Value: changed},
	}, text)
}
