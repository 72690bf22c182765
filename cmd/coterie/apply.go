package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/lib/pq"
	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/jobs"
)

func (c *cli) jobsApply() *cobra.Command {
	var file, reason string
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Make the jobs of the cluster those of a file",
		Long: `Make the jobs of the cluster those of a file, all at once or not at all. Jobs
that the file does not have are removed; their history stays.`,
		Example: `  coterie jobs apply -f jobs.yaml -n          what it would change
  coterie jobs apply -f jobs.yaml -y -m "purge more often"
  coterie jobs apply -f - < jobs.yaml`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return usageProblem("coterie jobs apply needs -f FILE").hint("", "See: coterie jobs apply --help")
			}
			wanted, err := c.readJobs(file)
			if err != nil {
				return err
			}
			ctx, cancel := c.context(cmd)
			defer cancel()
			k, err := c.open(ctx, cmd)
			if err != nil {
				return err
			}
			defer k.db.Close()
			return c.apply(ctx, k, wanted, reason)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "`FILE` of jobs, - for stdin")
	reasonFlag(cmd, &reason)
	return cmd
}

// readJobs reads a file of jobs; all that is wrong with it is one problem.
func (c *cli) readJobs(file string) ([]jobs.Definition, error) {
	text, err := c.readFile(file)
	if err != nil {
		return nil, err
	}
	wanted, err := jobs.ParseFile(text)
	faults, ok := errors.AsType[jobs.Faults](err)
	if !ok {
		return wanted, err
	}
	var lines []string
	for _, f := range faults {
		lines = append(lines, fmt.Sprintf("\n  %d:%d  %s", f.Line, f.Column, f.Text))
	}
	return nil, problem.New("COT-501", nil, "%s has %s%s", file, plural(int64(len(faults)), "error"), strings.Join(lines, ""))
}

func (c *cli) readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(c.in)
	}
	return os.ReadFile(name)
}

func (c *cli) apply(ctx context.Context, k *cluster, wanted []jobs.Definition, reason string) error {
	defined, err := k.actions(ctx)
	if err != nil {
		return err
	}
	if err := jobs.CheckActions(wanted, defined); err != nil {
		p := problem.New("COT-502", nil, "%s", strings.ReplaceAll(err.Error(), "\n", "\n  "))
		p.Remedy = "define it under actions: in the configuration of a node, and start its agent again; known are: " + orNobody(defined)
		return p
	}
	current, err := jobs.Current(ctx, k.db)
	if err != nil {
		return err
	}
	changes := jobs.Diff(current, wanted)
	if len(changes) == 0 {
		return c.applied(changes, "The jobs are as the file says; nothing to do.\n")
	}
	lines := strings.Split(strings.TrimSpace(changes.String()), "\n")
	if done, err := c.agree("Would change "+plural(int64(len(changes)), "job")+":", lines, "Go on?"); done || err != nil {
		return err
	}
	if _, err := jobs.Apply(ctx, k.db, changes, reason); err != nil {
		return err
	}
	return c.applied(changes, plural(int64(len(changes)), "job")+" changed; the nodes follow with their next heartbeat.\n")
}

func (c *cli) applied(changes jobs.Changes, text string) error {
	list := []table.Document{}
	for _, one := range changes {
		how := "changed"
		switch {
		case one.Old == nil:
			how = "added"
		case one.New == nil:
			how = "removed"
		}
		list = append(list, table.Document{{Name: "job", Value: one.Name()}, {Name: "change", Value: how}})
	}
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.jobs_apply/v1"},
		{Name: "changes", Value: list},
	}, text)
}

const actionsSQL = `
SELECT coalesce(array_agg(DISTINCT a ORDER BY a), '{}')
FROM coterie.nodes n, unnest(n.actions) AS a
WHERE n.state NOT IN ('left', 'evicted')`

// actions are the names of what jobs may run: what nodes that joined have
// defined, and what this node's configuration defines, which may not have
// joined yet.
func (k *cluster) actions(ctx context.Context) ([]string, error) {
	var names pq.StringArray
	if err := k.db.GetContext(ctx, &names, actionsSQL); err != nil {
		return nil, fmt.Errorf("read the actions of the nodes: %w", err)
	}
	for _, a := range k.cfg.Actions {
		names = append(names, a.Name)
	}
	names = append(names, jobs.PruneAction)
	slices.Sort(names)
	return slices.Compact(names), nil
}

func orNobody(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
