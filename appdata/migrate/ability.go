package migrate

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ability is what a share was seen to hold.
type ability struct {
	folds        bool        // upper and lower case are one
	openMode     fs.FileMode // that a file for its owner alone gets; 0: it stays so
	noModes      bool
	noLinks      bool
	noHardLinks  bool
	noOwners     string // why
	noAttributes bool
	refused      []refusal
}

type refusal struct{ why, path string }

// tryOut makes files in a folder of its own on the share, and removes them.
func tryOut(share string, f *found) (a ability, err error) {
	dir := filepath.Join(share, ".coterie-try-"+rand.Text()[:8])
	if err := os.Mkdir(dir, 0o700); err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "probe")
	if err := os.WriteFile(file, []byte("probe"), 0o600); err != nil {
		return a, err
	}
	if err := a.modes(file); err != nil {
		return a, err
	}
	_, err = os.Lstat(filepath.Join(dir, "PROBE"))
	a.folds = err == nil
	a.noLinks = os.Symlink("probe", filepath.Join(dir, "link")) != nil
	a.noHardLinks = os.Link(file, filepath.Join(dir, "hard")) != nil
	a.owners(file, f)
	if len(f.attributes) > 0 {
		a.noAttributes = setAttribute(file) != nil || f.lists && setList(file) != nil
	}
	return a, a.names(dir, f)
}

func (a *ability) modes(file string) error {
	for _, want := range []fs.FileMode{0o640, 0o600} {
		if err := os.Chmod(file, want); err != nil {
			a.noModes = true
		}
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		got := info.Mode().Perm()
		a.noModes = a.noModes || got != want
		if want == 0o600 && got&0o007 != 0 {
			a.openMode = got
		}
	}
	return nil
}

func (a *ability) owners(file string, f *found) {
	for owner, path := range f.owners {
		err := os.Lchown(file, int(owner[0]), int(owner[1]))
		if err == nil {
			info, statErr := os.Stat(file)
			if statErr != nil {
				continue
			}
			if s := factsOf(info); s.systemOwners && (s.uid != owner[0] || s.gid != owner[1]) {
				err = fmt.Errorf("given to %d:%d, it belongs to %d:%d", owner[0], owner[1], s.uid, s.gid)
			}
		}
		if err != nil {
			a.noOwners = fmt.Sprintf("%s of %d:%d: %s", path, owner[0], owner[1], shortError(err))
			return
		}
	}
}

// names tries one name of each kind that a share might refuse.
func (a *ability) names(dir string, f *found) error {
	for why, one := range f.names {
		path := filepath.Join(dir, one.name)
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			a.refused = append(a.refused, refusal{why, one.path})
			continue
		}
		if err == nil {
			if err := file.Close(); err != nil {
				return err
			}
		}
		// Some servers take a name and give another.
		all, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		kept := false
		for _, e := range all {
			kept = kept || e.Name() == one.name
		}
		if !kept {
			a.refused = append(a.refused, refusal{why, one.path})
		}
	}
	return nil
}

// shortError is what went wrong without the path.
func shortError(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error()
	}
	return strings.TrimSpace(err.Error())
}
