package appdata

import (
	"context"
	"time"
)

// Prober looks at the share again and again, and tells what changed.
type Prober struct {
	// Share is asked before each probe, because the generation and the
	// challenge move.
	Share func() Share
	// Probe looks once; in an agent it is worker.Pool.Probe. Its error says
	// that nobody could look, which is a reason to take care, not a fact
	// about the share.
	Probe func(context.Context, Share) (Condition, error)

	// Soon asks for a probe out of turn, as when another node waits to be seen;
	// nil: nobody asks.
	Soon <-chan struct{}

	Every   time.Duration // between probes; 0: 5 s
	Sooner  time.Duration // between probes while the share cannot be used, at first less; 0: 1 s
	Refresh time.Duration // a report at least this often though nothing changed; 0: 5 min
}

// Run probes until ctx ends. It calls report for the first verdict, for each
// that says something new, and now and then for one that does not; a report
// that fails is made again after the next probe.
func (p Prober) Run(ctx context.Context, report func(context.Context, Condition) error) error {
	every, sooner, refresh := orElse(p.Every, 5*time.Second), orElse(p.Sooner, time.Second), orElse(p.Refresh, 5*time.Minute)
	var (
		judge    Judge
		reported *Condition
		when     time.Time
	)
	soon := sooner / 8 // a share that is just being mounted or marked is there in a moment
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-p.Soon:
		case <-next.C:
		}
		c, err := p.Probe(ctx, p.Share())
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			c = Condition{FreeInodes: -1}
			c.worsen(Degraded, "nobody could look: %v", err)
		}
		c = judge.Next(c)
		if reported == nil || !c.sameAs(*reported) || time.Since(when) >= refresh {
			begun := time.Now()
			if report(ctx, c) == nil {
				reported, when = &c, begun
			}
		}
		if c.Usable() {
			next.Reset(every)
			soon = sooner / 8
		} else {
			next.Reset(min(soon, every))
			soon = min(2*soon, sooner)
		}
	}
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}
