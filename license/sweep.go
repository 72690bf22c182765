package license

import (
	"context"
	"errors"
	"time"
)

// watch is escrow of another node, and until when it must stand still to be over.
type watch struct {
	stamp int64
	until time.Duration
}

// Sweep brings every pool up to date: what died, lingered or ran out is free, and
// escrow is taken back from nodes that are gone once both clocks agree that it is
// over: the database's, and this node's own, by which it has watched the row.
func (d *Desk) Sweep(ctx context.Context) error {
	d.once.Do(d.prepare)
	d.mu.RLock()
	names, life := sorted(d.state.pools), d.state.life
	d.mu.RUnlock()
	if life == 0 {
		return nil
	}
	var errs []error
	for _, name := range names {
		d.mu.RLock()
		var still []seen
		now := d.Now()
		for incarnation, w := range d.swept[name] {
			if now >= w.until {
				still = append(still, seen{Incarnation: incarnation, Stamp: w.stamp})
			}
		}
		d.mu.RUnlock()
		rows, err := callSweep(ctx, d.DB, d.Node, life, name, still)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		d.watched(name, life, rows)
	}
	return errors.Join(errs...)
}

// watched notes until when each row must stand still, counted from now: the
// answer that shows it has just been received.
func (d *Desk) watched(pool string, life int64, rows []seen) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.swept[pool]
	d.swept[pool] = map[int64]watch{}
	for _, r := range rows {
		if r.Incarnation == life {
			continue
		}
		w, ok := old[r.Incarnation]
		if !ok || w.stamp != r.Stamp {
			w = watch{stamp: r.Stamp, until: d.Now() + time.Duration(r.Lasts*float64(time.Millisecond))}
		}
		d.swept[pool][r.Incarnation] = w
	}
}
