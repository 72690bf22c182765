package appdata

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/coterie-ha/coterie/appdata/smb"
)

// Listener hears from the server of an SMB share what anybody changes in it, on whatever
// host (MS-SMB2 2.2.35, CHANGE_NOTIFY). It waits at the root of the share, for all that is
// below: nobody renames or removes that folder, so nobody is in its way.
//
// What it hears is a hint. A server tells nothing of what changes between two questions,
// and Samba nothing of what programs do at its own disk below the root. Like a Watcher it
// tells where to look; what it misses a scan finds. A folder in which a file is written it
// tells a second time after a while: a server may tell of a file that is cut, and not when the
// rest is written.
type Listener struct {
	Root   string
	Skip   func(path string) bool // of paths below Root; nil: none
	Settle time.Duration          // 0: 25 ms
	Most   time.Duration          // 0: 500 ms
	Again  time.Duration          // 0: 1 s; after which a folder is told once more

	ask func() (notices []smb.Notice, whole bool, err error) // nil: of an smb.Folder
}

// mostUnheard is how many answers wait while what was told is written.
const mostUnheard = 64

// mostNew bounds the folders in a new one that are told; of more a scan is asked.
const mostNew = 1000

// Run listens until ctx ends, the share cannot be asked any more, or nobody wants to be
// told. The caller's process must be expendable: one thread waits in the kernel, where
// nobody can call it back, and ends with the process.
func (l Listener) Run(ctx context.Context, tell func(Dirty) error) error {
	ask := l.ask
	leave := func() {}
	if ask == nil {
		folder, err := smb.Open(l.Root)
		if err != nil {
			return fmt.Errorf("listen to the file server: %w", err)
		}
		ask, leave = folder.Await, func() { _ = folder.Close() } // it was only read
	}
	answers := make(chan answerOfServer, mostUnheard) // who asks again soon misses little
	go func() {
		defer leave()
		for {
			notices, whole, err := ask()
			select {
			case answers <- answerOfServer{notices, whole, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	u := heard{unrest: newUnrest(orElse(l.Settle, 25*time.Millisecond), orElse(l.Most, 500*time.Millisecond)), fresh: map[string]map[string]bool{}, again: map[string]time.Time{}}
	tick := time.NewTicker(u.settle / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case a := <-answers:
			if a.err != nil {
				return fmt.Errorf("listen to the file server: %w", a.err)
			}
			l.hear(&u, a)
		case <-tick.C:
			if d := l.due(&u, time.Now()); d.Lost != "" || len(d.Folders) > 0 {
				if err := tell(d); err != nil {
					return err
				}
			}
		}
	}
}

// Keep listens until ctx ends or nobody wants to be told. Where the server tells nothing,
// scans find what changed: it says why (Dirty.Deaf), once as long as the reason is the same,
// and asks again, ever more seldom. When it had listened, a scan is to find what it misses.
func (l Listener) Keep(ctx context.Context, tell func(Dirty) error) error {
	const first, most = 2 * time.Second, time.Minute
	said, rest := "", first
	for {
		begun := time.Now()
		err := l.Run(ctx, tell)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		lasted := time.Since(begun)
		if lasted > most {
			said, rest = "", first
		}
		var d Dirty
		if why := err.Error(); why != said {
			said, d.Deaf = why, why
		}
		if lasted > time.Second && !errors.Is(err, smb.ErrNoNotices) {
			d.Lost = "nobody heard the file server for a while: " + err.Error()
		}
		if d.Deaf != "" || d.Lost != "" {
			if err := tell(d); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(rest):
		}
		rest = min(2*rest, most)
	}
}

// heard is what was heard, and not told yet.
type heard struct {
	unrest
	fresh map[string]map[string]bool // by folder: names that came, which may be folders
	again map[string]time.Time       // folders in which was written: when they are told once more
}

// answerOfServer is what an smb.Folder gives.
type answerOfServer struct {
	notices []smb.Notice
	whole   bool
	err     error
}

// hear takes in one answer.
func (l Listener) hear(u *heard, a answerOfServer) {
	if !a.whole {
		u.lost = "the file server had more to tell than there is room for"
	}
	for _, n := range a.notices {
		if l.skips(n.Path) {
			continue
		}
		folder := path.Dir(n.Path)
		r := u.stir(folder)
		switch n.Action {
		case smb.Modified, smb.Added:
			r.files[n.Path] = r.last
			u.again[folder] = r.last.Add(orElse(l.Again, time.Second))
		case smb.Removed, smb.OldName:
			delete(r.files, n.Path)
		}
		switch n.Action {
		case smb.Added, smb.NewName:
			if u.fresh[folder] == nil {
				u.fresh[folder] = map[string]bool{}
			}
			u.fresh[folder][n.Path] = true
		}
	}
}

// due gives what is to be told now: of a new folder all that are in it as well, since the
// server may have told of the first alone.
func (l Listener) due(u *heard, now time.Time) Dirty {
	d := u.settled(now)
	for folder, names := range u.fresh {
		if !slices.Contains(d.Folders, Quote(folder)) {
			continue
		}
		for name := range names {
			if err := l.enter(&d, name); err != nil {
				d.Lost = "cannot look at all of a new folder: " + errText(err)
			}
		}
		delete(u.fresh, folder)
	}
	for folder, at := range u.again {
		if now.Before(at) {
			continue
		}
		delete(u.again, folder)
		if told := Quote(folder); !slices.Contains(d.Folders, told) {
			d.Folders = append(d.Folders, told)
		}
	}
	return d
}

// skips says whether a path, or a folder above it, is left out.
func (l Listener) skips(name string) bool {
	for ; l.Skip != nil && name != "."; name = path.Dir(name) {
		if l.Skip(name) {
			return true
		}
	}
	return false
}

// enter adds the folders that came with a name.
func (l Listener) enter(d *Dirty, name string) error {
	top := filepath.Join(l.Root, filepath.FromSlash(name))
	if info, err := os.Lstat(top); err != nil || !info.IsDir() {
		return nil // of one that has gone again notice is to come
	}
	d.Busy = slices.DeleteFunc(d.Busy, func(busy string) bool { return busy == Quote(name) })
	n := 0
	return filepath.WalkDir(top, func(full string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		below, err := filepath.Rel(l.Root, full)
		if err != nil || !e.IsDir() {
			return err
		}
		if below = filepath.ToSlash(below); l.skips(below) {
			return fs.SkipDir
		}
		if n++; n > mostNew {
			return fmt.Errorf("more than %d folders", mostNew)
		}
		if told := Quote(below); !slices.Contains(d.Folders, told) {
			d.Folders = append(d.Folders, told)
		}
		return nil
	})
}
