package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"time"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/internal/atomicfile"
)

// stage brings all that is new to the disk, and the journal, and decides.
func (im Import) stage(ctx context.Context, d *desk, p *Plan, r *Reader, j *journal) (int, error) {
	if err := im.room(d, p); err != nil {
		return 0, err
	}
	at := path.Join(d.dir, staging)
	for _, dir := range []string{at, at + "/new", at + "/old"} {
		im.did("make %s", dir)
		if err := d.root.Mkdir(dir, 0o700); err != nil {
			return 0, err
		}
	}
	wanted := map[string]int{}
	var puts []*Change
	for i := range p.Changes {
		c := &p.Changes[i]
		if c.Action == Keep {
			continue
		}
		if c.Action == Delete {
			c.is = fact{}
		}
		wanted[c.Path] = len(puts)
		puts = append(puts, c)
		j.Ops = append(j.Ops, op{Path: c.Path, Was: c.was, Is: c.is})
	}
	err := r.Each(ctx, func(e *Entry, content io.Reader) error {
		n, is := wanted[e.Path]
		if !is || puts[n].Action == Delete {
			return nil
		}
		return im.put(d, path.Join(at, "new", strconv.Itoa(n)), e, puts[n], content)
	})
	if err != nil {
		return 0, err
	}
	return im.decide(d, at, j)
}

// put brings one entry to the stage as it shall be.
func (im Import) put(d *desk, at string, e *Entry, c *Change, content io.Reader) (err error) {
	im.did("stage %s", e.Path)
	switch e.Kind {
	case appdata.Folder:
		return nil
	case appdata.Link:
		return d.root.Symlink(e.Target, at)
	}
	f, err := d.root.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if c.merged {
		_, err = f.Write(c.text)
	} else {
		_, err = io.Copy(onlyWriter{f}, content)
	}
	if err != nil {
		return err
	}
	if err := im.dress(d, f, c); err != nil {
		return fault(Unfit, e.Path, "%v", err)
	}
	if err := f.Chmod(fs.FileMode(e.Mode)); err != nil {
		return err
	}
	if err := d.root.Chtimes(at, time.Time{}, time.Unix(e.MTime, 0)); err != nil {
		return err
	}
	return syncFile(f)
}

// dress gives a file the owner and the attributes of the one that it replaces; a new one, the
// owner of its folder, where that can be.
func (im Import) dress(d *desk, f *os.File, c *Change) error {
	if !c.was.none() {
		old, err := d.root.Lstat(c.Path)
		if err != nil {
			return err
		}
		if err := atomicfile.Like(f, old, filepath.Join(im.Root, c.Path)); err != nil {
			return err
		}
		was, err := appdata.OpenPlain(d.root, c.Path)
		if err != nil {
			return err
		}
		return errors.Join(keepAttributes(f, was), was.Close())
	}
	if os.Geteuid() != 0 {
		return nil
	}
	for dir := path.Dir(c.Path); ; dir = path.Dir(dir) {
		folder, err := d.root.Lstat(dir)
		if err == nil {
			return atomicfile.OwnerOf(f, folder)
		}
		if !errors.Is(err, fs.ErrNotExist) || dir == "." {
			return err
		}
	}
}

// decide is the moment from which on an import goes forward.
func (im Import) decide(d *desk, at string, j *journal) (int, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return 0, err
	}
	im.did("write the journal")
	f, err := d.root.OpenFile(at+"/journal", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	if _, err = f.Write(text); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	stage, err := d.root.Open(at)
	if err != nil {
		return 0, err
	}
	if err := errors.Join(syncAll(stage), stage.Close()); err != nil {
		return 0, err
	}
	all, err := d.list()
	if err != nil {
		return 0, err
	}
	number := 1
	if n := len(all); n > 0 {
		number = all[n-1].number + 1
	}
	im.did("decide")
	if err := d.root.Rename(at, path.Join(d.dir, strconv.Itoa(number)+doing)); err != nil {
		return 0, err
	}
	return number, d.sync(d.dir)
}
