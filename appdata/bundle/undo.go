package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"time"

	"github.com/coterie-ha/coterie/appdata"
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
	out := &Applied{Number: e.number, At: time.Unix(j.At, 0), Changes: len(j.Ops)}
	folders := map[string]bool{}
	for i := len(j.Ops) - 1; i >= 0; i-- {
		o := j.Ops[i]
		done, err := im.unmake(d, path.Join(d.dir, e.String()), i, o)
		if err != nil {
			return out, fmt.Errorf("%s: %w", appdata.Quote(o.Path), err)
		}
		if !done {
			out.Left = append(out.Left, o.Path)
		}
		folders[path.Dir(o.Path)] = true
	}
	for dir := range folders {
		if err := d.sync(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return out, err
		}
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
func (im Import) unmake(d *desk, at string, i int, o op) (bool, error) {
	now, err := d.now(o.Path)
	if err != nil {
		return false, err
	}
	fresh, old := path.Join(at, "new", strconv.Itoa(i)), path.Join(at, "old", strconv.Itoa(i))
	switch {
	case o.Was.folder() && (now.folder() || now.none()):
		im.did("make %s again", o.Path)
		return true, im.makeFolder(d, o.Path, o.Was)
	case o.has(now, o.Was):
		return true, nil
	case !o.has(now, o.Is):
		return false, nil
	case o.Is.folder():
		im.did("remove %s", o.Path)
		if err := d.root.Remove(o.Path); err != nil && !notEmpty(err) {
			return false, err
		}
		return true, nil
	case o.Was.none():
		im.did("take %s away", o.Path)
		return true, d.root.Rename(o.Path, fresh)
	}
	im.did("put %s back", o.Path)
	return true, d.root.Rename(old, o.Path)
}
