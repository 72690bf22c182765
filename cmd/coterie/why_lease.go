package main

import (
	"context"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/coterie-ha/coterie/internal/table"
)

// whyLease tells why a lease is, or was, where it is.
func (k *cluster) whyLease(ctx context.Context, s *story) error {
	s.more = "leases " + s.subject
	rows, err := k.rows(ctx, "leases", "WHERE v.name = $1", s.subject)
	if err != nil {
		return err
	}
	var before time.Time
	switch {
	case !s.at.zero():
		before = s.at.until()
		err = k.tellLeaseAt(ctx, s, before)
	case rows.Len() == 0:
		s.say("There is no lease %s any more.", s.subject)
		before = time.Now().Add(24 * time.Hour) // everything
	default:
		before = rows.Row(0).At().Add(time.Microsecond)
		k.tellLease(s, rows.Row(0))
	}
	if err != nil {
		return err
	}
	moves, err := k.rows(ctx, "events", turnsWhere, s.subject, pq.StringArray{"lease.claimed", "lease.released", "lease.moving", "lease.declared", "run.lost"}, before)
	if err != nil {
		return err
	}
	names := []string{k.cfg.Cluster, "database"}
	for i := range moves.Len() {
		r := moves.Row(i)
		s.around = append(s.around, episode{r.Time("at"), tellEvent(r)})
		names = append(names, r.Text("node"), r.Text("peer"))
	}
	if n := moves.Len(); n > 0 {
		// What happened to the nodes concerned when it moved last.
		at := moves.Row(n - 1).Time("at")
		if !s.at.zero() {
			at = s.at.from
		}
		err = k.tellAround(ctx, s, at.Add(-30*time.Second), at.Add(5*time.Second), distinct(names)...)
	}
	s.inOrder()
	return err
}

func (k *cluster) tellLease(s *story, r table.Row) {
	name, holder := r.Text("name"), r.Text("holder")
	switch {
	case holder == "" && r.Int("token") == 0:
		s.say("Nobody has ever held %s.", name)
	case holder == "":
		s.say("Nobody holds %s; the last token was %d.", name, r.Int("token"))
	default:
		s.say("%s holds %s since %s, with token %d.", holder, name, utc(r.Time("acquired_at")), r.Int("token"))
		if !r.Bool("valid") {
			s.say("Its session is overdue: it must not act any more, and others may end it.")
		}
	}
	if from := r.Text("from_node"); from != "" {
		freed := r.Time("freed_at")
		text := map[string]string{"crash": "lost it", "release": "gave it back", "switchover": "handed it over"}[r.Text("freed_by")]
		switch {
		case freed.IsZero():
			s.say("%s held it before.", from)
		case holder != "":
			s.say("%s had it before and %s at %s; it was free for %s.", from, orElse(text, "freed it"), utc(freed), table.Between(freed, r.Time("acquired_at")))
		default:
			s.say("%s had it before and %s at %s.", from, orElse(text, "freed it"), utc(freed))
		}
	}
	switch class := r.Text("class"); {
	case holder != "":
	case class == "" && strings.HasPrefix(name, "job/"):
		s.say("No node takes it: its job is switched off or removed.")
	case class == "":
		s.say("It is taken only by whoever asks for it by name.")
	case r.Text("wanted_by") == "":
		s.say("No node that is ready can do %s.", strings.TrimPrefix(class, "action/"))
	default:
		s.say("%s would take it.", r.Text("wanted_by"))
	}
	if goal := r.Text("goal"); goal != "" {
		s.say("An operator wants it on %s.", goal)
	}
}

// tellLeaseAt is who held a lease at a moment.
func (k *cluster) tellLeaseAt(ctx context.Context, s *story, before time.Time) error {
	last, known, err := k.last(ctx, s.subject, before, "lease.claimed", "lease.released", "lease.declared")
	if err != nil {
		return err
	}
	if !known {
		return noStory(s.subject)
	}
	at, did := utc(s.at.from), utc(last.Time("at"))
	if last.Text("kind") != "lease.claimed" {
		s.say("Nobody held %s at %s: %s.", s.subject, at, dated(last))
		return nil
	}
	node := last.Text("node")
	ended, gone, err := k.last(ctx, node, before, "session.ended")
	if err != nil {
		return err
	}
	if gone && ended.Int("id") > last.Int("id") {
		s.say("Nobody held %s at %s: %s had taken it at %s, and %s.", s.subject, at, node, did, dated(ended))
		return nil
	}
	s.say("%s held %s at %s: %s.", node, s.subject, at, dated(last))
	return nil
}
