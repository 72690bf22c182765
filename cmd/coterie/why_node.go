package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/internal/table"
)

// whyNode tells why a node is, or was, in its state.
func (k *cluster) whyNode(ctx context.Context, s *story) error {
	s.more = "nodes " + s.subject
	rows, err := k.rows(ctx, "nodes", "WHERE v.name = $1", s.subject)
	if err != nil {
		return err
	}
	before := rows.Row(0).At().Add(time.Microsecond)
	if s.at.zero() {
		k.tellNode(s, rows.Row(0))
		err = k.tellDuties(ctx, s)
	} else {
		before = s.at.until()
		err = k.tellNodeAt(ctx, s, before)
	}
	if err != nil {
		return err
	}
	err = k.tellTurns(ctx, s, before)
	s.inOrder()
	return err
}

// tellNode is a node as it is.
func (k *cluster) tellNode(s *story, r table.Row) {
	name, state := r.Text("name"), r.Text("state")
	seen := ""
	if at := r.Time("last_seen_at"); !at.IsZero() {
		seen = fmt.Sprintf(" Its last heartbeat was at %s, %s ago.", utc(at), table.Between(at, r.At()))
	}
	switch state {
	case "dead":
		s.say("%s is dead: its session was ended, and it has not begun a new one.%s", name, seen)
	case "suspect":
		s.say("%s is late: its session has expired, and nobody has ended it yet.%s", name, seen)
	default:
		s.say("%s is %s since %s.%s", name, state, utc(r.Time("state_at")), seen)
	}
	if message := r.Text("message"); message != "" {
		s.say("It says: %s", sentence(message))
	}
	if r.Text("goal_by") != "" {
		s.say("%s set its goal to %s at %s%s", r.Text("goal_by"), r.Text("goal"), utc(r.Time("goal_at")), becauseOf(r.Text("goal_reason")))
	}
	if share := r.Text("storage_state"); share != "" && share != "OK" {
		s.say("It sees the share as %s.", share)
	}
	if !r.Bool("candidate") {
		s.say("It is a front end, which never holds leases and runs no jobs.")
	}
}

func becauseOf(reason string) string {
	if reason == "" {
		return "."
	}
	return ": " + sentence(reason)
}

// mostDuties bounds how many leases are told by name.
const mostDuties = 10

// tellDuties names what the node holds.
func (k *cluster) tellDuties(ctx context.Context, s *story) error {
	held, err := k.rows(ctx, "leases", "WHERE v.holder = $1 ORDER BY v.acquired_at LIMIT $2", s.subject, mostDuties+1)
	if err != nil || held.Len() == 0 {
		return err
	}
	var names []string
	for i := range min(held.Len(), mostDuties) {
		names = append(names, held.Row(i).Text("name"))
	}
	more := ""
	if held.Len() > mostDuties {
		more = " and others"
	}
	s.say("It holds %s%s.", strings.Join(names, ", "), more)
	return nil
}

// tellNodeAt is what a node was, by what it and others wrote down before.
func (k *cluster) tellNodeAt(ctx context.Context, s *story, before time.Time) error {
	life, known, err := k.last(ctx, s.subject, before, "session.began", "session.ended")
	if err != nil {
		return err
	}
	at := utc(s.at.from)
	switch {
	case !known:
		s.say("%s had no session at %s.", s.subject, at)
	case life.Text("kind") == "session.ended":
		s.say("%s had no session at %s: %s.", s.subject, at, dated(life))
	default:
		s.say("%s had a session at %s, since %s.", s.subject, at, utc(life.Time("at")))
	}
	for _, kind := range []string{"node.reported", "goal.set", "storage.changed"} {
		last, known, err := k.last(ctx, s.subject, before, kind)
		if err != nil {
			return err
		}
		if known {
			s.say("%s.", upper(dated(last)))
		}
	}
	return nil
}

// turns are what changes the state of a node.
var turns = []string{"session.began", "session.ended", "node.reported", "node.joined", "node.refused", "goal.set", "storage.changed"}

// tellTurns tells the last turns of a node before an instant, and what happened
// to it in the minutes around the moment that was asked about.
func (k *cluster) tellTurns(ctx context.Context, s *story, before time.Time) error {
	if err := k.tellLast(ctx, s, s.subject, before, turns...); err != nil || s.at.zero() {
		return err
	}
	return k.tellAround(ctx, s, s.at.from.Add(-2*time.Minute), s.at.until().Add(2*time.Minute), s.subject, k.cfg.Cluster, "database")
}

// tellLast tells the last events of some kinds that a thing had before an instant.
func (k *cluster) tellLast(ctx context.Context, s *story, subject string, before time.Time, kinds ...string) error {
	rows, err := k.rows(ctx, "events", turnsWhere, subject, pq.StringArray(kinds), before)
	if err != nil {
		return err
	}
	for i := range rows.Len() {
		s.around = append(s.around, episode{rows.Row(i).Time("at"), tellEvent(rows.Row(i))})
	}
	return nil
}

const turnsWhere = `
WHERE v.id IN (SELECT e.id FROM coterie.events e WHERE e.subject = $1 AND e.kind = ANY ($2::text[]) AND e.at < $3 ORDER BY e.id DESC LIMIT 8)
ORDER BY v.id`
