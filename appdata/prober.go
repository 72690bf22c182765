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

	// Touch asks for a sign of life between probes, which costs next to nothing: what
	// hangs is known sooner. place is what Share.Touch gives; hung is the condition of
	// a share that did not answer. Another place, or an error, has it probed at once.
	// nil: only probes tell.
	Touch func(context.Context) (place string, hung *Condition, err error)

	// Soon asks for a probe out of turn, as when another node waits to be seen;
	// nil: nobody asks.
	Soon <-chan struct{}

	Every   time.Duration // between probes; 0: 5 s
	Touches time.Duration // between signs of life; 0: 500 ms
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
		place    string
	)
	soon := sooner / 8 // a share that is just being mounted or marked is there in a moment
	next := time.NewTimer(0)
	defer next.Stop()
	touch := time.NewTicker(orElse(p.Touches, 500*time.Millisecond))
	defer touch.Stop()
	for usable := false; ; {
		var hung *Condition
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-touch.C:
			if p.Touch == nil || !usable {
				continue // it is probed soon
			}
			was, err := place, error(nil)
			if place, hung, err = p.Touch(ctx); err == nil && hung == nil && place == was {
				continue
			}
		case <-p.Soon:
		case <-next.C:
		}
		c, err := p.look(ctx, hung)
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
		if usable = c.Usable(); usable {
			next.Reset(every)
			soon = sooner / 8
		} else {
			next.Reset(min(soon, every))
			soon, place = min(2*soon, sooner), ""
		}
	}
}

// look probes, unless it is known already that the share hangs.
func (p Prober) look(ctx context.Context, hung *Condition) (Condition, error) {
	if hung != nil {
		return *hung, nil
	}
	return p.Probe(ctx, p.Share())
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}
