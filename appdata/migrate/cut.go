package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/coterie-ha/coterie/internal/atomicfile"
	"github.com/coterie-ha/coterie/internal/properties"
)

// cut tells the server where its data are.
func (r *run) cut(ctx context.Context) (map[string]string, error) {
	if in, err := r.inEffect(); err != nil || in {
		return nil, err
	}
	// Somebody may have started it while the last files were read.
	var o []Objection
	if err := r.plan.stopped(ctx, &o); err != nil {
		return nil, err
	}
	for _, one := range o {
		if !one.Accepted {
			return nil, &RefusedError{[]Objection{one}}
		}
	}
	if r.plan.Join {
		if err := r.plan.tellJoined(r.plan.Edits); err != nil {
			return nil, err
		}
		r.boundary("joined")
	} else {
		if err := r.plan.tellMember(r.plan.Edits); err != nil {
			return nil, err
		}
		r.boundary("member told")
	}
	if r.plan.Layout.Links {
		return nil, r.putLinks()
	}
	return nil, r.edit()
}

// inEffect says whether the server is told of the share.
func (r *run) inEffect() (bool, error) {
	if r.plan.Layout.Links {
		for _, unit := range r.linked() {
			if put, err := r.isPut(unit); err != nil || !put {
				return false, err
			}
		}
		return true, nil
	}
	text, err := readProperties(r.plan.propertyFile())
	if errors.Is(err, fs.ErrNotExist) && r.plan.Profile.Property.Make {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, e := range r.plan.Edits {
		if value, ok := text.Get(e.Key); !ok || value != e.Is {
			return false, nil
		}
	}
	return true, nil
}

// edit makes the edits in one rename, and keeps the file as it was.
func (r *run) edit() error {
	file, err := realFile(r.plan.propertyFile())
	if err != nil {
		return err
	}
	old, err := os.Stat(file)
	absent := errors.Is(err, fs.ErrNotExist) && r.plan.Profile.Property.Make
	if err != nil && !absent {
		return err
	}
	var text properties.Text
	facts := map[string]string{"absent": "yes"}
	if !absent {
		if text, err = readProperties(file); err != nil {
			return err
		}
		facts = map[string]string{"was": sumOf(text), "time": old.ModTime().Format(time.RFC3339Nano)}
		if err := os.MkdirAll(filepath.Dir(r.ends.kept("")), 0o700); err != nil {
			return err
		}
		if err := os.MkdirAll(r.ends.kept(""), 0o700); err != nil {
			return err
		}
		if err := atomicfile.Write(r.ends.kept("properties"), text, 0o600); err != nil {
			return err
		}
	}
	r.boundary("properties kept")
	set, err := r.plan.edited(text)
	if err != nil {
		return err
	}
	facts["is"] = sumOf(set)
	if err := r.ends.note(Record{Step: Cut, Facts: facts}); err != nil {
		return err
	}
	r.boundary("told of the edit")
	if absent {
		if err := prepared(r.tempFor(file), set, 0o640); err != nil {
			return err
		}
		return atomicfile.Replace(r.tempFor(file), file)
	}
	return r.replace(file, set, old, time.Time{})
}

// replace puts a text in place of the properties file, under a temporary name of the
// plan's, so that nothing is left of a run that was killed. It gets a time when there
// is one to be given back.
func (r *run) replace(file string, text []byte, old fs.FileInfo, at time.Time) error {
	temp := r.tempFor(file)
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := atomicfile.Prepare(temp, text, old, file); err != nil {
		return err
	}
	if !at.IsZero() {
		if err := os.Chtimes(temp, time.Time{}, at); err != nil {
			return err
		}
	}
	r.boundary("properties prepared")
	err := atomicfile.Replace(temp, file)
	r.boundary("properties replaced")
	return err
}

func (r *run) tempFor(file string) string {
	return filepath.Join(filepath.Dir(file), "."+filepath.Base(file)+".coterie-"+r.plan.ID)
}

// realFile is a file itself, where its name is a link to it.
func realFile(file string) (string, error) {
	real, err := filepath.EvalSymlinks(file)
	if errors.Is(err, fs.ErrNotExist) {
		return file, nil
	}
	return real, err
}

func sumOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// linked are the units in whose places links are put.
func (r *run) linked() []string {
	var names []string
	for _, one := range r.plan.Present() {
		if !one.Copy {
			names = append(names, filepath.FromSlash(one.Path))
		}
	}
	return names
}

// isPut says whether the link to the share is in a unit's old place.
func (r *run) isPut(unit string) (bool, error) {
	if !r.plan.Layout.Links {
		return false, nil
	}
	target, err := os.Readlink(r.plan.source(unit))
	switch {
	case err == nil:
		return target == filepath.Join(r.plan.To, unit), nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	}
	if info, statErr := os.Lstat(r.plan.source(unit)); statErr == nil && info.Mode().Type() != fs.ModeSymlink {
		return false, nil // a file or folder
	}
	return false, err
}

// aside is where the original of a unit is once its link is put.
func (r *run) aside(unit string) string { return r.plan.source(unit) + ".before-" + r.plan.ID }

// putLinks puts a link in the place of each original: the two exchange their names,
// so that the place is never empty.
func (r *run) putLinks() error {
	for _, unit := range r.linked() {
		put, err := r.isPut(unit)
		if err != nil {
			return err
		}
		if put {
			continue
		}
		place, aside := r.plan.source(unit), r.aside(unit)
		if err := r.linkAside(filepath.Join(r.plan.To, unit), aside); err != nil {
			return err
		}
		r.boundary("link beside " + unit)
		if err := r.swap(place, aside); err != nil {
			return err
		}
		r.boundary("link put for " + unit)
	}
	return nil
}

// linkAside makes the link that is to be exchanged.
func (r *run) linkAside(target, aside string) error {
	is, err := os.Readlink(aside)
	if err == nil && is == target {
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", ErrTaken, aside)
	}
	return os.Symlink(target, aside)
}

// swap exchanges two names. Where a file system cannot, there is a moment between
// two renames; a third name tells the run after a kill what was to be done.
func (r *run) swap(place, aside string) error {
	err := errors.ErrUnsupported
	if !r.ByRenames {
		err = exchange(place, aside)
	}
	if !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	third := thirdName(aside)
	if err := os.Rename(aside, third); err != nil {
		return err
	}
	r.boundary("first rename")
	if err := os.Rename(place, aside); err != nil {
		return err
	}
	r.boundary("second rename")
	return os.Rename(third, place)
}

func thirdName(aside string) string { return aside + ".new" }

// endSwaps ends exchanges that were killed between two renames, so that something is
// in each place again.
func (r *run) endSwaps() error {
	for _, unit := range r.linked() {
		place, aside := r.plan.source(unit), r.aside(unit)
		third := thirdName(aside)
		if _, err := os.Lstat(third); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		to := aside
		if _, err := os.Lstat(place); errors.Is(err, fs.ErrNotExist) {
			to = place
		}
		if err := os.Rename(third, to); err != nil {
			return err
		}
		r.boundary("exchange ended for " + unit)
	}
	return nil
}
