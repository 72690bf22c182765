package demo

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// placePrefix begins the name of a demo's folder.
const placePrefix = "coterie-demo-"

// lockName is held as long as the demo lives. Only a folder with such a file in
// it is ever cleared.
const lockName = "coterie-demo.lock"

// longestPlace leaves room for the names of Unix sockets below it.
const longestPlace = 70

// place is the folder of a demo: everything that it writes is in it.
//
//	env            what a shell needs to look into the demo
//	control.sock   commands from other terminals
//	pg/            PostgreSQL
//	line/app-a/    the socket by which a node reaches PostgreSQL
//	app-a.yaml     its configuration, and app-a.state beside it
//	log/app-a.log  what its agent says
//	share/         the folder that all nodes share
type place struct {
	dir  string
	lock *os.File
}

// BusyError says that a folder cannot be a demo's.
type BusyError struct {
	Dir string
	Why string
}

func (e *BusyError) Error() string { return fmt.Sprintf("%s %s", e.Dir, e.Why) }

// base is where demos make their folders. A root caller's server runs as
// somebody else, who must be able to go there.
func base() string {
	if dir := os.TempDir(); os.Geteuid() != 0 && len(dir) < longestPlace-30 {
		return dir
	}
	return "/tmp"
}

// choosePlace says where a demo may make its folder, after it has cleaned up where
// demos died.
func choosePlace(dir string) (string, error) {
	if dir == "" {
		for _, old := range places() {
			if err := sweep(old); err != nil {
				return "", err
			}
		}
		return filepath.Join(base(), placePrefix+strings.ToLower(rand.Text()[:10])), nil
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if len(dir) > longestPlace {
		return "", &BusyError{dir, fmt.Sprintf("is too long a name for Unix sockets below it (%d bytes at most)", longestPlace)}
	}
	return dir, settle(dir)
}

// settle waits for a demo of this folder that is just ending.
func settle(dir string) error {
	for begun := time.Now(); ; <-time.After(50 * time.Millisecond) {
		if err := sweep(dir); err != nil {
			return err
		}
		_, err := os.Stat(filepath.Join(dir, lockName))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if time.Since(begun) > 3*time.Second {
			return &BusyError{dir, "has a demo running in it"}
		}
	}
}

// openPlace makes a demo's folder. One that is there must be empty.
func openPlace(dir string) (*place, error) {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() || !mine(info) {
		return nil, &BusyError{dir, "is no folder of yours"}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, &BusyError{dir, "is not empty; the demo removes its folder in the end"}
	}
	mode := fs.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711 // the account of PostgreSQL must come through
	}
	if err := os.Chmod(dir, mode); err != nil {
		return nil, err
	}
	p := &place{dir: dir}
	lock, err := os.OpenFile(p.path(lockName), os.O_CREATE|os.O_RDWR|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	p.lock = lock
	if ok, err := lockFile(lock); err != nil || !ok {
		return nil, errors.Join(fmt.Errorf("lock %s: taken: %v", lock.Name(), !ok), err, lock.Close())
	}
	for _, sub := range []string{"line", "log", "share"} {
		if err := os.Mkdir(p.path(sub), 0o700); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *place) path(parts ...string) string {
	return filepath.Join(append([]string{p.dir}, parts...)...)
}

// remove takes the folder away.
func (p *place) remove() error { return errors.Join(clear(p.dir), p.lock.Close()) }

// removeBut removes all but one thing.
func (p *place) removeBut(keep string) error {
	return errors.Join(endAll(p.dir), emptyBut(p.dir, keep), os.Remove(p.path(lockName)), p.lock.Close())
}

// empty removes a demo's folder, the lock last: whoever finds no lock in it finds
// nothing else either.
func empty(dir string) error {
	if err := emptyBut(dir, ""); err != nil {
		return err
	}
	return errors.Join(os.Remove(filepath.Join(dir, lockName)), os.Remove(dir))
}

func emptyBut(dir, keep string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() == lockName || entry.Name() == keep {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// places are the folders of demos of this user, living and dead.
func places() []string {
	found, err := filepath.Glob(filepath.Join(base(), placePrefix+"*"))
	if err != nil {
		return nil // the pattern is constant but for the folder
	}
	var ours []string
	for _, dir := range found {
		if info, err := os.Lstat(dir); err == nil && info.IsDir() && mine(info) {
			ours = append(ours, dir)
		}
	}
	return ours
}

// sweep removes what a demo left that died together with its reaper, and does
// nothing to any other folder. The lock is held meanwhile.
func sweep(dir string) error {
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return sweepUnlocked(dir)
	}
	if err != nil {
		return fmt.Errorf("look for a dead demo: %w", err)
	}
	defer lock.Close()
	if dead, err := lockFile(lock); err != nil || !dead {
		return err
	}
	return clear(dir)
}

// sweepUnlocked removes an empty folder of a demo that died before it had a lock.
// A new one may be about to get it.
func sweepUnlocked(dir string) error {
	info, err := os.Stat(dir)
	if err != nil || time.Since(info.ModTime()) < time.Minute || filepath.Dir(dir) != base() {
		return nil // gone, or made just now, or not made by a demo
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		return err
	}
	return os.Remove(dir)
}
