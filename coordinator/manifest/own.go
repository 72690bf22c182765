package manifest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coterie-ha/coterie/appdata"
)

// OwnSurvey is a scan of the files that a node has of its own and that must be as
// on the other nodes. Unlike the share's, such a tree is believed at once: what is
// missing in it is missing, and what cannot be read is told.
type OwnSurvey struct {
	Store
	Own appdata.Own // Known is the survey's own
	// Scan has a worker do it. See worker.Pool.Own.
	Scan func(ctx context.Context, o appdata.Own, tell func(appdata.OwnFound) error) error
}

// mostKnown is how many bytes of what is known a worker is given; of a larger tree it
// reads all content again.
const mostKnown = 12 << 20

// OwnOutcome is what a survey found.
type OwnOutcome struct {
	First   bool
	Changes int
	Names   int64
	Read    int64 // bytes
	Took    time.Duration
}

// Run scans and stores.
func (s OwnSurvey) Run(ctx context.Context) (out OwnOutcome, err error) {
	begun := time.Now()
	scan, err := s.Begin(ctx, Own(s.Node), s.Own.Equal.Name())
	if err != nil {
		return out, err
	}
	known, err := s.Load(ctx, scan.Tree)
	if err != nil {
		return out, err
	}
	// By other rules other digests: nothing that is known tells what has changed.
	other := scan.Layout != s.Own.Equal.Name()
	if !other {
		s.Own.Known = known.Own(mostKnown)
	}
	out.First = scan.First
	update := appdata.Update{
		Known: known, Class: s.Own.Equal.Class, Skip: s.Own.Equal.Skips, Moment: scan.Moment, First: scan.First || other, All: other, Own: true,
	}
	if err := s.take(ctx, known, &update, &out); err != nil {
		return out, err
	}
	for _, name := range update.Missing() {
		update.Gone(name)
	}
	batch := update.Batch(true)
	out.Changes = len(batch.Changes)
	if len(batch.Folders)+len(batch.Removed)+len(batch.Changes) > 0 {
		if _, err := s.Put(ctx, scan, batch, Done{Entries: out.Names, Bytes: out.Read}, Journal{Class: s.Own.Equal.Class}); err != nil {
			return out, err
		}
	}
	out.Took = time.Since(begun)
	return out, s.Finish(ctx, scan, 0, nil, 0)
}

// take has the tree scanned, and takes in what is not as known.
func (s OwnSurvey) take(ctx context.Context, known *appdata.Shelf, update *appdata.Update, out *OwnOutcome) error {
	sums := map[string]*appdata.Sums{}
	below := func(path string) *appdata.Sums {
		if found := sums[path]; found != nil {
			return found
		}
		return known.Sums(path)
	}
	whole := false
	err := s.Scan(ctx, s.Own, func(f appdata.OwnFound) error {
		out.Names, out.Read, whole = f.Looked, f.Read, whole || f.Done
		if f.Folder == nil {
			return nil
		}
		d, err := f.Folder.Dir(below)
		if err != nil {
			return err
		}
		sums[d.Path] = &d.Sums
		update.Take(d, true)
		return nil
	})
	if err == nil && !whole {
		err = errors.New("it did not come to its end")
	}
	if err != nil {
		return fmt.Errorf("scan the files of this node: %w", err)
	}
	return nil
}

// See tells that this node has looked at its own files, or why it cannot, and has
// settled what differs between the nodes.
func (s OwnSurvey) See(ctx context.Context, incarnation int64, every time.Duration, trouble error) error {
	text := ""
	if trouble != nil {
		text = trouble.Error()
	}
	var told bool
	err := s.once(ctx, &told, `SELECT coterie.own_see($1, $2, $3, $4, $5 * interval '1 second', $6)`,
		s.Node, incarnation, s.Own.Root, s.Own.Equal.Name(), every.Seconds(), text)
	if err != nil {
		return fmt.Errorf("tell what is known of this node's own files: %w", err)
	}
	return nil
}

// ForgetOwn tells that a node has no files that must be as on the others.
func (s Store) ForgetOwn(ctx context.Context, incarnation int64) error {
	var done bool
	if err := s.once(ctx, &done, `SELECT coterie.own_forget($1, $2)`, s.Node, incarnation); err != nil {
		return fmt.Errorf("forget what was known of this node's own files: %w", err)
	}
	return nil
}

// Wanted is a file whose text is to be told.
type Wanted struct{ Path, Digest string }

// TextsWanted are files that differ, of which this node is to tell the text.
func (s Store) TextsWanted(ctx context.Context) (wanted []Wanted, err error) {
	if err := s.DB.SelectContext(ctx, &wanted, `SELECT path, digest FROM coterie.own_texts_wanted($1)`, s.Node); err != nil {
		return nil, fmt.Errorf("ask which texts are wanted: %w", err)
	}
	return wanted, nil
}

// PutText tells the text of such a file; nil: there is none to be shown.
func (s Store) PutText(ctx context.Context, incarnation int64, w Wanted, body *string) error {
	var told bool
	if err := s.once(ctx, &told, `SELECT coterie.own_text_put($1, $2, $3, $4, $5)`, s.Node, incarnation, w.Path, w.Digest, body); err != nil {
		return fmt.Errorf("tell the text of %s: %w", w.Path, err)
	}
	return nil
}
