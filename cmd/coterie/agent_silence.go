package main

import (
	"log/slog"
	"time"

	"github.com/coterie-ha/coterie/leases"
)

// silence says in the log when the database stops answering heartbeats, when
// authority ends because of it, and when it answers again: each once.
type silence struct {
	since time.Time // zero while it answers
	over  bool      // authority has ended
}

func (s *silence) heard(log *slog.Logger, t leases.Tick, now time.Time) {
	switch {
	case t.Err == nil && s.since.IsZero():
	case t.Err == nil:
		log.Info("the database answers again", "after", now.Sub(s.since).Round(time.Millisecond))
		*s = silence{}
	case s.since.IsZero():
		s.since = now
		log.Warn("the database does not answer", "err", t.Err, "jobs_may_go_on_for", max(0, t.Trust).Round(time.Millisecond))
		fallthrough
	default:
		if t.Trust <= 0 && !s.over {
			s.over = true
			log.Warn("authority has ended: everything held is being stopped", "silent_for", now.Sub(s.since).Round(time.Millisecond))
		}
	}
}
