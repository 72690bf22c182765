package demo

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/coterie-ha/coterie/internal/table"
)

// boardEvery is how often the board is drawn, or the ledger read where there is none.
const boardEvery = 400 * time.Millisecond

// showBoard keeps the board current until ctx ends. Where there is no terminal it
// tells what the ledger says, line by line.
func (d *demo) showBoard(ctx context.Context) error {
	tick := time.NewTicker(boardEvery)
	defer tick.Stop()
	head, err := d.head(ctx)
	if err != nil {
		return asEnd(err)
	}
	told := time.Now()
	for {
		if d.show.terminal() {
			s, err := look(ctx, d.db)
			if err != nil && ctx.Err() == nil {
				return err
			}
			if err == nil {
				d.show.draw(d.board(s))
			}
		} else {
			events, err := newerEvents(ctx, d.db, head)
			if err != nil && ctx.Err() == nil {
				return err
			}
			for _, e := range events {
				head = e.ID
				if text := e.sentence(); text != "" {
					d.show.say("%s", text)
				}
			}
			if time.Since(told) > 5*time.Second {
				told = time.Now()
				if err := d.sayProgress(ctx); err != nil && ctx.Err() == nil {
					return err
				}
			}
		}
		select {
		case <-ctx.Done():
			d.show.draw(nil)
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// head is the last event that is no news any more: all before the jobs came.
func (d *demo) head(ctx context.Context) (head int64, err error) {
	err = d.db.GetContext(ctx, &head, `SELECT coalesce(max(id), 0) FROM coterie.events WHERE kind = 'job.created'`)
	if err != nil {
		return 0, fmt.Errorf("look at the events: %w", err)
	}
	return head, nil
}

const progressSQL = `
SELECT count(*) FILTER (WHERE outcome = 'succeeded'), count(*) FILTER (WHERE outcome IN ('skipped', 'missed')),
       count(*) FILTER (WHERE outcome NOT IN ('succeeded', 'skipped', 'missed', 'running'))
FROM coterie.runs`

func (d *demo) sayProgress(ctx context.Context) error {
	var well, not, badly int
	if err := d.db.QueryRowContext(ctx, progressSQL).Scan(&well, &not, &badly); err != nil {
		return fmt.Errorf("look at the runs: %w", err)
	}
	d.show.say("slots so far: %d succeeded, %d did not, %d skipped or missed", well, badly, not)
	return nil
}

// board is the table of the demo.
func (d *demo) board(s seen) []string {
	b := []string{"", s.sentence, ""}
	b = append(b, fmt.Sprintf(" %-7s %-9s %-5s %6s %6s  %-10s %s", "NODE", "STATE", "SEEN", "LEASES", "DB", "STORAGE", "MESSAGE"))
	for _, n := range s.nodes {
		state := n.State
		if node := d.node(n.Name); node != nil && node.doing() != "" {
			state = node.doing()
		}
		b = append(b, fmt.Sprintf(" %-7s %-9s %-5s %6d %6s  %-10s %s", n.Name, state, ago(n.Seen), n.Leases, millis(n.RTT), dash(n.Storage), dash(table.Safe(n.Message))))
	}
	b = append(b, "", fmt.Sprintf(" %-18s %-6s %-7s %6s %-10s %6s %6s  %s", "JOB", "EVERY", "RUNNER", "TOKEN", "LAST", "TOOK", "NEXT", "MESSAGE"))
	for _, j := range s.jobs[:min(len(s.jobs), 12)] {
		b = append(b, fmt.Sprintf(" %-18s %-6s %-7s %6d %-10s %6s %6s  %s", j.Name, strings.TrimPrefix(j.Schedule, "@every "), dash(j.Runner), j.Token,
			dash(j.Last), ago(j.Took), in(j.Next), table.Safe(j.Message)))
	}
	if more := len(s.jobs) - 12; more > 0 {
		b = append(b, fmt.Sprintf(" and %d more jobs", more))
	}
	b = append(b, "", " LAST EVENTS")
	for _, e := range s.events {
		if text := e.sentence(); text != "" {
			b = append(b, " "+e.At.UTC().Format("15:04:05.0")+"  "+text)
		}
	}
	return append(b, "", " Ctrl-C ends the demo and removes everything.")
}

// sentence says an event in words; "" for those that only repeat another.
func (e eventRow) sentence() string {
	if strings.HasPrefix(e.Subject, "job/"+loadPrefix) && e.Reason != causeCrash {
		return "" // there are many
	}
	token := ""
	if e.Token != nil {
		token = ", token " + strconv.FormatInt(*e.Token, 10)
	}
	switch e.Kind {
	case "lease.claimed":
		if e.Peer != "" && e.Peer != e.Node {
			return fmt.Sprintf("%s took %s from %s (%s)%s", e.Node, e.Subject, e.Peer, e.Reason, token)
		}
		return fmt.Sprintf("%s took %s%s", e.Node, e.Subject, token)
	case "lease.released":
		return fmt.Sprintf("%s gave %s back%s", e.Node, e.Subject, token)
	case "session.ended":
		return fmt.Sprintf("the session of %s ended: %s", e.Subject, e.Reason)
	case "session.began":
		return e.Subject + " began a session"
	case "node.reported":
		if e.Message != "" {
			return fmt.Sprintf("%s is %s: %s", e.Subject, e.State, e.Message)
		}
		return fmt.Sprintf("%s is %s", e.Subject, e.State)
	case "storage.changed":
		if e.To == "OK" {
			return ""
		}
		return fmt.Sprintf("%s sees the share %s: %s", e.Subject, e.To, e.Reason)
	case "lease.declared", "node.joined", "storage.challenged", "keystore.key", "setting.changed", "job.created", "job.removed":
		return ""
	}
	return strings.TrimSpace(strings.ReplaceAll(e.Kind, ".", " ") + " " + e.Subject + " " + e.Reason)
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// ago is a number of seconds as people read it.
func ago(seconds *float64) string {
	if seconds == nil {
		return "-"
	}
	return table.Duration(time.Duration(*seconds * float64(time.Second)))
}

func in(seconds *float64) string {
	switch {
	case seconds == nil:
		return "-"
	case *seconds < 0:
		return "now"
	}
	return ago(seconds)
}

func millis(ms *float64) string {
	if ms == nil {
		return "-"
	}
	return strconv.FormatFloat(*ms, 'f', 1, 64) + "ms"
}
