package main

import (
	"github.com/spf13/cobra"
)

// attention is the program without a verb: the list of verbs.
func (c *cli) attention(cmd *cobra.Command, _ []string) error { return cmd.Help() }
