package main

import (
	"context"
	"fmt"
	"time"

	"github.com/coterie-ha/coterie/internal/problem"
	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/jobs"
)

// showNext lists the next slots of a job, as every node finds them.
func (c *cli) showNext(ctx context.Context, k *cluster, name string, n int) error {
	d, found, err := jobs.Find(ctx, k.db, name)
	if err != nil {
		return err
	}
	if !found {
		return k.none(ctx, "COT-510", "jobs", "job", name, "apply")
	}
	if d.Disabled {
		p := problem.New("COT-504", nil, "%s is disabled: it has no slots", name)
		p.Remedy = "remove enabled: false from its definition, and coterie jobs apply"
		return p
	}
	s, err := d.Timetable()
	if err != nil {
		return fmt.Errorf("job %s: %w", name, err)
	}
	zone, err := time.LoadLocation(d.TimeZone)
	if err != nil {
		return fmt.Errorf("job %s: %w", name, err)
	}
	var now time.Time
	if err := k.db.GetContext(ctx, &now, `SELECT coterie.clock()`); err != nil {
		return fmt.Errorf("ask the database for the time: %w", err)
	}
	rows := &table.Rows{View: "slots", Columns: []string{"job", "due_at", "local"}, At: now}
	for due := s.Next(now); !due.IsZero() && rows.Len() < n; due = s.Next(due) {
		local := due.In(zone).Format("Mon 2006-01-02 15:04:05.999 MST")
		rows.Values = append(rows.Values, []any{name, due, local})
	}
	if rows.Len() == 0 && c.plain() {
		return c.print(name + " has no further slots.\n")
	}
	return c.show(rows,
		table.Field{Title: "DUE (UTC)", Show: func(r table.Row) string { return r.Time("due_at").UTC().Format("2006-01-02 15:04:05.999") }},
		table.Column("LOCAL", "local"),
		table.Column("IN", "due_at"),
	)
}
