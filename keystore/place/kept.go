package place

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/coterie-ha/coterie/internal/atomicfile"
	"github.com/coterie-ha/coterie/keystore"
)

func (s Server) kept() (file, properties string) {
	return filepath.Join(s.Kept, "keystore.before"), filepath.Join(s.Kept, "keystore.properties.before")
}

// Keep keeps what is there, unless that was done before.
func (s Server) Keep() error {
	file, properties := s.kept()
	if s.IsKept() {
		return nil
	}
	if s.Properties != "" {
		text, err := ReadProperties(s.Properties)
		if err != nil {
			return err
		}
		if err := durable(atomicfile.Write(properties, text, 0o600)); err != nil {
			return err
		}
	}
	data, err := keystore.ReadFile(s.File)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Last, since it says that all is kept. Nothing stands for a file that was not there.
	return durable(atomicfile.Write(file, data, 0o600))
}

// IsKept says whether what was there before any version is kept.
func (s Server) IsKept() bool {
	file, _ := s.kept()
	_, err := os.Stat(file)
	return err == nil
}

// Forget gives up what was kept: a version is the active one.
func (s Server) Forget() error {
	file, properties := s.kept()
	return errors.Join(gone(os.Remove(file)), gone(os.Remove(properties)))
}

func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Restore puts back what was there before any version, and has the server take it up.
func (s Server) Restore(ctx context.Context) error {
	file, properties := s.kept()
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var changes []Change
	if s.Properties != "" {
		text, err := os.ReadFile(properties)
		if err != nil {
			return err
		}
		changes = append(changes, Change{Path: s.Properties, Data: text, Perm: 0o640})
	}
	if len(data) == 0 {
		err = gone(os.Remove(s.File))
	} else {
		changes = append(changes, Change{Path: s.File, Data: data, Perm: 0o600})
	}
	// What could not be replaced needs no putting back.
	changes = slices.DeleteFunc(changes, func(c Change) bool {
		is, err := os.ReadFile(c.Path)
		return err == nil && bytes.Equal(is, c.Data)
	})
	if _, wrong := Write(changes); err != nil || wrong != nil {
		return errors.Join(err, wrong)
	}
	// A server that had no keystore has nothing to take up.
	if len(data) > 0 {
		if err := s.takeUp(ctx, ""); err != nil {
			return err
		}
	}
	return s.Forget()
}
