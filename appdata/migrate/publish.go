package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/coterie-ha/coterie/appdata"
)

// ErrTaken means that the share has a file of that name which is not of the plan.
var ErrTaken = errors.New("the share has it already, and nothing is overwritten")

// toPublish is what publish is going to do. It is noted before anything is done, and
// added to what was noted before: going back undoes this and nothing else.
func (r *run) toPublish() (map[string]string, error) {
	units, err := r.plan.units()
	if err != nil {
		return nil, err
	}
	put := r.published()
	for _, unit := range units {
		if _, final, err := r.whereIs(unit); err != nil {
			return nil, err
		} else if final && slices.Contains(put.Units, unit) {
			continue
		}
		if _, err := os.Lstat(filepath.Join(r.plan.To, unit)); err == nil {
			return nil, fmt.Errorf("%w: %s", ErrTaken, filepath.Join(r.plan.To, unit))
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		put.add(unit, r.missingAbove(unit))
	}
	text, err := put.text()
	return map[string]string{"units": text}, err
}

// publish gives what is on the stage its names. Each is one rename within the share.
func (r *run) publish(context.Context) (map[string]string, error) {
	put := r.published()
	for _, unit := range put.Units {
		if err := r.publishOne(unit, put.Made); err != nil {
			return nil, err
		}
	}
	if r.plan.MakeTo { // whoever may write in the old folder may write in the new one
		c := r.newPass().copier
		if err := c.dressFolder(r.plan.From, r.plan.To); err != nil {
			return nil, err
		}
	}
	return nil, syncAll(r.plan.To)
}

func (r *run) publishOne(unit string, made []string) error {
	staged, final, err := r.whereIs(unit)
	if err != nil || final {
		return err
	}
	if _, err := os.Lstat(staged); errors.Is(err, fs.ErrNotExist) {
		return nil // its original has gone since
	}
	for _, dir := range made {
		if !within(unit, dir) {
			continue
		}
		if err := os.Mkdir(filepath.Join(r.plan.To, dir), 0o755); errors.Is(err, fs.ErrExist) {
			continue
		} else if err != nil {
			return err
		}
		c := r.newPass().copier
		if err := c.dressFolder(r.plan.source(dir), filepath.Join(r.plan.To, dir)); err != nil {
			return err
		}
		r.boundary("mkdir " + dir)
	}
	if err := os.Rename(staged, filepath.Join(r.plan.To, unit)); err != nil {
		return err
	}
	r.boundary("publish " + unit)
	return nil
}

// missingAbove are the folders above a unit that the share does not have, from the top.
func (r *run) missingAbove(unit string) []string {
	var missing []string
	for dir := filepath.Dir(unit); dir != "."; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(r.plan.To, dir)); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, dir)
		}
	}
	slices.Reverse(missing)
	return missing
}

// published is what a plan has given names on the share.
type published struct {
	Units []string `json:"units"` // quoted in the journal
	Made  []string `json:"made"`  // folders above them
}

func (p *published) add(unit string, made []string) {
	if !slices.Contains(p.Units, unit) {
		p.Units = append(p.Units, unit)
	}
	for _, dir := range made {
		if !slices.Contains(p.Made, dir) {
			p.Made = append(p.Made, dir)
		}
	}
}

func quoteAll(names []string) []string {
	out := []string{}
	for _, n := range names {
		out = append(out, appdata.Quote(n))
	}
	return out
}

func (p published) text() (string, error) {
	text, err := json.Marshal(published{quoteAll(p.Units), quoteAll(p.Made)})
	return string(text), err
}

// published is what the journal says of it.
func (r *run) published() published {
	var p published
	text := r.ends.journal.Fact(Publish, "units")
	if text == "" || json.Unmarshal([]byte(text), &p) != nil {
		return published{}
	}
	for _, names := range [][]string{p.Units, p.Made} {
		for i, n := range names {
			if plain, err := appdata.Unquote(n); err == nil {
				names[i] = plain
			}
		}
	}
	return p
}
