package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/schema"
)

// releaseCommand is the last will: whoever knows that the process of a life of a
// node is gone ends exactly that life, so that others need not wait for its end.
func (c *cli) releaseCommand() *cobra.Command {
	var session, rule string
	cmd := &cobra.Command{
		Use:     "release --session NODE/INCARNATION",
		Short:   "End the session of an agent that is surely dead",
		Example: `  coterie release --session app-a/4711`,
		Hidden:  true,
		Args:    nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			node, life, ok := strings.Cut(session, "/")
			incarnation, err := strconv.ParseInt(life, 10, 64)
			if !ok || err != nil || node == "" {
				return usageProblem("--session %q is not NODE/INCARNATION", session).hint("", "See: coterie nodes -o json")
			}
			cfg, err := c.load(cmd)
			if err != nil {
				return err
			}
			ctx, cancel := c.context(cmd)
			defer cancel()
			// Seconds count here: nothing is checked that the statement does not check itself.
			db, err := schema.Open(ctx, c.options(cfg))
			if err != nil {
				return err
			}
			defer db.Close()
			ended, err := leases.EndSession(ctx, db, node, incarnation, "crash", rule)
			if err != nil {
				return err
			}
			if !ended {
				c.say("Session %s had ended before.", session)
				return nil
			}
			c.say("Session %s has ended; its leases are free.", session)
			return nil
		},
	}
	cmd.Flags().StringVar(&session, "session", "", "`NODE/INCARNATION` to end")
	cmd.Flags().StringVarP(&rule, "message", "m", "its process is gone", "how it is known that the process is gone")
	return cmd
}
