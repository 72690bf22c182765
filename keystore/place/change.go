package place

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/coterie-ha/coterie/internal/atomicfile"
	"github.com/coterie-ha/coterie/internal/properties"
	"github.com/coterie-ha/coterie/keystore"
)

// Change is one file that is to have other content.
type Change struct {
	Path, What string
	Data       []byte
	Perm       fs.FileMode // of a file that is not there yet
	Old        []byte      // nil when there is no file
}

// FileChange is what the keystore needs: nothing when it has the content.
func FileChange(path string, data []byte) ([]Change, error) {
	old, err := keystore.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Dir(path)); err != nil {
			return nil, fmt.Errorf("%s: its folder is not there: %w", path, err)
		}
	case err != nil:
		return nil, err
	}
	if bytes.Equal(old, data) {
		return nil, nil
	}
	return []Change{{Path: path, What: "write " + path, Data: data, Perm: 0o600, Old: old}}, nil
}

// AliasChange is what the properties need for an alias.
func AliasChange(path, property, alias string) ([]Change, error) {
	text, err := ReadProperties(path)
	if err != nil {
		return nil, err
	}
	set, err := text.Set(property, alias)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if bytes.Equal(set, text) {
		return nil, nil
	}
	what := fmt.Sprintf("set %s to %s in %s", property, alias, path)
	if was, there := text.Get(property); there {
		what += ", now " + was
	}
	return []Change{{Path: path, What: what, Data: set, Perm: 0o640, Old: text}}, nil
}

// ReadProperties reads the server's own file, which must be there.
func ReadProperties(path string) (properties.Text, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, properties.Most+1))
	return properties.Text(text), err
}

// Write writes files, and returns those that it wrote.
func Write(changes []Change) (done []Change, err error) {
	for _, c := range changes {
		if err := durable(atomicfile.Write(c.Path, c.Data, c.Perm)); err != nil {
			return done, err
		}
		done = append(done, c)
	}
	return done, nil
}

// Undo puts back what was there, the last first.
func Undo(done []Change) error {
	var errs []error
	for i := len(done) - 1; i >= 0; i-- {
		c := done[i]
		if c.Old == nil {
			errs = append(errs, os.Remove(c.Path))
			continue
		}
		errs = append(errs, durable(atomicfile.Write(c.Path, c.Old, c.Perm)))
	}
	return errors.Join(errs...)
}

// durable takes it that a file is in place that may be lost with the power: what is
// lost then is put in place again.
func durable(err error) error {
	if errors.Is(err, atomicfile.ErrNotDurable) {
		return nil
	}
	return err
}
