package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/coterie-ha/coterie/appdata"
)

// spare is what a share must have left beside the data.
const spare = 64 << 20

// objections are all reasons not to carry the plan out as it is.
func (p *Plan) objections(ctx context.Context, f *found, try bool) ([]Objection, error) {
	var o []Objection
	if err := p.stopped(ctx, &o); err != nil {
		return nil, err
	}
	if err := p.place(&o); err != nil {
		return nil, err
	}
	p.contents(f, &o)
	if err := p.settings(&o); err != nil {
		return nil, err
	}
	if p.Join {
		return o, p.differences(ctx, &o)
	}
	if err := p.taken(&o); err != nil {
		return nil, err
	}
	if err := p.fits(f, &o); err != nil {
		return nil, err
	}
	if try {
		return o, p.tries(f, &o)
	}
	return o, nil
}

// above is the deepest folder on the way to the share that is there.
func (p *Plan) above() string {
	if p.MakeTo {
		return filepath.Dir(p.To)
	}
	return p.To
}

// place looks at where the share is.
func (p *Plan) place(o *[]Objection) error {
	info, err := os.Stat(p.To)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !p.Join:
		// One folder may be made; what lies above it is the mount.
		if info, err := os.Stat(filepath.Dir(p.To)); err != nil || !info.IsDir() {
			return &PathError{p.To, "neither it nor the folder above it is there; mount the share first"}
		}
		p.MakeTo = true
	case err != nil:
		return err
	case !info.IsDir():
		return &PathError{p.To, "not a folder"}
	}
	if p.Mount, err = appdata.MountAt(p.above()); err != nil {
		return err
	}
	p.Mount.Options = "" // they may change between plan and apply
	if !p.Mount.Network() {
		p.object(o, Objection{Word: "local-disk", Text: fmt.Sprintf("%s is not on a network file system but on %s at %s: is the share mounted?", p.To, p.Mount.FSType, p.Mount.Point)})
	}
	return nil
}

// contents looks at what cannot be moved as it is, wherever it goes.
func (p *Plan) contents(f *found, o *[]Objection) {
	if len(f.unreadable) > 0 {
		p.object(o, Objection{Word: "unreadable", Text: "there are files that this user may not read", Sample: f.unreadable, Firm: true})
	}
	if len(f.special) > 0 {
		p.object(o, Objection{Word: "special", Text: "sockets, pipes and devices are not moved", Sample: f.special})
	}
	if len(f.linksOut) > 0 {
		p.object(o, Objection{Word: "links", Text: "links that are absolute, or lead out of their folder, stay as they are and may lead nowhere from other hosts, or once the originals are gone", Sample: f.linksOut})
	}
}

// taken looks for names that are there already.
func (p *Plan) taken(o *[]Objection) error {
	if p.MakeTo {
		return nil
	}
	if c, err := readClaim(p.To); err == nil && c.Plan != p.ID {
		p.object(o, Objection{Word: "claimed", Text: fmt.Sprintf("the share belongs to plan %s of %s; a further server joins with: coterie migrate plan --join", c.Plan, c.Host), Firm: true})
		return nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var there []string
	names, err := p.units()
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := os.Lstat(filepath.Join(p.To, name)); err == nil {
			sample(&there, name)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if len(there) > 0 {
		p.object(o, Objection{Word: "taken", Text: "the share has files of these names already, and nothing is overwritten", Sample: there, Firm: true})
	}
	return nil
}

// units are what gets its name on the share at once: the items, or all that is in
// the folder. They are asked for anew each time, as more may be there now.
func (p *Plan) units() ([]string, error) {
	var names []string
	for _, one := range p.Items {
		if one.Path != "." {
			if _, err := os.Lstat(p.source(one.Path)); err == nil {
				names = append(names, filepath.FromSlash(one.Path))
			} else if !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			continue
		}
		all, err := os.ReadDir(p.From)
		if err != nil {
			return nil, err
		}
		for _, e := range all {
			if !passes(e.Name()) && e.Name() != stateName {
				names = append(names, e.Name())
			}
		}
	}
	return names, nil
}

// fits compares the data with the room that there is.
func (p *Plan) fits(f *found, o *[]Objection) error {
	bytes, inodes, err := room(p.above())
	if err != nil {
		return err
	}
	if bytes < f.bytes+spare {
		p.object(o, Objection{Word: "room", Text: fmt.Sprintf("%d bytes are to be moved, and the share has %d left", f.bytes, bytes), Firm: true})
	}
	if need := f.files + f.folders + 16; inodes >= 0 && inodes < need {
		p.object(o, Objection{Word: "inodes", Text: fmt.Sprintf("%d files are to be moved, and the share has %d inodes left", need, inodes), Firm: true})
	}
	return nil
}

// tries makes files on the share, to see what it holds of what there is.
func (p *Plan) tries(f *found, o *[]Objection) error {
	a, err := tryOut(p.above(), f)
	if err != nil {
		return fmt.Errorf("try what %s can hold: %w", p.above(), err)
	}
	for _, one := range a.refused {
		p.object(o, Objection{Word: "names", Text: "the share refuses a name that " + one.why, Sample: []string{appdata.Quote(one.path)}, Firm: true})
	}
	if a.folds && len(f.collide) > 0 {
		p.object(o, Objection{Word: "names", Text: "the share takes upper and lower case for the same, and these would be one", Sample: f.collide, Firm: true})
	}
	if a.noLinks && f.links > 0 {
		p.object(o, Objection{Word: "links", Text: "the share has no symbolic links: mount it with mfsymlinks", Firm: true})
	}
	if a.noHardLinks && len(f.hardLinks) > 0 {
		p.object(o, Objection{Word: "hard-links", Text: "the share has no hard links: each name becomes a file of its own", Sample: f.hardLinks})
	}
	if a.openMode != 0 && p.secret() {
		p.object(o, Objection{Word: "secret", Text: fmt.Sprintf("a file for its owner alone becomes %04o on the share, and keystores are to be moved: mount it with file_mode=0640,dir_mode=0750", a.openMode), Firm: true})
	}
	if a.noModes {
		p.object(o, Objection{Word: "modes", Text: "the share does not keep the modes of files"})
	}
	if a.noOwners != "" {
		p.object(o, Objection{Word: "owners", Text: "files would not keep their owners on the share: " + a.noOwners})
	}
	if a.noAttributes && len(f.attributes) > 0 {
		p.object(o, Objection{Word: "attributes", Text: "the share does not hold extended attributes or access-control lists", Sample: f.attributes})
	}
	return nil
}

func (p *Plan) secret() bool {
	for _, one := range p.Present() {
		if one.Secret || one.Path == "." {
			return true
		}
	}
	return false
}
