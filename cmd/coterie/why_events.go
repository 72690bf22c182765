package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/internal/table"
	"github.com/coterie-ha/coterie/jobs"
)

// tellEvent is an event as a sentence without its end.
func tellEvent(r table.Row) string {
	node, subject, peer := r.Text("node"), r.Text("subject"), r.Text("peer")
	switch r.Text("kind") {
	case "lease.claimed":
		text := fmt.Sprintf("%s took %s, token %d", node, subject, r.Int("token"))
		switch how := r.Text("reason"); {
		case peer == "":
		case how == "crash":
			text += fmt.Sprintf("; %s had lost it", peer)
		case peer != node:
			text += fmt.Sprintf("; %s had given it up (%s)", peer, how)
		}
		return text
	case "lease.released":
		return fmt.Sprintf("%s gave %s back, token %d (%s)", node, subject, r.Int("token"), r.Text("reason"))
	case "lease.moving":
		return withReason(fmt.Sprintf("%s asked that %s moves to %s", byWhom(r), subject, orElse(peer, "another node")), r)
	case "session.ended":
		text := "the session of " + subject + " ended"
		if peer != "" && peer != subject {
			text = fmt.Sprintf("%s ended the session of %s", peer, subject)
		}
		if seen := r.Time("since"); !seen.IsZero() {
			text += fmt.Sprintf(", whose last heartbeat was at %s", seen.UTC().Format("15:04:05.000"))
		}
		return text + ": " + r.Text("rule")
	case "session.began":
		return subject + " began a session"
	case "node.joined":
		return subject + " joined the cluster"
	case "node.reported":
		return withReason(subject+" said that it is "+stateOf(r), r)
	case "goal.set":
		return withReason(fmt.Sprintf("%s set the goal of %s to %s", byWhom(r), subject, detail(r, "goal")), r)
	case "storage.challenged":
		return subject + " told the others what to look for on the share"
	case "storage.changed":
		return withReason(fmt.Sprintf("%s saw the share change from %s to %s", subject, orElse(detail(r, "from"), "unknown"), detail(r, "to")), r)
	case "job.created", "job.changed", "job.removed":
		return withReason(fmt.Sprintf("%s %s the job%s", r.Text("actor"), strings.TrimPrefix(r.Text("kind"), "job."), changedFields(r)), r)
	case "job.requested":
		return withReason(byWhom(r)+" asked for a run", r)
	case "job.withdrawn":
		return withReason(byWhom(r)+" withdrew a request", r)
	case "job.paused", "job.unpaused":
		what := strings.TrimPrefix(subject, "job/")
		if subject == "jobs" {
			what = "all jobs"
		}
		return withReason(fmt.Sprintf("%s %s %s", byWhom(r), strings.TrimPrefix(r.Text("kind"), "job."), what), r)
	case "cluster.paused", "cluster.unpaused":
		return withReason(fmt.Sprintf("%s %s hand-overs", byWhom(r), strings.TrimPrefix(r.Text("kind"), "cluster.")), r)
	case "cluster.initialised":
		return "the cluster was made"
	case "keystore.key":
		return node + " published the key to which keystores are sealed for it"
	case "run.retried":
		return withReason(fmt.Sprintf("%s began attempt %s, because the one before had ended", node, detail(r, "attempt")), r)
	case "run.lost", "run.refused", "clock.stepped":
		return r.Text("reason")
	}
	return eventText(r)
}

// dated is an event with its time before it.
func dated(r table.Row) string { return "at " + utc(r.Time("at")) + " " + tellEvent(r) }

func withReason(text string, r table.Row) string {
	if why := r.Text("reason"); why != "" {
		return text + ": " + why
	}
	return text
}

// byWhom is the person who did it, or else the role.
func byWhom(r table.Row) string { return orElse(detail(r, "by"), r.Text("actor")) }

// detail is a text among an event's further facts.
func detail(r table.Row, name string) string {
	var facts map[string]any
	raw, _ := r.Value("detail").(json.RawMessage)
	if json.Unmarshal(raw, &facts) != nil || facts[name] == nil {
		return ""
	}
	return fmt.Sprint(facts[name])
}

// changedFields names what a change of a definition changed.
func changedFields(r table.Row) string {
	var facts struct{ Old, New map[string]any }
	raw, _ := r.Value("detail").(json.RawMessage)
	if json.Unmarshal(raw, &facts) != nil || facts.Old == nil || facts.New == nil {
		return ""
	}
	var list []string
	for name, now := range facts.New {
		switch name {
		case "generation", "changed_by", "changed_at", "since", "first_due_at":
			continue
		}
		was, there := facts.Old[name]
		switch {
		case len(facts.Old) == 0: // of a new job, what it says of itself
			if name != "name" && name != "every" && !slices.Contains(ordinary[name == "enabled"], fmt.Sprint(now)) {
				list = append(list, fmt.Sprintf("%s %v", name, now))
			}
		case fmt.Sprint(was) != fmt.Sprint(now):
			if !there {
				was = "none"
			}
			list = append(list, fmt.Sprintf("%s %v -> %v", name, was, now))
		}
	}
	if len(list) == 0 {
		return ""
	}
	slices.Sort(list)
	return " (" + strings.Join(list, ", ") + ")"
}

// ordinary are values of a definition that nobody has to say, by whether they say
// that the job is switched on.
var ordinary = map[bool][]string{
	true: {"true"},
	false: {"", "0", "false", "[]", "map[]", "UTC", string(jobs.GapAuto), string(jobs.FoldAuto), string(jobs.OverlapSkip),
		string(jobs.MisfireOnce), string(jobs.LostRecord), string(jobs.AwayStop)},
}

// The events of some things in a span of time: the oldest of it are left out.
const spanWhere = `
WHERE v.id IN (SELECT e.id FROM coterie.events e WHERE e.subject = ANY ($1::text[]) AND e.at BETWEEN $2 AND $3 ORDER BY e.id DESC LIMIT $4)
ORDER BY v.id`

// The last event of some kinds that a thing had at a time.
const lastWhere = `WHERE v.subject = $1 AND v.kind = ANY ($2::text[]) AND v.at < $3 ORDER BY v.id DESC LIMIT 1`

// last is the last event of these kinds of a thing before an instant.
func (k *cluster) last(ctx context.Context, subject string, before time.Time, kinds ...string) (r table.Row, ok bool, err error) {
	rows, err := k.rows(ctx, "events", lastWhere, subject, pq.StringArray(kinds), before)
	if err != nil || rows.Len() == 0 {
		return table.Row{}, false, err
	}
	return rows.Row(0), true, nil
}

// mostAround bounds what is told around an answer.
const mostAround = 25

// tellAround adds the events of some things in a span of time.
func (k *cluster) tellAround(ctx context.Context, s *story, from, to time.Time, subjects ...string) error {
	rows, err := k.rows(ctx, "events", spanWhere, pq.StringArray(subjects), from, to, mostAround)
	if err != nil {
		return err
	}
	for i := range rows.Len() {
		s.around = append(s.around, episode{rows.Row(i).Time("at"), tellEvent(rows.Row(i))})
	}
	return nil
}

// inOrder sorts what happened by time and drops what is told twice.
func (s *story) inOrder() {
	slices.SortStableFunc(s.around, func(a, b episode) int { return a.at.Compare(b.at) })
	s.around = slices.Compact(s.around)
}
