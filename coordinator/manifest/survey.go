package manifest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/coterie-ha/coterie/appdata"
)

// Survey is a scan of a tree from its beginning to its end in the database.
type Survey struct {
	Store
	Tree    string
	Layout  appdata.Layout
	Scanner appdata.Scanner // what and how; Known, Skip and Clock are the survey's own
	// Clock reads the share's own time, by which files that have just changed are
	// told from those that rest; nil: it has none, and all content is read.
	Clock func() (time.Time, error)
	Pause time.Duration // before a second look for what is missing; 0: 2 s
}

// Outcome is what a survey found.
type Outcome struct {
	First   bool // nothing had been known before, so that nothing is a change
	Changes int
	Sample  []appdata.Change // some of them
	Quiet   []string         // files whose content is another, though their size and time are not
	Held    int64            // files that are missing, too many to be believed
	Missing []string         // what is missing, when some is held
	Skipped int              // folders of which somebody told meanwhile
	Sums    appdata.Sums
	Took    time.Duration
}

const (
	// putAtOnce is how many entries are stored in one statement: a tenth of a second.
	putAtOnce = 20_000

	believed   = 1000 // missing files that nobody is asked about ...
	believedOf = 10   // ... unless they are more than one in so many,
	fewest     = 20   // which of so few says nothing
)

// Held decides whether missing files are too many to be believed to be gone: an
// operator has accepted so many.
func Held(missing, known, accepted int64) bool {
	if missing <= accepted {
		return false
	}
	return missing > believed || missing >= fewest && missing*believedOf > known
}

// surveying is a Survey at work.
type surveying struct {
	Survey
	scan   Scan
	known  *appdata.Shelf
	update appdata.Update
	start  time.Time

	mu  sync.Mutex
	out Outcome // guarded by mu while batches are stored

	ready chan appdata.Batch
}

// Run scans and stores. When ctx ends, what was stored stays, and the next
// survey goes on from there.
func (s Survey) Run(ctx context.Context) (Outcome, error) {
	w := surveying{Survey: s, start: time.Now()}
	if w.Scanner.Progress == nil {
		w.Scanner.Progress = new(appdata.Progress)
	}
	if w.Scanner.Check == nil {
		w.Scanner.Check = func() error { return nil }
	}
	err := w.begin(ctx)
	if err == nil {
		err = w.look(ctx)
	}
	if err == nil {
		err = w.settle(ctx)
		w.out.Took = time.Since(w.start)
	}
	if err != nil && ctx.Err() != nil && !errors.Is(err, context.Cause(ctx)) {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err) // the server tells of a statement that was cut off in its own words
	}
	return w.out, err
}

func (w *surveying) begin(ctx context.Context) error {
	// Before anything is announced: a share that is not there is scanned by nobody.
	if err := w.Scanner.Check(); err != nil {
		return err
	}
	scan, err := w.Store.Begin(ctx, w.Tree, w.Layout.Name)
	if err != nil {
		return err
	}
	known, err := w.Outline(ctx, w.Tree)
	if err != nil {
		return err
	}
	// By another layout the same folder is written otherwise, so all are looked into.
	all := scan.Layout != "" && scan.Layout != w.Layout.Name
	w.scan, w.known, w.out.First = scan, known, scan.First
	w.Scanner.Skip = w.Layout.Skips
	if !scan.First || known.Len() > 0 {
		w.Scanner.Known = known.Dir
	}
	if !all {
		w.Scanner.Glance = known.Glance
	}
	if w.Clock != nil {
		if w.Scanner.Clock, err = w.Clock(); err != nil {
			return err
		}
	}
	w.update = appdata.Update{
		Known: known, Class: w.Layout.Class, Skip: w.Layout.Skips, Moment: scan.Moment, First: scan.First,
		All: all, Loose: w.Scanner.LooseInodes,
	}
	return nil
}

// look scans, and stores beside it. Nothing is removed yet.
func (w *surveying) look(ctx context.Context) error {
	w.ready = make(chan appdata.Batch, 1)
	stored := make(chan error, 1)
	go func() { stored <- w.storeAll(ctx) }() // waited for below
	inside, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err := w.Scanner.Follow(inside, func(d *appdata.Dir, changed bool) error {
		defer w.apart()()
		w.update.Take(d, changed)
		if err := w.known.Failed(); err != nil {
			return err
		}
		if w.update.Entries() < putAtOnce {
			return nil
		}
		return w.hand(w.update.Batch(false), stored)
	})
	if ctx.Err() != nil { // the rest of what it knows; else that comes with what is settled
		err = errors.Join(err, w.hand(w.update.Batch(false), stored))
	}
	close(w.ready)
	if failed := <-stored; failed != nil {
		return failed
	}
	return err
}

// apart says, until it is over, that what is done waits for nothing of the share: a folder
// of a million files is long to write down.
func (w *surveying) apart() (over func()) {
	w.Scanner.Progress.Apart.Add(1)
	return func() { w.Scanner.Progress.Apart.Add(-1) }
}

// hand gives a batch to whoever stores, unless that has failed.
func (w *surveying) hand(b appdata.Batch, stored chan error) error {
	select {
	case w.ready <- b:
		return nil
	case err := <-stored:
		stored <- err // for look
		return err
	}
}

// storeAll stores what is ready. Of a first scan there is much, and no change
// among it that must have its place in the journal: two store it, so that one
// writes a batch down while the server takes in the other's.
func (w *surveying) storeAll(ctx context.Context) error {
	if !w.out.First {
		return w.storeSome(ctx)
	}
	second := make(chan error, 1)
	go func() { second <- w.storeSome(ctx) }()
	return errors.Join(w.storeSome(ctx), <-second)
}

func (w *surveying) storeSome(ctx context.Context) error {
	for b := range w.ready {
		if err := w.keep(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// keep puts a batch although the scan is interrupted: it was long to find out.
func (w *surveying) keep(ctx context.Context, b appdata.Batch) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return w.put(ctx, b)
}

// put stores a batch, if the share is there: else it may be of another folder.
func (w *surveying) put(ctx context.Context, b appdata.Batch) error {
	if err := cmp.Or(w.known.Failed(), w.Scanner.Check()); err != nil {
		return fmt.Errorf("nothing more is stored of %s: %w", w.Tree, err)
	}
	about := Journal{Class: w.Layout.Class, Clock: w.Scanner.Clock}
	if !about.Clock.IsZero() {
		about.Clock = about.Clock.Add(time.Since(w.start))
	}
	defer w.apart()()
	p := w.Scanner.Progress
	skipped, err := w.Store.Put(ctx, w.scan, b, Done{p.Folders.Load(), p.Entries.Load(), p.Read.Load(), p.Errors.Load()}, about)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out.note(b.Changes)
	w.out.Skipped += len(skipped)
	return err
}

// sampled is how many changes an outcome names.
const sampled = 20

func (o *Outcome) note(changes []appdata.Change) {
	o.Changes += len(changes)
	o.Sample = append(o.Sample, changes[:min(len(changes), sampled-len(o.Sample))]...)
	for _, c := range changes {
		was, is := c.Before, c.After
		if c.Change == appdata.Modified && was != nil && is != nil && was.Kind == appdata.File && is.Kind == appdata.File &&
			was.Size == is.Size && was.MTime == is.MTime && !was.Racy {
			o.Quiet = append(o.Quiet, c.Path)
		}
	}
}

// settle decides about what was missing, and ends the scan.
func (w *surveying) settle(ctx context.Context) error {
	missing := w.update.Missing()
	files, known := w.update.Doubts()
	shown := int64(0)
	if Held(files, known, w.scan.Accepted) {
		w.out.Held, w.out.Missing = files, missing
	} else if err := w.lookAgain(ctx, missing); err != nil {
		if ctx.Err() != nil {
			err = errors.Join(err, w.keep(ctx, w.update.Batch(false)))
		}
		return err
	} else {
		shown, _ = w.update.Doubts()
	}
	defer w.apart()()
	if err := w.keep(ctx, w.update.Batch(true)); err != nil {
		return err
	}
	return w.Finish(ctx, w.scan, w.out.Held, w.out.Missing[:min(len(w.out.Missing), 20)], shown)
}

// lookAgain looks a second time for what was missing.
func (w *surveying) lookAgain(ctx context.Context, missing []string) error {
	if len(missing) == 0 {
		return nil
	}
	pause := w.Pause
	if pause <= 0 {
		pause = 2 * time.Second
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
	}
	// Before and after: what is another folder for a moment says nothing in it.
	if err := w.Scanner.Check(); err != nil {
		return fmt.Errorf("nothing is removed from %s: %w", w.Tree, err)
	}
	gone, err := appdata.Gone(w.Scanner.Root, missing)
	if err != nil {
		return err
	}
	if err := w.Scanner.Check(); err != nil {
		return fmt.Errorf("nothing is removed from %s: %w", w.Tree, err)
	}
	for _, name := range gone {
		w.update.Gone(name)
	}
	return nil
}

// Difference is what a survey would write: what differs between the stored
// manifest and what is there. Nothing is stored, and missing files are shown as
// deleted.
func (s Survey) Difference(ctx context.Context) ([]appdata.Change, error) {
	check := s.Scanner.Check
	if check == nil {
		check = func() error { return nil }
	}
	known, err := s.Outline(ctx, s.Tree)
	if err != nil {
		return nil, err
	}
	if s.Clock != nil {
		if s.Scanner.Clock, err = s.Clock(); err != nil {
			return nil, err
		}
	}
	s.Scanner.Skip, s.Scanner.Known, s.Scanner.Glance = s.Layout.Skips, known.Dir, known.Glance
	update := appdata.Update{Known: known, Class: s.Layout.Class, Skip: s.Layout.Skips, Loose: s.Scanner.LooseInodes}
	err = s.Scanner.Follow(ctx, func(d *appdata.Dir, changed bool) error {
		update.Take(d, changed)
		return known.Failed()
	})
	if err != nil {
		return nil, err
	}
	missing := update.Missing()
	if len(missing) > 0 {
		gone, err := appdata.Gone(s.Scanner.Root, missing)
		if err = errors.Join(err, check()); err != nil {
			return nil, err
		}
		for _, name := range gone {
			update.Gone(name)
		}
	}
	return update.Batch(true).Changes, known.Failed()
}
