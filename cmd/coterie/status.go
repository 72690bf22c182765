package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

func (c *cli) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "One screen: is the cluster well, and if not, what to do",
		Long: `One screen: is the cluster well, and if not, what to do. The exit code is 0 when
it is, and 3 when somebody should look. When the database cannot be reached, the
agent of this machine is asked what it knew last, and the exit code is 6.`,
		Example: `  coterie status
  coterie status -o json | jq -r .sentence
  coterie status --timeout 2s || echo "look at it"`,
		Args: nothing,
		RunE: c.runStatus,
	}
}

func (c *cli) runStatus(cmd *cobra.Command, _ []string) error {
	ctx, cancel := c.context(cmd)
	defer cancel()
	cfg, err := c.load(cmd)
	if err != nil {
		return err
	}
	all, err := c.readAll(ctx, cmd)
	if err == nil {
		return c.showAll(all)
	}
	p := asProblem(err)
	if p.Exit != problem.ExitUnreachable {
		return p
	}
	return c.statusFromAgent(cmd.Context(), cfg, p)
}

// all is what one screen shows.
type all struct {
	status, nodes, findings *table.Rows
	jobs                    jobSums
	rtt                     time.Duration
}

// jobSums are the jobs in four numbers.
type jobSums struct{ Total, Running, Overdue, Failing int64 }

const jobSumsSQL = `
SELECT count(*) AS total, count(running_since) AS running,
       count(*) FILTER (WHERE overdue AND running_since IS NULL) AS overdue, count(*) FILTER (WHERE failures_in_row > 0) AS failing
FROM coterie.jobs`

func (c *cli) readAll(ctx context.Context, cmd *cobra.Command) (all, error) {
	k, err := c.open(ctx, cmd)
	if err != nil {
		return all{}, err
	}
	defer k.db.Close()
	a := all{rtt: k.rtt}
	for _, list := range []struct {
		into       **table.Rows
		view, rest string
	}{
		{&a.status, "status", ""},
		{&a.nodes, "nodes", "WHERE v.state NOT IN ('left', 'evicted') ORDER BY v.name"},
		{&a.findings, "findings", "ORDER BY array_position(ARRAY['error', 'warning'], v.severity), v.code, v.subject"},
	} {
		if *list.into, err = k.rows(ctx, list.view, list.rest); err != nil {
			return all{}, err
		}
	}
	if err := k.db.GetContext(ctx, &a.jobs, jobSumsSQL); err != nil {
		return all{}, fmt.Errorf("count the jobs: %w", err)
	}
	if a.status.Len() == 0 {
		return all{}, problem.New("COT-220", nil, "the cluster has just been removed from the database")
	}
	return a, nil
}

// showAll writes the screen; the exit code says whether somebody should look.
func (c *cli) showAll(a all) error {
	var err error
	switch c.flags.format() {
	case table.Table, table.Wide:
		err = c.statusText(a)
	case table.CSV:
		err = c.show(a.status)
	default:
		err = a.document().Write(c.out, c.flags.format())
	}
	if err != nil {
		return err
	}
	if a.status.Row(0).Text("status") != "Up" {
		return outcome(problem.ExitDegraded)
	}
	return nil
}

// document is the columns of the view status, and the lists that go with it.
func (a all) document() table.Document {
	return append(a.status.Object(0),
		table.Member{Name: "jobs", Value: table.Document{
			{Name: "total", Value: a.jobs.Total},
			{Name: "running", Value: a.jobs.Running},
			{Name: "overdue", Value: a.jobs.Overdue},
			{Name: "failing", Value: a.jobs.Failing},
		}},
		table.Member{Name: "nodes", Value: a.nodes.List()},
		table.Member{Name: "findings", Value: a.findings.List()})
}

func (c *cli) statusText(a all) error {
	s := a.status.Row(0)
	head := fmt.Sprintf("Cluster %s    %s, %d ready    schema %d    database %.1f ms\n", s.Text("name"),
		plural(s.Int("nodes_total"), "node"), s.Int("nodes_ready"), s.Int("schema_version"), float64(a.rtt.Microseconds())/1000)
	sign := statusSign(s)
	if err := c.print(head + c.sign(sign) + " " + c.folded(s.Text("sentence"), len(sign)+1) + "\n"); err != nil {
		return err
	}
	if err := c.nodeTable(a.nodes); err != nil {
		return err
	}
	return c.print(a.jobs.text() + c.findingsText(a.findings))
}

func (j jobSums) text() string {
	if j.Total == 0 {
		return ""
	}
	return fmt.Sprintf("\n%s: %d running, %d overdue, %d failing\n", plural(j.Total, "job"), j.Running, j.Overdue, j.Failing)
}

func statusSign(r table.Row) string {
	switch r.Text("status") {
	case "Up":
		return signWell
	case "Down":
		return signBad
	}
	return signLook
}

// nodeTable is the nodes as a part of a screen.
func (c *cli) nodeTable(nodes *table.Rows) error {
	if nodes.Len() == 0 {
		return nil
	}
	if err := c.print("\n"); err != nil {
		return err
	}
	return nodes.Write(c.out, c.flags.format(), table.Sheet{Fields: nodeFields(), Width: c.width(), Indent: 2})
}

// findingsText is each open problem with its remedy; notes are for those who ask.
func (c *cli) findingsText(findings *table.Rows) string {
	var b strings.Builder
	for i := range findings.Len() {
		r := findings.Row(i)
		sign := map[string]string{"error": signBad, "warning": signLook}[r.Text("severity")]
		if sign == "" && c.flags.format() != table.Wide {
			continue
		}
		if sign == "" {
			sign = "-"
		}
		text := r.Text("code") + " " + r.Text("text")
		if since := r.Time("since"); !since.IsZero() {
			text += ", for " + table.Between(since, r.At())
		}
		fmt.Fprintf(&b, "\n%s %s\n    remedy  %s\n", c.sign(sign), c.folded(text, len(sign)+1), c.folded(r.Text("remedy"), 12))
	}
	return b.String()
}
