package leases

import "time"

// Former is the life of this node that a new one asks to replace.
type Former struct {
	Incarnation int64 // 0: none
	Gone        bool  // its process is known to be gone; else it must stand at Beats, and be expired
	Beats       int64
}

// Birth is what the database said to an attempt to begin a life.
type Birth struct {
	Began       bool
	Incarnation int64 // of the life that has the node's name
	Beats       int64
	Terms       Terms // with the time to live of that life
	Era         Era
	Now         time.Time
}

// Beginning decides how a life begins. Its node's former life is replaced at
// once when its process is known to be gone, else like any other node's is ended:
// by two clocks.
type Beginning struct {
	Gone int64 // incarnation of the process that is known to be gone

	seen watch
	era  int64
	from time.Duration // when that era was first seen
}

// Seen is when this process first saw the era that the last answer told of.
func (b *Beginning) Seen() time.Duration { return b.from }

// Replaces is what the next attempt asks to replace.
func (b *Beginning) Replaces(now time.Duration) Former {
	switch {
	case b.seen.Incarnation == 0:
		return Former{Incarnation: b.Gone, Gone: true}
	case now-b.seen.since >= b.seen.TTL:
		return Former{Incarnation: b.seen.Incarnation, Beats: b.seen.Beats}
	}
	return Former{}
}

// Told takes in an answer and says how long to wait before the next attempt.
// ErrTaken: the former life beats, so another process has this node's name.
func (b *Beginning) Told(now time.Duration, a Birth) (time.Duration, error) {
	if era := a.Era.Mark.Era(); b.from == 0 || b.era != era {
		b.era, b.from = era, now
	}
	if a.Began {
		return 0, nil
	}
	switch {
	case b.seen.Incarnation != a.Incarnation:
		b.seen = watch{Peer: Peer{Incarnation: a.Incarnation, Beats: a.Beats, TTL: a.Terms.TTL}, since: now}
	case b.seen.Beats != a.Beats:
		return 0, ErrTaken
	}
	pause := a.Terms.Heartbeat / 2
	if left := b.seen.since + b.seen.TTL - now; left > 0 {
		pause = min(pause, left)
	}
	return max(pause, 10*time.Millisecond), nil
}
