package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

// settingUp is one call of coterie appdata setup.
type settingUp struct {
	wait, change bool
	did, reason  string

	plan   *setupPlan
	k      *cluster
	passed []string // flags of every command that the steps are given too
	seen   map[string]sight
}

func (c *cli) appdataSetup() *cobra.Command {
	v := settingUp{seen: map[string]sight{}}
	cmd := &cobra.Command{
		Use:   "setup FILE",
		Short: "Set up all servers as one plan says, step by step",
		Long: `Does the steps of a plan that are this node's, in their order: export of a
bundle, a look whether it arrived, import, settings, connection, load files, and
what people do. Run it on each node with the same file: how far all are is kept
in the database (coterie.app_steps). A step is begun when those before it are
done. A step that failed, or whose process was killed, is done again by the same
command; what is done is not. The exit code is 8 when steps of this node are
left that wait for others; --wait waits for them.

Of two processes one does a step. What a process has that is gone is taken by
the next one when nothing was heard of it for 12 seconds.

The first call declares the plan. A file that says something else is refused
(COT-326) until it is declared once with --change, and what was done must be in
it as it was.`,
		Example: `  coterie appdata setup portal.yaml -n
  coterie appdata setup portal.yaml -y --wait
  coterie appdata setup portal.yaml --did start-first -y
  coterie appdata setup portal.yaml --change -y`,
		Args: one("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			var err error
			if v.plan, err = readSetup(args[0]); err != nil {
				return err
			}
			v.passed = passedOn(cmd)
			if v.k, err = c.open(ctx, cmd); err != nil {
				return err
			}
			defer v.k.db.Close()
			return c.setUp(ctx, &v)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&v.wait, "wait", false, "wait for steps of other nodes until all of this node's are done")
	f.BoolVar(&v.change, "change", false, "declare this file in place of another one of that name")
	f.StringVar(&v.did, "did", "", "`STEP` that is done by hand was done")
	reasonFlag(cmd, &v.reason)
	return cmd
}

// passedOn are the flags by which a step finds the same configuration.
func passedOn(cmd *cobra.Command) (flags []string) {
	cmd.InheritedFlags().VisitAll(func(f *pflag.Flag) {
		if f.Changed && !slices.Contains([]string{"output", "json", "columns", "dry-run", "yes", "no-input", "timeout"}, f.Name) {
			flags = append(flags, "--"+f.Name+"="+f.Value.String())
		}
	})
	return flags
}

// setupRow is how far a step is.
type setupRow struct {
	Step, Node, State, Made, Plan string
	WaitsFor                      pq.StringArray `db:"waits_for"`
	Token, Beats                  int64
}

const (
	setupRowsSQL    = `SELECT step, node, state, coalesce(made, '') AS made, plan, waits_for, token, beats FROM coterie.app_steps WHERE setup = $1 ORDER BY place`
	setupDeclareSQL = `SELECT coterie.app_setup_declare($1, $2, $3, $4, $5)`
)

func (v *settingUp) rows(ctx context.Context) (rows []setupRow, err error) {
	err = v.k.db.SelectContext(ctx, &rows, setupRowsSQL, v.plan.Name)
	return rows, err
}

func (c *cli) setUp(ctx context.Context, v *settingUp) error {
	node := v.k.cfg.Node.Name
	if !slices.Contains(v.plan.Nodes, node) {
		return problem.New("COT-324", nil, "node %s is none of those of plan %s: %s", node, v.plan.Name, strings.Join(v.plan.Nodes, ", "))
	}
	rows, err := v.rows(ctx)
	if err != nil {
		return err
	}
	if len(rows) > 0 && rows[0].Plan != v.plan.digest() && !v.change {
		return v.another("was declared with other steps")
	}
	would, err := v.would(rows)
	if err != nil {
		return err
	}
	if len(would) > 0 {
		if done, err := c.agree("Would set up "+v.plan.Name+" on "+node+":", would, "Go on?"); done || err != nil {
			return err
		}
	}
	if !c.flags.dryRun {
		if err := v.declare(ctx); err != nil {
			return err
		}
		err = c.doSteps(ctx, v)
	}
	return errors.Join(c.showSetup(ctx, v), err)
}

func (v *settingUp) another(how string) error {
	return problem.New("COT-326", nil, "plan %s %s", v.plan.Name, how)
}

// would are the lines that say what this node does next: what is ready, and what becomes
// so by that; with --wait all that is left.
func (v *settingUp) would(rows []setupRow) (lines []string, err error) {
	if len(rows) == 0 || rows[0].Plan != v.plan.digest() {
		lines = append(lines, "declare the plan: "+plural(int64(len(v.plan.Steps)), "step"))
	}
	done := map[string]bool{}
	for _, row := range rows {
		done[row.Step] = row.State == "done"
	}
	mine := slices.ContainsFunc(v.plan.Steps, func(s setupStep) bool { return s.Name == v.did && s.ByHand != "" && s.Node == v.k.cfg.Node.Name })
	if v.did != "" && !mine {
		return nil, usageProblem("no step %q of %s is done by hand", v.did, v.k.cfg.Node.Name)
	}
	for _, s := range v.plan.Steps {
		waits := slices.DeleteFunc(slices.Clone(s.After), func(name string) bool { return done[name] })
		if s.Node != v.k.cfg.Node.Name || done[s.Name] || len(waits) > 0 && !v.wait {
			continue
		}
		line := s.Name + ": coterie " + strings.Join(s.Run, " ")
		switch {
		case s.Name == v.did:
			line = s.Name + ": " + byHand + ", was done"
		case s.ByHand != "" && !v.wait:
			continue // there is nothing that this command could do
		case s.ByHand != "":
			line = s.Name + ": " + byHand + ": " + s.ByHand
		}
		if len(waits) > 0 {
			line += "  (after " + strings.Join(waits, ", ") + ")"
		} else {
			done[s.Name] = s.ByHand == "" || s.Name == v.did
		}
		lines = append(lines, line)
	}
	return lines, nil
}

func (v *settingUp) declare(ctx context.Context) error {
	type declared struct {
		setupStep
		Place  int    `json:"place"`
		Verb   string `json:"verb"`
		Digest string `json:"digest"`
	}
	var steps []declared
	for i, s := range v.plan.Steps {
		d := declared{setupStep{Name: s.Name, Node: s.Node, After: append([]string{}, s.After...)}, i + 1, s.verb(), s.digest()}
		steps = append(steps, d)
	}
	text, err := json.Marshal(steps)
	if err != nil {
		return err
	}
	var answer string
	if err := v.k.command(ctx, &answer, setupDeclareSQL, v.plan.Name, v.plan.digest(), string(text), v.change, caller()); err != nil {
		return err
	}
	if step, begun := strings.CutPrefix(answer, "begun "); begun {
		return v.another("cannot be changed so: its step " + step + " was begun, and is not in this file as it was")
	}
	if answer == "other" {
		return v.another("was declared with other steps")
	}
	return nil
}

// doSteps does what is this node's, until nothing of it is left or it waits for others.
func (c *cli) doSteps(ctx context.Context, v *settingUp) error {
	told := ""
	for {
		rows, err := v.rows(ctx)
		switch {
		case err != nil && told != "" && ctx.Err() != nil:
			return outcome(problem.ExitTimedOut)
		case err != nil:
			return err
		case len(rows) == 0 || rows[0].Plan != v.plan.digest():
			return v.another("was declared anew meanwhile")
		}
		now := v.next(rows)
		switch {
		case now.row != nil:
			if err := c.doStep(ctx, v, *now.row); err != nil {
				return err
			}
			continue
		case len(now.waits) == 0:
			return nil
		}
		if waits := strings.Join(now.waits, "\n"); waits != told {
			c.say("%s", waits)
			told = waits
		}
		if !v.wait && !now.doubt {
			return outcome(problem.ExitPartly)
		}
		if pause(ctx, lookEvery) != nil {
			return outcome(problem.ExitTimedOut)
		}
	}
}

// sight is what was seen of a step that somebody does.
type sight struct {
	token, beats int64
	since        time.Time // when it was first seen so
	alive        bool      // it was heard of meanwhile
}

// nextStep is what a node is to do.
type nextStep struct {
	row   *setupRow
	waits []string // for what, when there is none; empty: all is done
	doubt bool     // whether who does a step is still there will show
}

func (v *settingUp) next(rows []setupRow) (n nextStep) {
	wait := func(format string, args ...any) { n.waits = append(n.waits, table.Safe(fmt.Sprintf(format, args...))) }
	for i, row := range rows {
		if row.Node != v.k.cfg.Node.Name || row.State == "done" {
			continue
		}
		text := v.step(row.Step).ByHand
		switch {
		case row.State == "waiting":
			for _, r := range rows {
				if slices.Contains(row.WaitsFor, r.Step) && r.Node != row.Node {
					wait("%s waits for %s: %s (%s)", row.Step, r.Node, r.Step, r.State)
				}
			}
		case text != "" && row.Step != v.did:
			wait("%s waits for somebody: %s. Then: --did %s", row.Step, text, row.Step)
		case row.State != "doing" || v.silent(row):
			return nextStep{row: &rows[i]}
		case v.seen[row.Step].alive:
			wait("%s is done by another process", row.Step)
		default:
			n.doubt = true
			wait("%s was begun by another process; whether it is at work will show", row.Step)
		}
	}
	return n
}

// silent says whether who does a step has not been heard of for so long that it may be
// taken, as this process has seen it: counted from the answer that first showed it so.
func (v *settingUp) silent(row setupRow) bool {
	was, known := v.seen[row.Step]
	if !known || was.token != row.Token || was.beats != row.Beats {
		v.seen[row.Step] = sight{row.Token, row.Beats, time.Now(), known}
		return false
	}
	return time.Since(was.since) > stepSilence
}

func (v *settingUp) step(name string) *setupStep {
	return &v.plan.Steps[slices.IndexFunc(v.plan.Steps, func(s setupStep) bool { return s.Name == name })]
}

// showSetup shows how far all are, also when the waiting was ended.
func (c *cli) showSetup(ctx context.Context, v *settingUp) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepEnd)
	defer cancel()
	rows, err := v.k.rows(ctx, "app_steps", "WHERE v.setup = $1 ORDER BY v.place", v.plan.Name)
	if err != nil {
		return err
	}
	return c.show(rows, table.Column("STEP", "step"), table.Column("NODE", "node"), table.Column("STATE", "state"), table.Column("VERB", "verb"),
		table.Prose("WAITS FOR", "waits_for"), table.Prose("SAID", "said"), table.Column("MADE", "made").AsWide(), table.Column("BY", "begun_by").AsWide(),
		table.Column("BEGUN", "begun_at").AsWide(), table.Column("ENDED", "ended_at").AsWide())
}
