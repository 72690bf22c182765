package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

func (c *cli) doctorCommand() *cobra.Command {
	var code string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check what can be checked from here, or explain a code",
		Example: `  coterie doctor
  coterie doctor --explain COT-201
  coterie doctor --explain all      list all codes`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch code {
			case "":
				return c.examine(cmd)
			case "all":
				return c.explainCodes()
			}
			return c.explainCode(code)
		},
	}
	cmd.Flags().StringVar(&code, "explain", "", "`CODE` of a problem, such as COT-201; or all")
	return cmd
}

func (c *cli) explainCodes() error {
	rows := &table.Rows{View: "problems", Columns: []string{"code", "exit", "title", "remedy", "text"}}
	for _, e := range problem.Table() {
		rows.Values = append(rows.Values, []any{e.Code, int64(e.Exit), e.Title, e.Remedy, e.Explain})
	}
	return c.show(rows, table.Column("CODE", "code"), table.Number("EXIT", "exit"), table.Column("PROBLEM", "title"), table.Prose("REMEDY", "remedy"))
}

func (c *cli) explainCode(code string) error {
	e, ok := problem.Lookup(code)
	if !ok {
		var codes []string
		for _, e := range problem.Table() {
			codes = append(codes, strings.ToLower(e.Code))
		}
		return nearest("COT-222", "no problem has the code", strings.ToLower(code), codes)
	}
	text := fmt.Sprintf("%s  %s\n\n%s\n\nRemedy     %s\nExit code  %d\n", e.Code, e.Title, e.Explain,
		strings.Join(fold(e.Remedy, usualWidth-11), "\n           "), e.Exit)
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.problem/v1"},
		{Name: "code", Value: e.Code},
		{Name: "title", Value: e.Title},
		{Name: "text", Value: e.Explain},
		{Name: "remedy", Value: e.Remedy},
		{Name: "exit", Value: e.Exit},
	}, text)
}
