package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

// globals are the flags that every verb has.
type globals struct {
	config  string
	output  string
	json    bool
	columns []string
	dryRun  bool
	yes     bool
	noInput bool
	timeout time.Duration
	quiet   bool
	verbose bool
	noColor bool
}

func (g globals) format() table.Format {
	if g.json {
		return table.JSON
	}
	return table.Format(g.output)
}

// machine tells whether a program reads the result.
func (g globals) machine() bool {
	f := g.format()
	return f == table.JSON || f == table.JSONL || f == table.YAML
}

// The groups of verbs, in the order of the list.
const (
	groupLook  = "look"
	groupAct   = "act"
	groupSetUp = "setup"
	groupHelp  = "help"
)

func (c *cli) root() *cobra.Command {
	cobra.EnableCommandSorting = false // addVerbs has a better order than the alphabet
	root := &cobra.Command{
		Use:   "coterie",
		Short: "Turn separately installed application servers into one cluster",
		Long: `Coterie turns separately installed application servers into one cluster. An
agent runs beside each server; all that they know is in one PostgreSQL database.

Without a verb: what needs attention, then the list of verbs.`,
		Example: `  coterie demo                       a whole cluster on this machine, in seconds
  coterie -c app-a.yaml init         prepare a database for a cluster
  coterie status                     is the cluster well, and if not, what to do`,
		Args:          c.noVerb,
		RunE:          c.attention,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return c.flags.check()
		},
	}
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	root.SetFlagErrorFunc(flagProblem)
	root.AddGroup(
		&cobra.Group{ID: groupLook, Title: "Look"},
		&cobra.Group{ID: groupAct, Title: "Act"},
		&cobra.Group{ID: groupSetUp, Title: "Set up"},
		&cobra.Group{ID: groupHelp, Title: "Help"})
	c.addFlags(root.PersistentFlags())
	config.RegisterFlags(root.PersistentFlags())
	c.addVerbs(root)
	root.SetHelpCommandGroupID(groupHelp)
	root.SetCompletionCommandGroupID(groupHelp)
	root.SetUsageTemplate(usage)
	root.SetHelpCommand(helpCommand())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		cmd.DisableFlagsInUseLine = true
	}
	return root
}

// helpCommand is cobra's, but for a word that is no command: that is a problem.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Help about a command",
		Example: "  coterie help jobs apply",
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usageProblem("no command %q", strings.Join(args, " ")).hint("", "See: coterie help")
			}
			return found.Help()
		},
	}
}

// addVerbs is the list of verbs, in the order in which it is shown; each is a
// file of this folder.
func (c *cli) addVerbs(root *cobra.Command) {
	for _, group := range []struct {
		id    string
		verbs []*cobra.Command
	}{
		{groupLook, []*cobra.Command{c.statusCommand(), c.nodesCommand(), c.jobsCommand(), c.requestsCommand(), c.leasesCommand(), c.licenseCommand(), c.appdataCommand(), c.keystoreCommand(), c.trustCommand(), c.trustsCommand(), c.takeoversCommand(), c.eventsCommand(), c.whyCommand()}},
		{groupAct, []*cobra.Command{c.drainCommand(), c.resumeCommand(), c.switchoverCommand(), c.runCommand(), c.pauseCommand(true), c.pauseCommand(false), c.leaseCommand(), c.evictCommand(), c.bundleCommand()}},
		{groupSetUp, []*cobra.Command{c.initCommand(), c.joinCommand(), c.migrateCommand(), c.agentCommand(), c.schemaCommand(), c.settingsCommand(), c.configCommand()}},
		{groupHelp, []*cobra.Command{c.doctorCommand(), c.demoCommand(), c.manCommand(), c.versionCommand()}},
		{groupHelp, []*cobra.Command{c.releaseCommand(), c.supervisedCommand(), c.supervisedLeaseCommand(), c.workerCommand(), c.expireCommand(), c.certificatesCommand(), c.backupCommand(), c.verifyCommand()}}, // hidden
	} {
		for _, verb := range group.verbs {
			verb.GroupID = group.id
			root.AddCommand(verb)
		}
	}
}

func (c *cli) addFlags(f *pflag.FlagSet) {
	f.StringVarP(&c.flags.config, "config", "c", "", "configuration `FILE` (default: $COTERIE_CONFIG, /etc/coterie/coterie.yaml)")
	f.StringVarP(&c.flags.output, "output", "o", "table", "`FORM` of the result: table, wide, json, jsonl, yaml or csv")
	f.BoolVar(&c.flags.json, "json", false, "the same as -o json")
	f.StringSliceVar(&c.flags.columns, "columns", nil, "show these `COLUMNS` of the view: name,state")
	f.BoolVarP(&c.flags.dryRun, "dry-run", "n", false, "say what would be done, and do nothing (exit code 10: there are changes)")
	f.BoolVarP(&c.flags.yes, "yes", "y", false, "do not ask")
	f.BoolVar(&c.flags.noInput, "no-input", false, "never ask; refuse where an answer is needed")
	f.DurationVar(&c.flags.timeout, "timeout", 0, "longest `TIME` to wait for the database, such as 10s")
	f.BoolVarP(&c.flags.quiet, "quiet", "q", false, "no talk on stderr but problems")
	f.BoolVarP(&c.flags.verbose, "verbose", "v", false, "more talk on stderr")
	f.BoolVar(&c.flags.noColor, "no-color", false, "no colour (also $NO_COLOR)")
}

func (g globals) check() error {
	if !slices.Contains(table.Formats(), g.format()) {
		var names []string
		for _, f := range table.Formats() {
			names = append(names, string(f))
		}
		return usageProblem("no form of output %q", g.output).hint(config.Nearest(g.output, names), "one of "+strings.Join(names, ", "))
	}
	if g.timeout < 0 {
		return usageProblem("--timeout is negative: %v", g.timeout)
	}
	return nil
}

// noVerb refuses words that are no verb.
func (c *cli) noVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() || sub.Name() == "help" {
			names = append(names, sub.Name())
		}
	}
	what := fmt.Sprintf("no command %q", args[0])
	if cmd.HasParent() {
		what = fmt.Sprintf("%s has no command %q", cmd.CommandPath(), args[0])
	}
	return usageProblem("%s", what).hint(config.Nearest(args[0], names), "See: "+cmd.CommandPath()+" --help")
}

// flagProblem says what is wrong with a flag, and which one was meant.
func flagProblem(cmd *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return usageProblem("%v", err).hint("", "See: "+cmd.CommandPath()+" --help")
	}
	name := unknown.GetSpecifiedName()
	if short := unknown.GetSpecifiedShortnames(); short != "" {
		return usageProblem("no flag -%s", name).hint("", "See: "+cmd.CommandPath()+" --help")
	}
	var names []string
	seen := func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	}
	cmd.Flags().VisitAll(seen)
	cmd.InheritedFlags().VisitAll(seen)
	near := config.Nearest(name, names)
	if near != "" {
		near = "--" + near
	}
	return usageProblem("no flag --%s", name).hint(near, "See: "+cmd.CommandPath()+" --help")
}

// slip is a problem of usage in the making.
type slip struct{ *problem.Problem }

func usageProblem(format string, args ...any) slip {
	p := problem.New("COT-212", nil, format, args...)
	p.Remedy = ""
	return slip{p}
}

// Unwrap lets the problem be found.
func (s slip) Unwrap() error { return s.Problem }

// hint names what was probably meant, or else what there is.
func (s slip) hint(near, otherwise string) error {
	s.Remedy = otherwise
	if near != "" {
		s.Remedy = fmt.Sprintf("Did you mean %s?", near)
		if !strings.HasPrefix(near, "-") {
			s.Remedy = fmt.Sprintf("Did you mean %q?", near)
		}
	}
	return s.Problem
}

// context is the command's context, with the time-out that was asked for.
func (c *cli) context(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	if c.flags.timeout > 0 {
		return context.WithTimeout(cmd.Context(), c.flags.timeout)
	}
	return context.WithCancel(cmd.Context())
}

// usage is cobra's, in our words.
const usage = `Usage
  {{if .HasAvailableSubCommands}}{{.CommandPath}} [COMMAND]{{if .Runnable}}{{if .HasParent}}{{if ne .UseLine (printf "%s [COMMAND]" .CommandPath)}}
  {{.UseLine}}{{end}}{{end}}{{end}}{{else}}{{.UseLine}}{{end}}
{{if .HasExample}}
Examples
{{.Example}}
{{end}}{{if .HasAvailableSubCommands}}{{$cmds := .Commands}}{{if eq (len .Groups) 0}}
Commands{{range $cmds}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}}  {{.Short}}{{end}}{{end}}
{{else}}{{range $group := .Groups}}
{{$group.Title}}{{range $cmds}}{{if (and (eq .GroupID $group.ID) (or .IsAvailableCommand (eq .Name "help")))}}
  {{rpad .Name .NamePadding}}  {{.Short}}{{end}}{{end}}
{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}
Flags
{{.LocalFlags.FlagUsagesWrapped 80 | trimTrailingWhitespaces}}
{{end}}{{if .HasAvailableInheritedFlags}}
Flags of every command
{{.InheritedFlags.FlagUsagesWrapped 80 | trimTrailingWhitespaces}}
{{end}}`
