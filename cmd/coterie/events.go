package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/internal/table"
)

// followEvery is how often --follow looks. A person does not read faster.
const followEvery = time.Second

// eventQuery chooses events.
type eventQuery struct {
	since      time.Duration
	node, kind string
	last       int
	follow     bool
	after      int64 // number of the last event that was shown
}

func (c *cli) eventsCommand() *cobra.Command {
	var q eventQuery
	cmd := &cobra.Command{
		Use:   "events",
		Short: "What happened, oldest first",
		Example: `  coterie events
  coterie events --since 1h --node app-a
  coterie events --kind lease --follow
  coterie events -o jsonl --last 1000`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if q.follow && !followable(c.flags.format()) {
				return usageProblem("--follow has no end, and %s is one document", c.flags.format()).hint("", "Use -o jsonl")
			}
			ctx, cancel := c.context(cmd)
			defer cancel()
			k, err := c.open(ctx, cmd)
			if err != nil {
				return err
			}
			defer k.db.Close()
			rows, err := q.read(ctx, k)
			if err != nil {
				return err
			}
			if err := c.show(rows, eventFields()...); err != nil || !q.follow {
				return err
			}
			return c.follow(ctx, k, &q)
		},
	}
	cmd.Flags().DurationVar(&q.since, "since", 0, "only of the last `TIME`, such as 1h")
	cmd.Flags().StringVar(&q.node, "node", "", "only of this `NODE`")
	cmd.Flags().StringVar(&q.kind, "kind", "", "only of this `KIND`, such as lease.claimed or lease")
	cmd.Flags().IntVar(&q.last, "last", 50, "at most the last `NUMBER`")
	cmd.Flags().BoolVarP(&q.follow, "follow", "f", false, "go on showing what happens")
	return cmd
}

func followable(f table.Format) bool {
	return f == table.Table || f == table.Wide || f == table.JSONL
}

// eventsWhere can leave the newest moment ($6) for the next reading: events that
// commit at the same time may become visible in another order than their
// numbers, and whoever goes on from the highest number would miss some.
const eventsWhere = `
WHERE v.id IN (
    SELECT e.id FROM coterie.events e
    WHERE e.id > $1
      AND ($2 = 0 OR e.at > coterie.clock() - make_interval(secs => $2))
      AND ($3 = '' OR e.node = $3 OR e.subject = $3 OR e.peer = $3)
      AND ($4 = '' OR e.kind = $4 OR e.kind LIKE $4 || '.%')
      AND e.at <= coterie.clock() - make_interval(secs => $6)
    ORDER BY e.id DESC LIMIT $5)
ORDER BY v.id`

// read reads the events that come after those already read.
func (q *eventQuery) read(ctx context.Context, k *cluster) (*table.Rows, error) {
	settled := 0.0
	if q.follow {
		settled = followEvery.Seconds()
	}
	rows, err := k.rows(ctx, "events", eventsWhere, q.after, q.since.Seconds(), q.node, q.kind, q.last, settled)
	if err != nil {
		return nil, err
	}
	if n := rows.Len(); n > 0 {
		q.after = rows.Row(n - 1).Int("id")
	}
	return rows, nil
}

// follow shows new events until somebody stops it.
func (c *cli) follow(ctx context.Context, k *cluster, q *eventQuery) error {
	q.last, q.since = 10_000, 0
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil // to be stopped is how this ends
		case <-tick.C:
		}
		rows, err := q.read(ctx, k)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if rows.Len() == 0 {
			continue
		}
		if err := c.showMore(rows, eventFields()...); err != nil {
			return err
		}
	}
}

func eventFields() []table.Field {
	return []table.Field{
		{Title: "TIME (UTC)", Show: func(r table.Row) string { return r.Time("at").UTC().Format("01-02 15:04:05") }},
		table.Column("NODE", "node"),
		{Title: "WHAT", Show: eventText, Text: true},
	}
}

// eventText is an event in words.
func eventText(r table.Row) string {
	var b strings.Builder
	b.WriteString(r.Text("kind"))
	if s := r.Text("subject"); s != "" && s != r.Text("node") {
		b.WriteString(" " + s)
	}
	if token := r.Int("token"); token > 0 {
		fmt.Fprintf(&b, ", token %d", token)
	}
	if peer := r.Text("peer"); peer != "" && peer != r.Text("node") {
		b.WriteString(", from " + peer)
	}
	for _, column := range []string{"rule", "reason"} {
		if why := r.Text(column); why != "" {
			b.WriteString(": " + why)
		}
	}
	return b.String()
}
