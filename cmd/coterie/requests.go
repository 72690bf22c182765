package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/jobs"
)

func (c *cli) requestsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "requests [JOB]",
		Short: "Runs that were asked for, and what each waits for",
		Example: `  coterie requests
  coterie requests report -o json
  coterie requests withdraw 17 -m "asked twice"`,
		Args:              perhapsOne("JOB"),
		ValidArgsFunction: c.completeNames("jobs"),
		RunE:              c.listRequests,
	}
	cmd.AddCommand(c.withdrawCommand())
	return cmd
}

func (c *cli) listRequests(cmd *cobra.Command, args []string) error {
	ctx, cancel := c.context(cmd)
	defer cancel()
	k, err := c.open(ctx, cmd)
	if err != nil {
		return err
	}
	defer k.db.Close()
	job := strings.Join(args, "")
	rows, err := k.rows(ctx, "requests", "WHERE $1 IN ('', v.job) ORDER BY v.id", job)
	if err != nil {
		return err
	}
	if rows.Len() == 0 && job != "" {
		if is, err := k.rows(ctx, "jobs", "WHERE v.name = $1", job); err != nil || is.Len() == 0 {
			return errors.Join(err, k.none(ctx, "COT-510", "jobs", "job", job))
		}
	}
	return c.show(rows,
		table.Number("NUMBER", "id"),
		table.Column("JOB", "job"),
		table.Column("ASKED", "due_at"),
		table.Column("BY", "requested_by"),
		table.Column("STATE", "state"),
		table.Column("NODE", "node").AsWide(),
		table.Column("PARAMETERS", "params").AsWide(),
		table.Column("REASON", "reason").AsWide(),
		table.Column("WAITS FOR", "message"))
}

func (c *cli) withdrawCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "withdraw NUMBER...",
		Short: "Take back requests that no run has begun",
		Long: `Takes back requests that no run has begun, or that wait for another attempt.
History has each as skipped, with who withdrew it. What runs goes on.`,
		Example: `  coterie requests withdraw 17 -m "asked twice"
  coterie requests withdraw 17 18 19 -y`,
		Args: func(cmd *cobra.Command, args []string) error { return words(cmd, args, 1, 10000, "NUMBER") },
		RunE: func(cmd *cobra.Command, args []string) error {
			numbers, err := requestNumbers(args)
			if err != nil {
				return err
			}
			if done, err := c.agree("Would withdraw "+plural(int64(len(args)), "request")+":", []string{strings.Join(args, " ")}, "Go on?"); done || err != nil {
				return err
			}
			ctx, cancel := c.context(cmd)
			defer cancel()
			k, err := c.open(ctx, cmd)
			if err != nil {
				return err
			}
			defer k.db.Close()
			return c.withdraw(ctx, k, numbers, reason)
		},
	}
	reasonFlag(cmd, &reason)
	return cmd
}

// requestNumbers understands all of them before anything is withdrawn.
func requestNumbers(args []string) ([]int64, error) {
	numbers := make([]int64, len(args))
	for i, arg := range args {
		n, err := strconv.ParseInt(arg, 10, 64)
		if err != nil || n < 1 {
			return nil, usageProblem("%q is not the number of a request", arg).hint("", "See: coterie requests")
		}
		numbers[i] = n
	}
	return numbers, nil
}

// withdraw takes back one after another. It ends at the first that it cannot
// take back, and says which those before were.
func (c *cli) withdraw(ctx context.Context, k *cluster, numbers []int64, reason string) error {
	for i, n := range numbers {
		err := jobs.Withdraw(ctx, k.db, n, caller(), reason)
		if err == nil {
			continue
		}
		before := ""
		if len(numbers) > 1 {
			before = fmt.Sprintf("; of %d, %d were withdrawn before it", len(numbers), i)
		}
		switch {
		case errors.Is(err, jobs.ErrNoRequest):
			return problem.New("COT-523", nil, "no request %d waits%s", n, before)
		case errors.Is(err, jobs.ErrBegun):
			p := problem.New("COT-504", nil, "the run of request %d has begun%s", n, before)
			p.Remedy = "coterie requests says which node has it"
			return p
		}
		return err
	}
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.request_withdraw/v1"},
		{Name: "withdrawn", Value: numbers},
	}, plural(int64(len(numbers)), "request")+" withdrawn.\n")
}
