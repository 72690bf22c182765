package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// nothing is for verbs without words after them.
func nothing(cmd *cobra.Command, args []string) error { return words(cmd, args, 0, 0, "") }

// one wants exactly one word, such as NODE.
func one(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error { return words(cmd, args, 1, 1, name) }
}

// perhapsOne permits a word, such as NODE.
func perhapsOne(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error { return words(cmd, args, 0, 1, name) }
}

// words wants between least and most words after the verb.
func words(cmd *cobra.Command, args []string, least, most int, names string) error {
	see := "See: " + cmd.CommandPath() + " --help"
	switch {
	case len(args) < least:
		return usageProblem("%s needs %s", cmd.CommandPath(), names).hint("", see)
	case len(args) > most && most == 0:
		return usageProblem("%s takes no argument, and was given %q", cmd.CommandPath(), args[0]).hint("", see)
	case len(args) > most:
		return usageProblem("%s takes %s, and was given %q too", cmd.CommandPath(), names, args[most]).hint("", see)
	}
	return nil
}

// family is a verb that only has further verbs.
func (c *cli) family(use, short, example string, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:     use,
		Short:   short,
		Example: example,
		Args:    c.noVerb,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(verbs...)
	return cmd
}

// reasonFlag adds -m, which whatever changes something has.
func reasonFlag(cmd *cobra.Command, reason *string) {
	cmd.Flags().StringVarP(reason, "message", "m", "", "`REASON`, which is stored and shown")
}

// again is a command line that continues with the configuration of this one.
func (c *cli) again(format string, args ...any) string {
	with := ""
	if c.flags.config != "" {
		with = " -c " + c.flags.config
	}
	return "coterie" + with + " " + fmt.Sprintf(format, args...)
}
