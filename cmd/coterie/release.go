package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/coordinator"
	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/schema"
)

// releaseCommand is the last will: whoever knows that the process of a life of a
// node is gone ends exactly that life, so that others need not wait for its end.
func (c *cli) releaseCommand() *cobra.Command {
	var (
		session, rule string
		former        bool
	)
	cmd := &cobra.Command{
		Use:   "release --session NODE/INCARNATION | --former",
		Short: "End the session of an agent that is surely dead",
		Example: `  coterie release --session app-a/4711
  coterie release --former          when all of an agent is dead`,
		Hidden: true,
		Args:   nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			node, incarnation, err := whose(session)
			if err != nil && !former {
				return err
			}
			cfg, err := c.load(cmd)
			if err != nil {
				return err
			}
			if former {
				lock, lerr := coordinator.Lock(cfg.Node.StateDir)
				if lerr != nil {
					return lerr // something of it lives
				}
				defer lock.Close()
				if node, incarnation, err = formerLife(cfg); incarnation == 0 && err == nil {
					c.say("No session of %s began on this boot.", cfg.Node.Name)
					return nil
				}
				if err != nil {
					return err
				}
			}
			if c.flags.dryRun {
				_, err := c.agree("Would end a session:", []string{fmt.Sprintf("%s/%d, and free its leases", node, incarnation)}, "")
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
				c.say("Session %s/%d had ended before.", node, incarnation)
				return nil
			}
			c.say("Session %s/%d has ended; its leases are free.", node, incarnation)
			return nil
		},
	}
	cmd.Flags().StringVar(&session, "session", "", "`NODE/INCARNATION` to end")
	cmd.Flags().BoolVar(&former, "former", false, "end what the last agent of this installation began, if nothing of it lives")
	cmd.MarkFlagsMutuallyExclusive("session", "former")
	cmd.Flags().StringVarP(&rule, "message", "m", "its process is gone", "how it is known that the process is gone")
	return cmd
}

// whose reads NODE/INCARNATION.
func whose(session string) (node string, incarnation int64, err error) {
	node, life, ok := strings.Cut(session, "/")
	incarnation, err = strconv.ParseInt(life, 10, 64)
	if !ok || err != nil || node == "" {
		return "", 0, usageProblem("--session %q is not NODE/INCARNATION", session).hint("", "See: coterie nodes -o json")
	}
	return node, incarnation, nil
}

// formerLife is the session that the last agent of this installation began on
// this boot of the host.
func formerLife(cfg *config.Config) (node string, incarnation int64, err error) {
	identity, err := coordinator.OpenIdentity(cfg.Node.StateDir)
	if err != nil {
		return "", 0, err
	}
	return cfg.Node.Name, identity.Former(cfg.Node.Name), nil
}
