package bundle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/internal/atomicfile"
)

// forward does all of a journal, however much of it is done.
func (im Import) forward(d *desk, e deskEntry, j *journal) (*Applied, error) {
	out, err := im.each(d, e, j, slices.All(j.Ops), im.one)
	if err != nil {
		return out, err
	}
	im.did("say that it is done")
	if _, err := d.move(e, done); err != nil {
		return out, err
	}
	return out, im.tidy(d)
}

// each goes through the paths of a journal, and has the folders in which something was
// done on the disk.
func (im Import) each(d *desk, e deskEntry, j *journal, ops iter.Seq2[int, op], one func(d *desk, at shelf, o op) (bool, error)) (*Applied, error) {
	out := &Applied{Number: e.number, At: time.Unix(j.At, 0), Changes: len(j.Ops)}
	folders := map[string]bool{}
	for i, o := range ops {
		dir, n := path.Join(d.dir, e.String()), strconv.Itoa(i)
		done, err := one(d, shelf{fresh: path.Join(dir, "new", n), old: path.Join(dir, "old", n)}, o)
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
	return out, nil
}

// shelf is where the desk has what shall be at a path, and what was there.
type shelf struct{ fresh, old string }

// one does one path; false when somebody else changed it.
func (im Import) one(d *desk, at shelf, o op) (bool, error) {
	return im.turn(d, o, o.Was, o.Is, func() error {
		if o.Is.none() {
			im.did("put %s aside", o.Path)
			return d.root.Rename(o.Path, at.old)
		}
		if !o.Was.none() {
			im.did("keep %s", o.Path)
			if err := d.keep(o.Path, at.old); err != nil {
				return err
			}
		}
		im.did("put %s", o.Path)
		return d.root.Rename(at.fresh, o.Path)
	})
}

// turn brings a path from one state to the other: folders itself, all else by swap.
func (im Import) turn(d *desk, o op, from, to fact, swap func() error) (bool, error) {
	now, err := d.now(o.Path)
	if err != nil {
		return false, err
	}
	switch {
	case to.folder() && (now.folder() || now.none()):
		im.did("make %s", o.Path)
		return true, im.makeFolder(d, o.Path, to)
	case o.has(now, to):
		return true, nil
	case !o.has(now, from):
		return false, nil
	case from.folder():
		im.did("remove %s", o.Path)
		if err := d.root.Remove(o.Path); err != nil && !notEmpty(err) {
			return false, err
		}
		return true, nil
	}
	return true, swap()
}

// keep has a file under a second name, so that it outlives its replacement.
func (d *desk) keep(name, old string) error {
	if err := d.root.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) { // of one who was killed
		return err
	}
	err := d.root.Link(name, old)
	if err == nil || !noLinks(err) {
		return err
	}
	info, err := d.root.Lstat(name)
	if err != nil {
		return err
	}
	if info.Mode().Type() == fs.ModeSymlink {
		target, err := d.root.Readlink(name)
		if err != nil {
			return err
		}
		return d.root.Symlink(target, old)
	}
	return d.copyFile(name, old, info)
}

func (d *desk) copyFile(name, to string, info fs.FileInfo) error {
	from, err := appdata.OpenPlain(d.root, name)
	if err != nil {
		return err
	}
	defer from.Close()
	f, err := d.root.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	if err == nil {
		err = atomicfile.OwnerOf(f, info)
	}
	if err == nil {
		err = keepAttributes(f, from)
	}
	if err == nil {
		err = f.Chmod(info.Mode().Perm())
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return d.root.Chtimes(to, time.Time{}, info.ModTime())
}

// makeFolder makes a folder, however much of that is done.
func (im Import) makeFolder(d *desk, name string, is fact) error {
	if err := d.root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := d.root.Open(name)
	if err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		folder, err := d.root.Lstat(path.Dir(name))
		if err == nil {
			err = atomicfile.OwnerOf(f, folder)
		}
		if err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return errors.Join(f.Chmod(fs.FileMode(is.Mode)), f.Close())
}
