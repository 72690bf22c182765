package appdata

import (
	"context"
	"slices"
)

// A walk goes down from directory to directory, and its results come up: a directory
// is given when all below it has been.

func (w *walk) childDone(ctx context.Context, parent *node, r *reader) error {
	if parent.waits.Add(-1) > 0 {
		return nil
	}
	return w.complete(ctx, parent, r)
}

// complete sums a directory of which all is known and gives it; then its
// parent, if it was the last one there.
func (w *walk) complete(ctx context.Context, n *node, r *reader) error {
	d, changed, err := w.sum(ctx, n, r)
	if err != nil {
		return err
	}
	w.mu.Lock()
	delete(w.live, n)
	w.mu.Unlock()
	w.giving.Lock()
	err = w.found(d, changed)
	w.whole = err == nil && n.parent == nil
	w.giving.Unlock()
	if err != nil || n.parent == nil {
		return err
	}
	n.parent.dir.Entries[n.at].Below = &d.Sums
	if changed {
		n.parent.below.Store(true)
	}
	return w.childDone(ctx, n.parent, r)
}

// sum gives a directory with its sums, and whether it is not as it was known.
func (w *walk) sum(ctx context.Context, n *node, r *reader) (d *Dir, changed bool, err error) {
	if n.glance != nil {
		same, err := w.confirm(ctx, n, r)
		w.release(n)
		if same || err != nil {
			return n.dir, false, err
		}
	}
	d = n.dir
	d.Entries = slices.DeleteFunc(d.Entries, func(e Entry) bool { return e.Kind == 0 })
	if !n.differ.Load() && sameBelow(d, n.known) && w.looksTold(d) {
		return n.known, false, nil
	}
	d.timeless = w.Timeless
	d.sum()
	return d, true, nil
}

// sameBelow reports whether a directory whose entries look as known also has the same below them.
func sameBelow(d, known *Dir) bool {
	if len(d.Entries) != len(known.Entries) {
		return false
	}
	for i := range d.Entries {
		a, b := d.Entries[i].Below, known.Entries[i].Below
		if a != b && (a == nil || b == nil || *a != *b) {
			return false
		}
	}
	return true
}

// giveUnfinished gives what is known of the directories that the walk left.
func (w *walk) giveUnfinished() error {
	for n := range w.live {
		d := n.dir
		d.unfinished = true
		if n.glance != nil {
			d.Entries = nil // which were not looked at one by one
		}
		d.Entries = slices.DeleteFunc(d.Entries, func(e Entry) bool { return e.Kind == 0 })
		if err := w.found(d, true); err != nil {
			return err
		}
	}
	return nil
}
