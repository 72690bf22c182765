package main

import (
	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/table"
)

// inventory is a view of named things: all of them are a table, one of them is told
// in words.
type inventory struct {
	view, noun string
	unknown    string // code of the problem that a name is not there
	fields     []table.Field
	text       func(table.Row) string
}

func (c *cli) showInventory(cmd *cobra.Command, args []string, i inventory) error {
	ctx, cancel := c.context(cmd)
	defer cancel()
	k, err := c.open(ctx, cmd)
	if err != nil {
		return err
	}
	defer k.db.Close()
	if len(args) == 0 {
		rows, err := k.rows(ctx, i.view, "ORDER BY v.name")
		if err != nil {
			return err
		}
		return c.show(rows, i.fields...)
	}
	rows, err := k.rows(ctx, i.view, "WHERE v.name = $1", args[0])
	if err != nil {
		return err
	}
	if rows.Len() == 0 {
		return k.none(ctx, i.unknown, i.view, i.noun, args[0])
	}
	if c.plain() {
		return c.print(i.text(rows.Row(0)))
	}
	return c.show(rows, i.fields...)
}
