package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
)

// logQuery chooses the output of a run.
type logQuery struct {
	job, run string // last, or the run's due_at as it is shown
	follow   bool

	due     time.Time // of the run
	shown   bool      // something was
	attempt int64     // of the last piece that was read
	end     int64     // where that ended
}

const (
	runThenWhere = `WHERE v.job = $1 AND v.due_at = ANY (ARRAY(SELECT unnest(coterie.slots_before($1, $3, 1, true)))) AND v.due_at >= $2`
	runLastWhere = `WHERE v.job = $1 AND v.due_at = ANY (ARRAY(SELECT unnest(coterie.slots_before($1, 'infinity', 1, true))))`
	piecesWhere  = `WHERE v.job = $1 AND v.due_at = $2 AND (v.attempt, v.start) >= ($3::smallint, $4::bigint) ORDER BY v.attempt, v.start LIMIT 100`
)

// showLog shows what a run said, from whichever node.
func (c *cli) showLog(ctx context.Context, k *cluster, q logQuery) error {
	run, err := k.findRun(ctx, q)
	if err != nil {
		return err
	}
	q.due = run.Row(0).Time("due_at")
	if !c.plain() {
		return c.logDocument(ctx, k, q, run)
	}
	if err := c.copyLog(ctx, k, &q); err != nil {
		return err
	}
	for q.follow && run.Row(0).Text("outcome") == "running" {
		if run, err = c.followLog(ctx, k, &q); err != nil || run == nil {
			return err
		}
	}
	r := run.Row(0)
	if tail := r.Text("log_tail"); !q.shown && tail != "" {
		if err := c.print(safeLines(strings.TrimSuffix(tail, "\n") + "\n")); err != nil {
			return err
		}
	}
	c.say("%s: %s on %s, %s", q.job, runOutcome(r), r.Text("node"), logEnd(r))
	return nil
}

func logEnd(r table.Row) string {
	if r.Text("outcome") == "running" {
		return "for " + table.Between(r.Time("started_at"), r.At()) + " so far"
	}
	return "took " + took(r)
}

// findRun finds the run that is meant: the latest of those that fit.
func (k *cluster) findRun(ctx context.Context, q logQuery) (*table.Rows, error) {
	where, args := runLastWhere, []any{q.job}
	if q.run != "last" {
		m, err := parseMoment(q.run, time.UTC, time.Now())
		if err != nil {
			return nil, err
		}
		where, args = runThenWhere, append(args, m.from, m.until())
	}
	run, err := k.rows(ctx, "runs", where, args...)
	if err != nil || run.Len() > 0 {
		return run, err
	}
	job, err := k.rows(ctx, "jobs", "WHERE v.name = $1", q.job)
	if err != nil {
		return nil, err
	}
	if job.Len() == 0 {
		return nil, k.none(ctx, "COT-510", "jobs", "job", q.job)
	}
	p := problem.New("COT-522", nil, "%s has no run %q", q.job, q.run)
	p.Remedy = fmt.Sprintf("coterie jobs %s shows its runs; name one by its due time, such as --log \"11-20 02:30:00\", or --log last", q.job)
	return nil, p
}

// followEach is how often a run is looked at that is followed.
const followEach = 300 * time.Millisecond

// followLog shows what comes until the run has ended; no run is one that nobody
// wants to follow any more.
func (c *cli) followLog(ctx context.Context, k *cluster, q *logQuery) (*table.Rows, error) {
	tick := time.NewTicker(followEach)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, nil // to be stopped is one way in which this ends
		case <-tick.C:
		}
		// The run first: what it says comes before its end.
		run, err := k.rows(ctx, "runs", runWhere, q.job, q.due)
		if err == nil {
			err = c.copyLog(ctx, k, q)
		}
		switch {
		case ctx.Err() != nil:
			return nil, nil
		case err != nil:
			return nil, err
		case run.Len() == 0:
			return nil, problem.New("COT-522", nil, "the run of %s was pruned meanwhile", q.job)
		case run.Row(0).Text("outcome") != "running":
			return run, nil
		}
	}
}

// copyLog shows the pieces that have come since.
func (c *cli) copyLog(ctx context.Context, k *cluster, q *logQuery) error {
	for {
		pieces, err := k.rows(ctx, "outputs", piecesWhere, q.job, q.due, q.attempt, q.end)
		if err != nil || pieces.Len() == 0 {
			return err
		}
		for i := range pieces.Len() {
			if err := c.print(q.take(pieces.Row(i))); err != nil {
				return err
			}
		}
	}
}

// take is a piece as it is shown: with what was left out before it.
func (q *logQuery) take(r table.Row) string {
	text := ""
	if q.shown && r.Int("attempt") != q.attempt {
		text = fmt.Sprintf("\n--- attempt %d ---\n", r.Int("attempt"))
		q.end = 0
	}
	if start := r.Int("start"); start > q.end {
		text += fmt.Sprintf("\n--- %d bytes left out ---\n", start-q.end)
	}
	q.shown, q.attempt, q.end = true, r.Int("attempt"), r.Int("start")+r.Int("size")
	return text + safeLines(r.Text("text"))
}

// safeLines is a text whose lines cannot steer a terminal.
func safeLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line, ended := strings.CutSuffix(line, "\n")
		for i, part := range strings.Split(line, "\t") {
			if i > 0 {
				b.WriteByte('\t')
			}
			b.WriteString(table.Safe(part))
		}
		if ended {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// logDocument is the run and what it said, for programs.
func (c *cli) logDocument(ctx context.Context, k *cluster, q logQuery, run *table.Rows) error {
	if q.follow {
		return usageProblem("--follow has no end, and %s is one document", c.flags.format()).hint("", "Leave out -o")
	}
	pieces, err := k.rows(ctx, "outputs", `WHERE v.job = $1 AND v.due_at = $2 ORDER BY v.attempt, v.start`, q.job, q.due)
	if err != nil {
		return err
	}
	var text strings.Builder
	for i := range pieces.Len() {
		text.WriteString(q.take(pieces.Row(i)))
	}
	said := text.String()
	if pieces.Len() == 0 {
		said = run.Row(0).Text("log_tail")
	}
	doc := append(run.Object(0), table.Member{Name: "output", Value: said})
	return doc.Write(c.out, c.flags.format())
}
