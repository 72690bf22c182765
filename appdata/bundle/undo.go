package bundle

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Undone is what an undo is about.
type Undone struct {
	Number int
	At     time.Time
	By     string
	Reason string
	Paths  []string
}

// Last says which import Undo would take back. It writes nothing.
func (im Import) Last() (*Undone, error) {
	root, err := os.OpenRoot(im.Root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	d := &desk{root: root, dir: deskDir}
	all, err := d.list()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].state == undone {
			continue
		}
		j, err := d.read(all[i])
		if err != nil {
			return nil, err
		}
		u := &Undone{Number: all[i].number, At: time.Unix(j.At, 0), By: j.By, Reason: j.Reason}
		for _, o := range j.Ops {
			u.Paths = append(u.Paths, o.Path)
		}
		return u, nil
	}
	return nil, fault(Nothing, "", "no import into %s can be taken back", filepath.Clean(im.Root))
}

// Undo takes back the last import, from its end; one that has not come to its end as well.
func (im Import) Undo(number int) (out *Applied, err error) {
	d, err := openDesk(im.Root)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	return im.undo(d, number)
}

func (im Import) undo(d *desk, number int) (*Applied, error) {
	all, err := d.list()
	if err != nil {
		return nil, err
	}
	for i := len(all) - 1; i >= 0; i-- {
		e := all[i]
		if e.state == undone {
			continue
		}
		if e.number != number {
			return nil, fault(Busy, "", "import %d came after import %d", e.number, number)
		}
		j, err := d.read(e)
		if err != nil {
			return nil, err
		}
		if e.state != undoing {
			im.did("decide to go back")
			if e, err = d.move(e, undoing); err != nil {
				return nil, err
			}
		}
		return im.back(d, e, j)
	}
	return nil, fault(Nothing, "", "import %d is not there any more", number)
}

// back takes back all of a journal, however much of it is done.
func (im Import) back(d *desk, e deskEntry, j *journal) (*Applied, error) {
	out, err := im.each(d, e, j, slices.Backward(j.Ops), im.unmake)
	if err != nil {
		return out, err
	}
	if len(out.Left) > 0 { // what was kept of these is not thrown away
		_, err := d.move(e, ".left")
		return out, err
	}
	im.did("say that it is taken back")
	if _, err := d.move(e, undone); err != nil {
		return out, err
	}
	return out, im.tidy(d)
}

// unmake takes back one path; false when somebody else changed it.
func (im Import) unmake(d *desk, at shelf, o op) (bool, error) {
	return im.turn(d, o, o.Is, o.Was, func() error {
		if o.Was.none() {
			im.did("take %s away", o.Path)
			return d.root.Rename(o.Path, at.fresh)
		}
		im.did("put %s back", o.Path)
		return d.root.Rename(at.old, o.Path)
	})
}
