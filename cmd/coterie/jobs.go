package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/table"
)

func (c *cli) jobsCommand() *cobra.Command {
	var runs, next int
	var log logQuery
	cmd := &cobra.Command{
		Use:   "jobs [JOB]",
		Short: "Jobs: schedule, runner, last run, next run",
		Example: `  coterie jobs
  coterie jobs audit-purge             with its last runs
  coterie jobs audit-purge --log last --follow
  coterie jobs audit-purge --log "11-20 02:30:00"
  coterie jobs audit-purge --next 10   when it is due
  coterie jobs apply -f jobs.yaml -n   what a file would change`,
		Args:              perhapsOne("JOB"),
		ValidArgsFunction: c.completeNames("jobs"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (log.run != "" || log.follow) && len(args) == 0 {
				return usageProblem("--log needs a JOB").hint("", "See: coterie jobs --help")
			}
			ctx, cancel := c.context(cmd)
			defer cancel()
			k, err := c.open(ctx, cmd)
			if err != nil {
				return err
			}
			defer k.db.Close()
			if log.run != "" || log.follow {
				log.job, log.run = args[0], orElse(log.run, "last")
				return c.showLog(ctx, k, log)
			}
			if len(args) > 0 && next > 0 {
				return c.showNext(ctx, k, args[0], next)
			}
			if len(args) > 0 {
				return c.showJob(ctx, k, args[0], runs)
			}
			rows, err := k.rows(ctx, "jobs", "ORDER BY v.name")
			if err != nil {
				return err
			}
			return c.show(rows, jobFields()...)
		},
	}
	cmd.Flags().IntVar(&runs, "runs", 10, "with a JOB: the last `NUMBER` of its runs")
	cmd.Flags().StringVar(&log.run, "log", "", "with a JOB: what a `RUN` of it said; last, or the time at which it was due")
	cmd.Flags().BoolVarP(&log.follow, "follow", "f", false, "with --log: go on until the run has ended, on whichever node")
	cmd.Flags().IntVar(&next, "next", 0, "with a JOB: its next `NUMBER` of slots, instead of runs")
	cmd.AddCommand(c.jobsApply())
	return cmd
}

func jobFields() []table.Field {
	return []table.Field{
		table.Column("JOB", "name"),
		table.Prose("SCHEDULE", "schedule"),
		table.Column("RUNNER", "runner").AsWide(),
		{Title: "LAST", Show: jobLast},
		table.Number("TOOK", "last_took").AsWide(),
		{Title: "NEXT", Show: jobNext},
		{Title: "STATE", Show: jobState},
		table.Column("ACTION", "action").AsWide(),
		table.Prose("MESSAGE", "message").AsWide(),
	}
}

func jobLast(r table.Row) string {
	switch outcome := r.Text("last_outcome"); outcome {
	case "":
		return ""
	case "running":
		return "running"
	case "succeeded":
		return "ok " + r.Text("last_due_at")
	default:
		return strings.ReplaceAll(outcome, "_", " ") + " " + r.Text("last_due_at")
	}
}

func jobNext(r table.Row) string {
	next := r.Time("next_due_at")
	if next.IsZero() || next.After(r.At()) {
		return r.Text("next_due_at")
	}
	return "due"
}

// jobState is a job in one word, the worst that can be said of it.
func jobState(r table.Row) string {
	switch {
	case !r.Bool("enabled"):
		return "off"
	case r.Text("paused_at") != "" && r.Text("running_since") == "":
		return "paused"
	case r.Text("running_since") != "":
		return "running"
	case r.Bool("overdue"):
		return "overdue"
	case r.Text("requested_by") != "":
		return "asked for"
	case r.Text("next_due_at") == "":
		return "over" // its schedule has ended
	case r.Int("failures_in_row") > 0:
		return "failing"
	}
	return "waiting"
}

// runsWhere are the last runs of a job, of however many.
const runsWhere = `WHERE v.job = $1 AND v.due_at = ANY (ARRAY(SELECT unnest(coterie.slots_before($1, 'infinity', $2, false)))) ORDER BY v.due_at DESC`

// showJob shows one job with its last runs.
func (c *cli) showJob(ctx context.Context, k *cluster, name string, runs int) error {
	job, err := k.rows(ctx, "jobs", "WHERE v.name = $1", name)
	if err != nil {
		return err
	}
	if job.Len() == 0 {
		return k.none(ctx, "COT-510", "jobs", "job", name, "apply")
	}
	last, err := k.rows(ctx, "runs", runsWhere, name, runs)
	if err != nil {
		return err
	}
	switch {
	case c.flags.machine() && len(c.flags.columns) == 0:
		return append(job.Document(), table.Member{Name: "runs", Value: last.List()}).Write(c.out, c.flags.format())
	case !c.plain():
		return c.show(job, jobFields()...)
	}
	if err := c.print(jobText(job.Row(0))); err != nil || last.Len() == 0 {
		return err
	}
	if err := c.print("\n"); err != nil {
		return err
	}
	if err := last.Write(c.out, table.Table, table.Sheet{Fields: runFields(), Indent: 2, Width: c.width()}); err != nil {
		return err
	}
	return c.print(tailText(last))
}

func jobText(r table.Row) string {
	var lines facts
	head := fmt.Sprintf("%s    %s    action %s", r.Text("name"), r.Text("schedule"), r.Text("action"))
	if !strings.HasPrefix(r.Text("schedule"), "@every") {
		head = fmt.Sprintf("%s    %s %s    action %s", r.Text("name"), r.Text("schedule"), r.Text("time_zone"), r.Text("action"))
	}
	lines.add("", "%s", head)
	state := jobState(r)
	if message := r.Text("message"); message != "" {
		state += ": " + message
	}
	lines.add("state", "%s", state)
	if next := r.Time("next_due_at"); !next.IsZero() {
		lines.add("next", "%s (%s UTC)", jobNext(r), next.UTC().Format("2006-01-02 15:04:05"))
	}
	if runner := r.Text("runner"); runner != "" {
		lines.add("runner", "%s", runner)
	}
	for _, rule := range jobRules(r) {
		lines.add(rule[0], "%s", rule[1])
	}
	lines.add("changed", "%s by %s", r.Text("changed_at"), r.Text("changed_by"))
	return lines.String()
}

// jobRules are what a definition says, as a name and words: the usual in short,
// the rest where it says something.
func jobRules(r table.Row) [][2]string {
	took := func(column, none string) string {
		if d, ok := r.Duration(column); ok {
			return table.Duration(d)
		}
		return none
	}
	rules := fmt.Sprintf("misfire %s, overlap %s, timeout %s", r.Text("misfire"), r.Text("overlap"), took("timeout", "none"))
	if limit := r.Int("misfire_limit"); limit > 0 {
		rules += fmt.Sprintf(", misfire_limit %d", limit)
	}
	if window := took("catch_up", ""); window != "" {
		rules += ", catch_up " + window
	}
	list := [][2]string{{"rules", rules}}
	add := func(name, format string, args ...any) {
		list = append(list, [2]string{name, fmt.Sprintf(format, args...)})
	}
	if n := r.Int("retries"); n > 0 {
		add("retries", "%d, after %s, doubling up to %s", n, took("retry_after", "10s"), took("retry_max", "1h"))
	}
	if lost := r.Text("on_lost"); lost != "record" {
		add("on_lost", "%s", lost)
	}
	if away := r.Text("while_away"); away != "stop" {
		add("while_away", "%s", away)
	}
	if group := r.Text("group_name"); group != "" {
		add("group", "%s, %d at once", group, r.Int("group_limit"))
	}
	for _, name := range []string{"exceptions", "requires", "prefers", "apart"} {
		if words := r.Text(name); words != "" {
			add(name, "%s", words)
		}
	}
	for _, bound := range []string{"starts_at", "ends_at"} {
		if t := r.Time(bound); !t.IsZero() {
			add(bound, "%s UTC", t.UTC().Format("2006-01-02 15:04:05"))
		}
	}
	if d := took("jitter", ""); d != "" {
		add("jitter", "%s", d)
	}
	if n := r.Int("priority"); n != 0 {
		add("priority", "%d", n)
	}
	return list
}

func runFields() []table.Field {
	return []table.Field{
		{Title: "DUE (UTC)", Show: func(r table.Row) string { return r.Time("due_at").UTC().Format("01-02 15:04:05") }},
		table.Column("NODE", "node"),
		table.Number("TOKEN", "token").AsWide(),
		{Title: "OUTCOME", Show: runOutcome},
		table.Number("TOOK", "took"),
		table.Prose("REASON", "reason"),
	}
}

// runOutcome is how a run ended, with its exit code when that says more.
func runOutcome(r table.Row) string {
	outcome := strings.ReplaceAll(r.Text("outcome"), "_", " ")
	if code := r.Int("exit_code"); code != 0 {
		return fmt.Sprintf("%s (%d)", outcome, code)
	}
	return outcome
}

// tailText is what the latest run said last, when it did not go well.
func tailText(runs *table.Rows) string {
	r := runs.Row(0)
	tail := strings.TrimRight(r.Text("log_tail"), "\n")
	if tail == "" || r.Text("outcome") == "succeeded" || r.Text("outcome") == "running" {
		return ""
	}
	const most = 10
	lines := strings.Split(tail, "\n")
	lines = lines[max(0, len(lines)-most):]
	for i, line := range lines {
		lines[i] = "  | " + table.Safe(line)
	}
	return "\nIts last output:\n" + strings.Join(lines, "\n") + "\n"
}
