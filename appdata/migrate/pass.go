package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/coterie-ha/coterie/appdata"
)

// pass is one walk over all that is to be moved: Copy puts it on the stage, Prove
// reads both ends, and mends what is not the same.
type pass struct {
	*run
	copier copier
	prove  bool
	known  known
	all    *lines // of the manifest that is being made; nil when copying
	fresh  *lines // proofs that are new, for the run after a kill

	mu      sync.Mutex
	groups  map[[2]uint64][]string // names on the share of files with several names
	folders []*folder
	restive []string
}

// attempts is how often a file that changes is copied.
const attempts = 4

func (r *run) newPass() *pass {
	workers := r.Workers
	p := &pass{run: r, known: known{}, groups: map[[2]uint64][]string{}}
	p.copier = copier{
		accepts: func(word string) bool { return slices.Contains(r.plan.Accepts, word) },
		umask:   umask(), uid: os.Geteuid(), gid: os.Getegid(), kernel: !r.plan.Mount.Network() || workers == 0,
		moved: func(n int64) { r.Progress.Bytes.Add(n) }, seen: r.seen,
	}
	return p
}

// go walks over all units.
func (p *pass) do(ctx context.Context) error {
	units, err := p.plan.units()
	if err != nil {
		return err
	}
	roots, err := p.roots(units)
	if err != nil {
		return err
	}
	visit := p.copyOne
	if p.prove {
		if err := p.forsaken(units); err != nil {
			return err
		}
		visit = p.proveOne
	}
	workers := p.Workers
	if workers == 0 {
		workers = 16
	}
	if p.Workers == 0 && !p.plan.Mount.Network() {
		workers = 4
	}
	t := &tree{workers: workers, enter: p.enter, visit: visit}
	if err := t.run(ctx, roots); err != nil {
		return err
	}
	if len(p.restive) > 0 {
		slices.Sort(p.restive)
		return &UnrestError{p.restive}
	}
	if err := p.hardLinks(); err != nil || !p.prove {
		return err // what is proved and mended later would move the times of folders again
	}
	return p.dressFolders(ctx, workers)
}

// roots are the units with their places. A unit that was published is at its name
// on the share, and a link that was put in its old place leads there already.
func (p *pass) roots(units []string) ([]*folder, error) {
	var roots []*folder
	for _, name := range units {
		from := p.plan.source(name)
		if put, err := p.isPut(name); err != nil {
			return nil, err
		} else if put {
			continue
		}
		to, final, err := p.whereIs(name)
		if err != nil {
			return nil, err
		}
		if err := p.makeWay(to, final); err != nil {
			return nil, err
		}
		info, err := os.Stat(from)
		if err != nil {
			return nil, err
		}
		if info.IsDir() {
			real, err := filepath.EvalSymlinks(from) // the item itself may be a link
			if err != nil {
				return nil, err
			}
			if sub, err := os.Lstat(from); err == nil && p.plan.Items[0].Path == "." && sub.Mode().Type() == fs.ModeSymlink {
				roots = append(roots, &folder{path: ".", from: p.plan.From, to: filepath.Dir(to), names: []entry{{name: name}}, listed: true, final: final})
				continue
			}
			roots = append(roots, &folder{path: name, from: real, to: to, final: final})
			continue
		}
		roots = append(roots, &folder{path: filepath.Dir(name), from: filepath.Dir(from), to: filepath.Dir(to), names: []entry{{name: filepath.Base(name)}}, listed: true, final: final})
	}
	return roots, nil
}

// forsaken takes from the share what was published and of which the original is gone.
func (p *pass) forsaken(units []string) error {
	for _, unit := range p.published().Units {
		at := filepath.Join(p.plan.To, unit)
		if _, err := os.Lstat(at); slices.Contains(units, unit) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := p.ours(unit, at); err != nil {
			return err
		}
		if err := os.RemoveAll(at); err != nil {
			return err
		}
		p.boundary("remove " + unit)
	}
	return nil
}

// whereIs says where a unit is on the share: on the stage until it is published.
func (r *run) whereIs(unit string) (string, bool, error) {
	staged, final := filepath.Join(r.plan.stage(), unit), filepath.Join(r.plan.To, unit)
	if !r.ends.journal.Begun(Publish) {
		return staged, false, nil
	}
	_, err := os.Lstat(staged)
	switch {
	case err == nil:
		return staged, false, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", false, err
	}
	if _, err = os.Lstat(final); errors.Is(err, fs.ErrNotExist) {
		return staged, false, nil // new since
	}
	return final, true, err
}

// makeWay makes the folders above a unit.
func (p *pass) makeWay(to string, final bool) error {
	if final {
		return nil
	}
	return os.MkdirAll(filepath.Dir(to), 0o700)
}

// enter makes a folder, and removes from it what is no more in the original.
func (p *pass) enter(_ context.Context, d *folder, subs []string) error {
	var there []fs.DirEntry
	var err error
	if p.prove { // it is there: making it, or asking, would be one more round trip
		if there, err = listFolder(d.to); errors.Is(err, errNoFolder) {
			err = p.makeFolder(d)
		}
	} else {
		err = p.makeFolder(d)
	}
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.folders = append(p.folders, &folder{path: d.path, from: d.from, to: d.to})
	p.mu.Unlock()
	if !p.prove {
		return nil
	}
	if err := p.all.add(Proof{Path: appdata.Quote(d.path), Kind: "d"}); err != nil {
		return err
	}
	stays := make(map[string]bool, len(d.names)+len(subs))
	for _, e := range d.names {
		stays[e.name] = true
	}
	for _, name := range subs {
		stays[name] = true
	}
	for _, e := range there {
		if stays[e.Name()] {
			continue
		}
		path := filepath.Join(d.path, e.Name())
		if d.final {
			if err := p.ours(path, filepath.Join(d.to, e.Name())); err != nil {
				return err
			}
		}
		if err := os.RemoveAll(filepath.Join(d.to, e.Name())); err != nil {
			return err
		}
		p.boundary("remove " + path)
	}
	return nil
}

// errNoFolder means that there is none of that name, or something else.
var errNoFolder = errors.New("not a folder")

// ours refuses a tree of the share in which there is a file that was not moved there.
func (p *pass) ours(path, to string) error {
	return filepath.WalkDir(to, func(name string, d fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(to, name)
		if err = errors.Join(err, relErr); err != nil {
			return err
		}
		if _, known := p.known[keyOf(appdata.Quote(filepath.Join(path, rel)))]; !known && !d.IsDir() {
			return fmt.Errorf("%w: %s", ErrForeign, name)
		}
		return nil
	})
}

// ErrForeign means that somebody else has put a file where the plan is at work.
var ErrForeign = errors.New("a file on the share that is not of this plan")

// makeFolder makes a folder where there is none. On the stage, into which nobody looks,
// it has its mode at once.
func (p *pass) makeFolder(d *folder) error {
	mode := fs.FileMode(0o700)
	if !d.final {
		mode |= d.mode
	}
	err := os.Mkdir(d.to, mode)
	if !errors.Is(err, fs.ErrExist) {
		d.fresh = true
		p.boundary("mkdir " + d.path)
		return err
	}
	info, err := os.Lstat(d.to)
	if err != nil || info.IsDir() {
		return err
	}
	if err := os.Remove(d.to); err != nil { // it was a file when it was copied
		return err
	}
	return os.Mkdir(d.to, mode)
}

// copyOne copies a file of which the share has no copy that looks like it.
func (p *pass) copyOne(ctx context.Context, d *folder, e entry, buf []byte) error {
	from, to := filepath.Join(d.from, e.name), filepath.Join(d.to, e.name)
	if d.fresh && e.plain {
		if done, err := p.copier.small(from, to, buf); done || err != nil {
			p.Progress.Files.Add(1)
			p.boundary("copy " + filepath.Join(d.path, e.name))
			return err
		}
	}
	info, err := os.Lstat(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // gone meanwhile
	}
	if err != nil {
		return err
	}
	defer p.Progress.Files.Add(1)
	switch {
	case info.Mode().Type() == fs.ModeSymlink:
		return p.copier.link(from, to)
	case !info.Mode().IsRegular():
		return nil // accepted, or there would be no plan
	}
	if s := factsOf(info); s.links > 1 && !p.first(s, to) {
		p.Progress.Bytes.Add(info.Size())
		return nil
	}
	if !d.fresh && p.isCopied(info, to) {
		p.Progress.Bytes.Add(info.Size())
		return nil
	}
	for range attempts {
		if err = p.copier.file(ctx, from, to, buf); !errors.Is(err, errMoved) {
			break
		}
	}
	p.boundary("copy " + filepath.Join(d.path, e.name))
	switch {
	case errors.Is(err, errMoved): // it is looked at again when it is proved
		return nil
	case errors.Is(err, fs.ErrNotExist):
		if _, gone := os.Lstat(from); errors.Is(gone, fs.ErrNotExist) {
			return nil
		}
	}
	return err
}

// isCopied says whether the share has a copy that looks like the file.
func (p *pass) isCopied(info fs.FileInfo, to string) bool {
	there, err := os.Lstat(to)
	return err == nil && there.Mode().IsRegular() && there.Size() == info.Size() && sameTime(info.ModTime(), there.ModTime())
}
