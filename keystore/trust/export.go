package trust

import (
	"errors"
	"io/fs"

	"github.com/coterie-ha/coterie/internal/atomicfile"
	"github.com/coterie-ha/coterie/keystore"
)

// Export is a rendering for somebody who is no node.
type Export struct {
	File
	Password keystore.Password
}

// Look tells whether the file is there, and whether it has just these entries.
func (e Export) Look(s Store) (there, right bool, err error) {
	old, err := keystore.ReadFile(e.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, false, nil
	}
	if err != nil {
		return true, false, err
	}
	f := Files{Password: e.Password}
	return true, f.right(e.File, old, s), nil
}

// Write writes it.
func (e Export) Write(s Store) error {
	data, err := keystore.Write(s.keystore(), e.Format, e.Password)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(e.Path, data, 0o644); err != nil && !errors.Is(err, atomicfile.ErrNotDurable) {
		return err
	}
	return nil
}
