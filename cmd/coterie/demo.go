package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/coterie-ha/coterie/internal/config"
	"github.com/coterie-ha/coterie/internal/demo"
	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/sql/pgserver"
)

// shortestDemo leaves time for a take-over by expiry.
const shortestDemo = 10 * time.Second

func (c *cli) demoCommand() *cobra.Command {
	var (
		o   demo.Options
		dir string
	)
	cmd := &cobra.Command{
		Use:   "demo [COMMAND]",
		Short: "A whole cluster on this machine, in seconds",
		Long: `Starts a private PostgreSQL, a few agents, and jobs that work on a shared
folder: a whole cluster, without a network and without touching anything else.
After a while it kills an agent and then a whole node, and shows who takes over.

Ctrl-C ends it and removes everything. With --for it ends by itself, compares
what the schedules owed, what the table of runs says and what the jobs did, and
fails (exit code 1) if a slot is missing or ran twice.`,
		Example: `  coterie demo
  coterie demo --for 20s --nodes 5
  coterie demo kill app-b          in another terminal`,
		Args: c.noVerb,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case o.Nodes < 2 || o.Nodes > demo.MaxNodes:
				return usageProblem("--nodes %d: 2 to %d", o.Nodes, demo.MaxNodes)
			case o.For != 0 && o.For < shortestDemo:
				return usageProblem("--for %v is too short to show a take-over: at least %v", o.For, shortestDemo)
			}
			if c.flags.dryRun {
				c.say("Would start a PostgreSQL and %d agents in a folder of their own, and remove them again.", o.Nodes)
				return outcome(problem.ExitChanges)
			}
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find this program: %w", err)
			}
			o.Program, o.Dir, o.Show = self, dir, c.stage()
			result, err := demo.Run(cmd.Context(), o)
			if c.flags.machine() && (result.Slots > 0 || err == nil) {
				err = errors.Join(err, demoDocument(result).Write(c.out, c.flags.format()))
			}
			return demoProblem(err)
		},
	}
	cmd.Flags().DurationVar(&o.For, "for", 0, "judge and end after this `TIME` (default: at Ctrl-C)")
	cmd.Flags().IntVar(&o.Nodes, "nodes", 3, "`NUMBER` of nodes")
	cmd.PersistentFlags().StringVar(&dir, "dir", "", "`FOLDER` of the demo (default: a new one)")
	cmd.AddCommand(c.demoKill(&dir), c.demoFreeze(&dir, "freeze"), c.demoFreeze(&dir, "thaw"), c.demoCut(&dir), c.demoLoad(&dir),
		c.demoWork(), c.demoReap())
	return cmd
}

// demoDocument is what a demo came to, for programs.
func demoDocument(r demo.Result) table.Document {
	takeovers := []float64{}
	for _, t := range r.Takeovers {
		takeovers = append(takeovers, t.Seconds())
	}
	return table.Document{
		{Name: "schema", Value: "coterie.demo/v1"},
		{Name: "well", Value: len(r.Wrong) == 0},
		{Name: "ready_after", Value: r.Ready.Seconds()},
		{Name: "slots", Value: r.Slots},
		{Name: "outcomes", Value: r.Outcomes},
		{Name: "latest", Value: r.Latest.Seconds()},
		{Name: "crashes", Value: r.Crashes},
		{Name: "takeovers", Value: takeovers},
		{Name: "heard", Value: r.Heard},
		{Name: "refused", Value: r.Refused},
		{Name: "wrong", Value: append([]string{}, r.Wrong...)},
	}
}

// stage is this terminal, or whatever takes the output; what is said goes to
// stderr when a program reads the result.
func (c *cli) stage() demo.Show {
	if c.flags.machine() {
		return demo.Show{Out: c.err}
	}
	show := demo.Show{Out: c.out}
	f, ok := c.out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return show
	}
	show.Colour = !c.flags.noColor && os.Getenv("NO_COLOR") == ""
	show.Size = func() (int, int) {
		width, height, err := term.GetSize(int(f.Fd()))
		if err != nil {
			return usualWidth, 24
		}
		return width, height
	}
	return show
}

// order sends what this command wants to the running demo.
func (c *cli) order(ctx context.Context, dir string, o demo.Order) error {
	if c.flags.dryRun {
		c.say("Would %s %s in the running demo.", strings.ReplaceAll(o.Do, "-", " "), o.Node)
		return outcome(problem.ExitChanges)
	}
	return demoProblem(demo.Send(ctx, dir, o, func(line string) { fmt.Fprintln(c.out, line) }))
}

func (c *cli) demoKill(dir *string) *cobra.Command {
	var only string
	cmd := &cobra.Command{
		Use:   "kill NODE",
		Short: "Kill a node of the running demo (SIGKILL)",
		Example: `  coterie demo kill app-b                   all its processes: a lost machine
  coterie demo kill app-b --only agent      its supervisor tells the others`,
		Args: one("NODE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			parts := []string{"agent", "supervisor"}
			if only != "" && !slices.Contains(parts, only) {
				return usageProblem("--only %q", only).hint(config.Nearest(only, parts), "agent or supervisor")
			}
			return c.order(cmd.Context(), *dir, demo.Order{Do: "kill", Node: args[0], Only: only})
		},
	}
	cmd.Flags().StringVar(&only, "only", "", "kill only this `PART` of it: agent or supervisor")
	return cmd
}

func (c *cli) demoFreeze(dir *string, do string) *cobra.Command {
	short := "Freeze a node of the running demo (SIGSTOP)"
	if do == "thaw" {
		short = "Let a frozen node of the running demo go on"
	}
	return &cobra.Command{
		Use: do + " NODE", Short: short, Args: one("NODE"),
		Example: "  coterie demo " + do + " app-a",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.order(cmd.Context(), *dir, demo.Order{Do: do, Node: args[0]})
		},
	}
}

func (c *cli) demoCut(dir *string) *cobra.Command {
	var (
		node   string
		refuse bool
	)
	cmd := &cobra.Command{
		Use:   "cut-db [TIME]",
		Short: "Cut the running demo off from its database",
		Example: `  coterie demo cut-db 5s
  coterie demo cut-db 5s --node app-a --refuse`,
		Args: perhapsOne("TIME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o := demo.Order{Do: "cut-db", Node: node, For: 5 * time.Second, How: "silent"}
			if refuse {
				o.How = "refuse"
			}
			if len(args) == 1 {
				d, err := time.ParseDuration(args[0])
				if err != nil || d <= 0 || d > time.Hour {
					return usageProblem("%q is no time such as 5s", args[0])
				}
				o.For = d
			}
			return c.order(cmd.Context(), *dir, o)
		},
	}
	cmd.Flags().StringVar(&node, "node", "", "only this `NODE`")
	cmd.Flags().BoolVar(&refuse, "refuse", false, "break and refuse connections, instead of losing packets silently")
	return cmd
}

func (c *cli) demoLoad(dir *string) *cobra.Command {
	o := demo.Order{Do: "load"}
	cmd := &cobra.Command{
		Use:     "load",
		Short:   "Give the running demo many short jobs",
		Example: `  coterie demo load --jobs 30 --for 10s`,
		Args:    nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Jobs < 1 || o.Jobs > 500 || o.For <= 0 || o.For > time.Hour {
				return usageProblem("--jobs is 1 to 500, --for more than nothing and at most an hour")
			}
			return c.order(cmd.Context(), *dir, o)
		},
	}
	cmd.Flags().IntVar(&o.Jobs, "jobs", 20, "`NUMBER` of jobs, each due every second")
	cmd.Flags().DurationVar(&o.For, "for", 10*time.Second, "for how much `TIME`")
	return cmd
}

// demoWork is what the jobs of the demo run.
func (c *cli) demoWork() *cobra.Command {
	return &cobra.Command{
		Use: "work NAME FOLDER", Hidden: true,
		Args:  func(cmd *cobra.Command, args []string) error { return words(cmd, args, 2, 2, "NAME and FOLDER") },
		Short: "Do what a job of the demo does", Example: "  coterie demo work expire-logs /tmp/demo/share",
		RunE: func(cmd *cobra.Command, args []string) error {
			w := demo.Work{Share: args[1], Out: c.out, Env: os.Getenv, Pace: 10 * time.Millisecond}
			if err := w.Do(cmd.Context(), args[0]); err != nil {
				fmt.Fprintln(c.out, err)
				return outcome(problem.ExitFailed)
			}
			return nil
		},
	}
}

// demoReap cleans up after a demo that died.
func (c *cli) demoReap() *cobra.Command {
	return &cobra.Command{
		Use: "reap FOLDER", Hidden: true, Args: one("FOLDER"),
		Short: "Wait for the end of a demo, and remove what it left", Example: "  coterie demo reap /tmp/demo",
		RunE: func(_ *cobra.Command, args []string) error { return demo.Reap(c.in, args[0]) },
	}
}

// demoProblem gives what goes wrong with the demo its code.
func demoProblem(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*demo.FailedError](err); ok {
		p := problem.New("COT-702", nil, "%s", e.Wrong[0])
		p.Remedy = "logs " + e.Logs + "\n" + p.Remedy
		return p
	}
	if e, ok := errors.AsType[*pgserver.NotFoundError](err); ok {
		return problem.New("COT-703", nil, "%v", e)
	}
	if e, ok := errors.AsType[*demo.StartError](err); ok {
		p := problem.New("COT-701", nil, "%v", e)
		p.Remedy = "logs " + e.Logs
		return p
	}
	return otherDemoProblem(err)
}

func otherDemoProblem(err error) error {
	if e, ok := errors.AsType[*demo.BusyError](err); ok {
		return problem.New("COT-704", nil, "%v", e)
	}
	if e, ok := errors.AsType[*demo.RefusedError](err); ok {
		return problem.New("COT-705", nil, "%v", e)
	}
	if errors.Is(err, demo.ErrUnsupported) {
		return problem.New("COT-706", nil, "%v", err)
	}
	if e, ok := errors.AsType[*demo.NoNodeError](err); ok {
		p := problem.New("COT-610", nil, "%v", e)
		p.Remedy = "coterie nodes; the demo calls them app-a, app-b and so on"
		return p
	}
	if e, ok := errors.AsType[*demo.NoDemoError](err); ok {
		return problem.New("COT-710", nil, "%v", e)
	}
	if e, ok := errors.AsType[*demo.SeveralError](err); ok {
		return problem.New("COT-711", nil, "%v", e)
	}
	return err
}
