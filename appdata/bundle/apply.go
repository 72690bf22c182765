package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// Who is told in the journal.
type Who struct{ By, Reason string }

// Apply does what was planned, with a reader that is at the beginning of the same bundle.
// What an earlier import has left undone is done first; see Resume.
func (im Import) Apply(ctx context.Context, p *Plan, r *Reader, who Who) (out *Applied, err error) {
	if r.Digest != p.Digest {
		return nil, fault(Damaged, "", "another bundle than the one that was planned with")
	}
	d, err := openDesk(im.Root)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	return im.apply(ctx, d, p, r, who)
}

func (im Import) apply(ctx context.Context, d *desk, p *Plan, r *Reader, who Who) (*Applied, error) {
	if _, err := im.resume(d); err != nil {
		return nil, err
	}
	if !p.Does() || im.Policy == None {
		return &Applied{}, nil
	}
	j := &journal{Format: journalFormat, Bundle: p.Digest.String(), Tier: p.Header.Tier, Policy: im.Policy, By: who.By, Reason: who.Reason, At: time.Now().Unix()}
	number, err := im.stage(ctx, d, p, r, j)
	if err != nil {
		return nil, errors.Join(err, d.root.RemoveAll(path.Join(d.dir, staging)))
	}
	return im.forward(d, deskEntry{number, doing}, j)
}

// Resume goes on with what an import has left undone; nil if that is nothing.
func (im Import) Resume() (out *Applied, err error) {
	if _, err := os.Lstat(filepath.Join(im.Root, deskDir)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	d, err := openDesk(im.Root)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	return im.resume(d)
}

// Unfinished says whether an import has left something undone. It writes nothing.
func (im Import) Unfinished() (bool, error) {
	names, err := os.ReadDir(filepath.Join(im.Root, deskDir))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	for _, e := range names {
		if ext := filepath.Ext(e.Name()); ext == doing || ext == undoing {
			return true, nil
		}
	}
	return false, err
}

func (im Import) resume(d *desk) (out *Applied, err error) {
	all, err := d.list()
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if e.state != doing && e.state != undoing {
			continue
		}
		j, err := d.read(e)
		if err != nil {
			return nil, err
		}
		if e.state == doing {
			out, err = im.forward(d, e, j)
		} else {
			out, err = im.back(d, e, j)
		}
		if err != nil {
			return out, err
		}
	}
	return out, im.tidy(d)
}

// tidy removes what nobody needs: what was never decided, what was taken back, and all
// but the last imports.
func (im Import) tidy(d *desk) error {
	im.did("remove what is left of a stage")
	if err := d.root.RemoveAll(path.Join(d.dir, staging)); err != nil {
		return err
	}
	all, err := d.list()
	if err != nil {
		return err
	}
	last := 0
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].state == done {
			if last++; last <= kept {
				continue
			}
		} else if all[i].state != undone {
			continue
		}
		im.did("remove import %s", all[i])
		if err := d.root.RemoveAll(path.Join(d.dir, all[i].String())); err != nil {
			return err
		}
	}
	return nil
}

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

// dress gives a file the owner of the one that it replaces; a new one, that of its
// folder, where that can be.
func (im Import) dress(d *desk, f *os.File, c *Change) error {
	if !c.was.none() {
		old, err := d.root.Lstat(c.Path)
		if err != nil {
			return err
		}
		return atomicfile.Like(f, old, filepath.Join(im.Root, c.Path))
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

// forward does all of a journal, however much of it is done.
func (im Import) forward(d *desk, e deskEntry, j *journal) (*Applied, error) {
	out := &Applied{Number: e.number, At: time.Unix(j.At, 0), Changes: len(j.Ops)}
	folders := map[string]bool{}
	for i, o := range j.Ops {
		done, err := im.one(d, path.Join(d.dir, e.String()), i, o)
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
	im.did("say that it is done")
	if _, err := d.move(e, done); err != nil {
		return out, err
	}
	return out, im.tidy(d)
}

// one does one path; false when somebody else changed it.
func (im Import) one(d *desk, at string, i int, o op) (bool, error) {
	now, err := d.now(o.Path)
	if err != nil {
		return false, err
	}
	fresh, old := path.Join(at, "new", strconv.Itoa(i)), path.Join(at, "old", strconv.Itoa(i))
	switch {
	case o.Is.folder() && (now.folder() || now.none()):
		im.did("make %s", o.Path)
		return true, im.makeFolder(d, o.Path, o.Is)
	case o.has(now, o.Is):
		return true, nil
	case !o.has(now, o.Was):
		return false, nil
	case o.Was.folder():
		im.did("remove %s", o.Path)
		if err := d.root.Remove(o.Path); err != nil && !notEmpty(err) {
			return false, err
		}
		return true, nil
	case o.Is.none():
		im.did("put %s aside", o.Path)
		return true, d.root.Rename(o.Path, old)
	}
	if !o.Was.none() {
		im.did("keep %s", o.Path)
		if err := d.keep(o.Path, old); err != nil {
			return false, err
		}
	}
	im.did("put %s", o.Path)
	return true, d.root.Rename(fresh, o.Path)
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
