package appdata

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Watcher hears from this host's kernel what changes in a tree. It hears what
// this host does, and nothing of what other hosts do on a network file system.
//
// What it tells are folders to be looked at, not changes: an event may be late,
// merged with others, or of a file that is gone again. A folder is told when it
// has been quiet for Settle, or after Most at the latest; files that are still
// being written then are named, so that they are not taken for whole.
type Watcher struct {
	Root   string
	Skip   func(path string) bool // of paths below Root; nil: none
	Settle time.Duration          // 0: 100 ms
	Most   time.Duration          // 0: 1 s
}

// Dirty is what a Watcher tells, or a Listener, or a Lookout. Its paths are quoted.
type Dirty struct {
	Folders []string `json:"folders,omitempty"` // to be looked at, each for itself
	Busy    []string `json:"busy,omitempty"`    // files in them that are being written
	Lost    string   `json:"lost,omitempty"`    // why something may have been missed: all is to be looked at
	Deaf    string   `json:"deaf,omitempty"`    // why nothing is heard of other hosts; told when that changes
	Ready   bool     `json:"ready,omitempty"`   // from now on nothing is missed; told once
	Watched int      `json:"watched,omitempty"` // folders, when Ready
}

// watching is a Watcher at work.
type watching struct {
	Watcher
	unrest
	inotify *fsnotify.Watcher
	watched map[string]bool // folders
}

// Run watches until ctx ends or the tree cannot be watched any more.
func (w Watcher) Run(ctx context.Context, tell func(Dirty) error) error {
	inotify, err := fsnotify.NewBufferedWatcher(4096)
	if err != nil {
		return err
	}
	at := &watching{
		Watcher: w, inotify: inotify, watched: map[string]bool{},
		unrest: newUnrest(orElse(w.Settle, 100*time.Millisecond), orElse(w.Most, time.Second)),
	}
	err = at.run(ctx, tell)
	return errors.Join(err, inotify.Close())
}

func (w *watching) run(ctx context.Context, tell func(Dirty) error) error {
	if err := w.add(".", false); err != nil {
		return err
	}
	if err := tell(Dirty{Ready: true, Watched: len(w.watched)}); err != nil {
		return err
	}
	tick := time.NewTicker(w.settle / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err, open := <-w.inotify.Errors:
			if !open {
				return errors.New("the watch has ended")
			}
			w.lost = "the kernel's queue of events ran over"
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				w.lost = err.Error()
			}
		case e, open := <-w.inotify.Events:
			if !open {
				return errors.New("the watch has ended")
			}
			if err := w.hear(e); err != nil {
				return err
			}
		case <-tick.C:
			if d := w.settled(time.Now()); d.Lost != "" || len(d.Folders) > 0 {
				if err := tell(d); err != nil {
					return err
				}
			}
		}
	}
}

// add watches a folder and all below it. A folder is watched before it is
// listed, so that nothing comes between; one that is new is told as well.
func (w *watching) add(folder string, isNew bool) error {
	full := filepath.Join(w.Root, folder)
	if err := w.inotify.Add(full); err != nil {
		if folder == "." {
			return err
		}
		if !errors.Is(err, fs.ErrNotExist) {
			w.lost = "cannot watch all folders: " + errText(err)
		}
		return nil
	}
	w.watched[folder] = true
	if isNew {
		w.stir(folder)
	}
	entries, err := os.ReadDir(full)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		if folder == "." {
			return err
		}
		w.lost = "cannot list all folders: " + errText(err)
	}
	for _, e := range entries {
		name := join(folder, e.Name())
		if e.IsDir() && !w.skips(name) {
			if err := w.add(name, isNew); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *watching) skips(name string) bool { return w.Skip != nil && w.Skip(name) }

func (w *watching) hear(e fsnotify.Event) error {
	name, err := filepath.Rel(w.Root, e.Name)
	if err != nil || name == ".." || strings.HasPrefix(name, "../") {
		return nil
	}
	if name == "." {
		if e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename) {
			return errors.New("the folder itself was taken away")
		}
		return nil
	}
	if w.skips(name) {
		return nil
	}
	r := w.stir(path.Dir(name))
	if e.Has(fsnotify.Write) || e.Has(fsnotify.Create) {
		r.files[name] = r.last
	}
	if e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename) {
		delete(r.files, name)
		w.forget(name)
	}
	if e.Has(fsnotify.Create) {
		if info, err := os.Lstat(e.Name); err == nil && info.IsDir() {
			delete(r.files, name)
			return w.add(name, true)
		}
	}
	return nil
}

// forget ends the watches of a folder that is not at its place any more, and of
// all below it: they go where it went, and would tell its old name.
func (w *watching) forget(folder string) {
	if !w.watched[folder] {
		return
	}
	for name := range w.watched {
		if name == folder || strings.HasPrefix(name, folder+"/") {
			delete(w.watched, name)
			_ = w.inotify.Remove(filepath.Join(w.Root, name)) // fails when the kernel has ended it already
		}
	}
}
