package appdata

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/coterie-ha/coterie/internal/atomicfile"
)

// Publish puts a file of the application's into the share, in two steps between
// which the caller asserts that it still may: what takes long comes before that.
//
//	Publish{Data}  writes all of it beside the file, and gives its name as Temp
//	Publish{Temp}  renames that to Path
//	Publish{Temp, Drop: true}  removes it instead
//
// Whoever reads the file sees the old content or the new one. Nothing is written
// where the cluster's marker is not. Owner and mode of a file that is replaced stay;
// a new one is for its owner only.
type Publish struct {
	Share Share  `json:"share"`
	Path  string `json:"path"` // below the share; its folder must be there
	Data  []byte `json:"data,omitempty"`
	Temp  string `json:"temp,omitempty"`
	Drop  bool   `json:"drop,omitempty"`
}

// Published is what a step did.
type Published struct {
	Temp string `json:"temp"`
}

// Do does one step. It may block for as long as the file system does: see appdata/worker.
func (p Publish) Do(context.Context) (Published, error) {
	if err := p.Share.Check(); err != nil {
		return Published{}, err
	}
	if p.Path == "" || path.Clean(p.Path) != p.Path || path.IsAbs(p.Path) || strings.HasPrefix(p.Path, "../") || path.Base(p.Path) == ".." {
		return Published{}, fmt.Errorf("publish %q: not a path below the share", p.Path)
	}
	if err := p.ours(); err != nil {
		return Published{}, fmt.Errorf("publish %s: %w", p.Path, err)
	}
	step := p.write
	switch {
	case p.Drop:
		step = p.drop
	case p.Temp != "":
		step = p.rename
	}
	temp, err := step()
	if err != nil {
		return Published{}, fmt.Errorf("publish %s: %w", p.Path, err)
	}
	return Published{Temp: temp}, nil
}

// ours says whether the folder is the share of the cluster.
func (p Publish) ours() error {
	m, err := ReadMarker(p.Share.Path)
	if err != nil {
		return err
	}
	if m.ID != p.Share.ID {
		return &ForeignError{Path: p.Share.Path, Found: m}
	}
	return nil
}

func (p Publish) at(name string) string { return path.Join(p.Share.Path, path.Dir(p.Path), name) }

func (p Publish) prefix() string { return "." + path.Base(p.Path) + ".new-" }

// write puts the data beside the file, ready to be renamed.
func (p Publish) write() (temp string, err error) {
	target := p.at(path.Base(p.Path))
	old, err := os.Lstat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		old = nil
	case err != nil:
		return "", err
	case !old.Mode().IsRegular():
		return "", fmt.Errorf("not a regular file but %v", old.Mode().Type())
	}
	if err := p.sweep(); err != nil {
		return "", err
	}
	temp = p.prefix() + rand.Text()[:12]
	return temp, atomicfile.Prepare(p.at(temp), p.Data, old, target)
}

// rename is the step that others see.
func (p Publish) rename() (string, error) {
	if err := p.own(); err != nil {
		return "", err
	}
	err := atomicfile.Replace(p.at(p.Temp), p.at(path.Base(p.Path)))
	if errors.Is(err, atomicfile.ErrNotDurable) {
		err = nil // it is in place; what is lost with the power is written again
	}
	return p.Temp, err
}

func (p Publish) drop() (string, error) {
	if err := p.own(); err != nil {
		return "", err
	}
	if err := os.Remove(p.at(p.Temp)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return "", nil
}

// own says that a name is one that was given by write.
func (p Publish) own() error {
	if !strings.HasPrefix(p.Temp, p.prefix()) || strings.Contains(p.Temp, "/") {
		return fmt.Errorf("%q is no file of ours", p.Temp)
	}
	return nil
}

// sweep removes what writers left who were killed, an hour ago or more by the
// share's own clock.
func (p Publish) sweep() error {
	folder := p.at(".")
	now, err := os.Stat(folder)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !strings.HasPrefix(e.Name(), p.prefix()) || !info.Mode().IsRegular() || now.ModTime().Sub(info.ModTime()) < time.Hour {
			continue // gone, not of ours, or young
		}
		if err := os.Remove(p.at(e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
