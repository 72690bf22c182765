package main

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/config"
)

// attentionTime is how long the list of verbs may be kept waiting, unless --timeout says it.
const attentionTime = 2 * time.Second

// attention is the program without a verb: what needs attention, if there is a
// cluster to look at, then the list of verbs.
func (c *cli) attention(cmd *cobra.Command, _ []string) error {
	if err := c.lookAround(cmd); err != nil {
		return err
	}
	return cmd.Help()
}

func (c *cli) lookAround(cmd *cobra.Command) error {
	_, err := c.load(cmd)
	if errors.Is(err, config.ErrNotFound) && c.flags.config == "" {
		return c.print("New here? coterie demo\n\n")
	}
	if err != nil {
		c.tell(asProblem(err))
		return c.print("\n")
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), cmp.Or(c.flags.timeout, attentionTime))
	defer cancel()
	a, err := c.readAll(ctx, cmd)
	if err != nil {
		c.tell(asProblem(err))
		return c.print("\n")
	}
	s := a.status.Row(0)
	return c.print(c.sign(statusSign(s)) + " " + c.folded(s.Text("name")+": "+s.Text("sentence"), 3) + "\n" + c.findingsText(a.findings) + "\n")
}
