package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// ChangedError names files of the share that are not as they were moved there.
type ChangedError struct {
	Reading Reading
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf("the share has changed since the server uses it: %d files changed, %d are gone, %d are new", e.Reading.Changed, e.Reading.Missing, e.Reading.New)
}

// JoinedError names further servers that use the share.
type JoinedError struct{ Hosts []string }

func (e *JoinedError) Error() string {
	return fmt.Sprintf("further servers use the share: %v", e.Hosts)
}

// mayGoBack refuses to go back from a share that somebody uses.
func (r *run) mayGoBack(ctx context.Context) error {
	j := r.ends.journal
	if len(j.Records) == 0 || j.Done(Restore) {
		return nil
	}
	if !j.Begun(Cut) {
		return nil
	}
	var o []Objection
	if err := r.plan.stopped(ctx, &o); err != nil {
		return err
	}
	o = slices.DeleteFunc(o, func(one Objection) bool { return one.Accepted })
	if len(o) > 0 {
		return &RefusedError{o}
	}
	if r.plan.Join {
		return nil
	}
	if hosts, err := joinedHosts(r.plan.To); err != nil {
		return err
	} else if len(hosts) > 0 {
		return &JoinedError{hosts}
	}
	if r.Leave {
		return nil
	}
	seen, err := r.plan.compareShare(ctx, r.Progress)
	if err != nil {
		return err
	}
	if seen.Bad > 0 || seen.Changed > 0 || seen.Missing > 0 || seen.New > 0 {
		return &ChangedError{seen}
	}
	return nil
}

// restore tells the server of the old folders.
func (r *run) restore(context.Context) (map[string]string, error) {
	facts := map[string]string{}
	if r.Leave {
		facts["leave"] = "yes"
		if err := r.ends.note(Record{Step: Restore, Facts: facts}); err != nil {
			return nil, err
		}
	}
	if r.plan.Layout.Links {
		return facts, r.takeLinks()
	}
	if !r.ends.journal.Begun(Cut) {
		return facts, nil
	}
	return facts, r.unedit()
}

// unedit gives the properties file that was: to the byte, if it is as it was left,
// and else only its values.
func (r *run) unedit() error {
	j := r.ends.journal
	file, err := realFile(r.plan.propertyFile())
	if err != nil {
		return err
	}
	if err := os.Remove(r.tempFor(file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	old, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) && j.Fact(Cut, "absent") == "yes" {
		return nil
	}
	if err != nil {
		return err
	}
	text, err := readProperties(file)
	if err != nil {
		return err
	}
	switch sumOf(text) {
	case j.Fact(Cut, "was"):
		return nil
	case j.Fact(Cut, "is"):
		if j.Fact(Cut, "absent") == "yes" {
			return os.Remove(file)
		}
		was, err := os.ReadFile(r.ends.kept("properties"))
		if err != nil {
			return err
		}
		at, err := time.Parse(time.RFC3339Nano, j.Fact(Cut, "time"))
		if err != nil {
			return fmt.Errorf("journal of plan %s: %w", r.plan.ID, err)
		}
		return r.replace(file, was, old, at)
	}
	if j.Fact(Cut, "is") == "" {
		return nil // nothing was edited yet
	}
	// Somebody has edited it since; what he wrote stays.
	was, err := readProperties(r.ends.kept("properties"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	back := text
	for _, e := range r.plan.Edits {
		if value, ok := text.Get(e.Key); ok && value == e.Is {
			raw, _ := was.Raw(e.Key)
			back = back.Restore(e.Key, raw)
		}
	}
	if string(back) == string(text) {
		return nil
	}
	return r.replace(file, back, old, time.Time{})
}

// takeLinks puts the originals back in their places.
func (r *run) takeLinks() error {
	if err := r.endSwaps(); err != nil {
		return err
	}
	for _, unit := range r.linked() {
		place, aside := r.plan.source(unit), r.aside(unit)
		put, err := r.isPut(unit)
		if err != nil {
			return err
		}
		if put {
			if err := r.swap(place, aside); err != nil {
				return err
			}
			r.boundary("link taken for " + unit)
		}
		if is, err := os.Readlink(aside); err == nil && is == filepath.Join(r.plan.To, unit) {
			if err := os.Remove(aside); err != nil {
				return err
			}
			r.boundary("link removed for " + unit)
		}
	}
	return nil
}

// withdraw takes the names on the share away again.
func (r *run) withdraw(context.Context) (map[string]string, error) {
	if r.ends.journal.Fact(Restore, "leave") == "yes" {
		return nil, nil
	}
	put := r.published()
	for _, unit := range put.Units {
		staged, final := filepath.Join(r.plan.stage(), unit), filepath.Join(r.plan.To, unit)
		if _, err := os.Lstat(staged); err == nil {
			continue // it never had its name
		}
		if _, err := os.Lstat(final); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(staged), 0o700); err != nil {
			return nil, err
		}
		if err := os.Rename(final, staged); err != nil {
			return nil, err
		}
		r.boundary("withdraw " + unit)
	}
	for _, dir := range slices.Backward(put.Made) {
		if err := removeEmpty(filepath.Join(r.plan.To, dir)); err != nil {
			return nil, err
		}
		r.boundary("rmdir " + dir)
	}
	return nil, nil
}

// removeEmpty removes a folder that is empty; another stays, and that is no error.
func removeEmpty(dir string) error {
	all, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || len(all) > 0 {
		return nil
	}
	if err != nil {
		return err // it may be empty: the same command looks again
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// sweep removes what is left of the plan, here last: while the journal is there, the
// way goes on from it.
func (r *run) sweep(context.Context) (map[string]string, error) {
	if !r.plan.Join {
		if err := r.sweepShare(); err != nil {
			return nil, err
		}
	} else if err := forgetJoined(r.plan.To); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(r.ends.local)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Name() != journalName && e.Name() != lockName {
			if err := os.RemoveAll(filepath.Join(r.ends.local, e.Name())); err != nil {
				return nil, err
			}
			r.boundary("remove " + e.Name())
		}
	}
	if err := os.Remove(filepath.Join(r.ends.local, journalName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	r.boundary("journal removed")
	return nil, r.ends.vanish()
}

func (r *run) sweepShare() error {
	if err := os.RemoveAll(r.plan.stage()); err != nil {
		return err
	}
	r.boundary("stage removed")
	if c, err := readClaim(r.plan.To); err == nil && c.Plan == r.plan.ID {
		for _, name := range []string{memberPath(r.plan.To), claimPath(r.plan.To)} {
			if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			r.boundary("remove " + filepath.Base(name))
		}
	}
	if err := os.RemoveAll(r.ends.share); err != nil {
		return err
	}
	r.boundary("share's journal removed")
	for _, dir := range slices.Backward(r.ourFolders()) {
		if err := removeEmpty(dir); err != nil {
			return err
		}
		r.boundary("rmdir " + dir)
	}
	return nil
}

// vanish removes the folder of a plan of which nothing was done, or is left.
func (e *ends) vanish() error {
	if _, err := os.Stat(filepath.Join(e.local, journalName)); err == nil {
		return nil
	}
	// Without a journal there is the plan, the lock, and what was half written of either.
	all, err := os.ReadDir(e.local)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, one := range all {
		if !one.Type().IsRegular() {
			continue // not ours; or a journal that somebody has taken away, and what it knew of
		}
		if err := os.Remove(filepath.Join(e.local, one.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return errors.Join(removeEmpty(e.local), removeEmpty(filepath.Dir(e.local)))
}
