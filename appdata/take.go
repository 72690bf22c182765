package appdata

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
)

// Take brings a file that must be equal on all nodes from one to another, in three
// steps by two agents, through the share:
//
//	Give   the source puts a copy aside, in .coterie/take, for its owner only
//	Put    the node that drifts keeps what it had, writes beside the file, reads that
//	       again, renames it into place, and removes the copy
//	Drop   removes the copy, whatever became of the rest
//
// Nothing is read or written but below the root that a node's own configuration
// names, at paths that must be equal; no link is followed. Whoever reads the file
// sees the old content or the new.
type Take struct {
	Step  string `json:"step"` // give, put, drop
	ID    int64  `json:"id"`
	Share Share  `json:"share"`
	Root  string `json:"root"`
	Equal Equal  `json:"equal"`
	Path  string `json:"path"` // quoted
	Taken Taken  `json:"taken"`
	Was   string `json:"was,omitempty"` // SHA-256 of what is compared of the file that is replaced; empty: there is none
	Keep  string `json:"keep"`          // folder on this node for what is replaced
}

// Taken is what is known of the copy.
type Taken struct {
	Raw    string `json:"raw,omitempty"` // SHA-256 of the content
	Size   int64  `json:"size"`
	Mode   uint32 `json:"mode"`
	UID    uint32 `json:"uid"`
	GID    uint32 `json:"gid"`
	Backup string `json:"backup,omitempty"` // where what was replaced is kept
}

// takeDir is where copies lie in the share.
const takeDir = dirName + "/take"

// MostTaken is how large a file may be that is taken.
const MostTaken = 64 << 20

// The steps of a Take.
const (
	Give = "give"
	Put  = "put"
	Drop = "drop"
)

// Do does one step.
func (t Take) Do(context.Context) (Taken, error) {
	if t.Step == Drop {
		return t.Taken, t.drop()
	}
	name, err := Unquote(t.Path)
	if err != nil {
		return Taken{}, err
	}
	if !fs.ValidPath(name) || name == "." || !t.Equal.Has(name) {
		return Taken{}, fmt.Errorf("%s is not among the files that must be equal here", t.Path)
	}
	if err := t.Share.Present(); err != nil {
		return Taken{}, err
	}
	dir, err := openWay(t.Root, path.Dir(name))
	if errors.Is(err, fs.ErrNotExist) && t.Step == Put {
		dir, err = makeWay(t.Root, path.Dir(name))
	}
	if err != nil {
		return Taken{}, fmt.Errorf("%s: %w", t.Path, err)
	}
	step := t.put
	if t.Step == Give {
		step = t.give
	}
	done, err := step(dir, name)
	if err = errors.Join(err, dir.Close()); err != nil {
		return Taken{}, fmt.Errorf("%s: %w", t.Path, err)
	}
	return done, nil
}

func (t Take) copyName() string { return strconv.FormatInt(t.ID, 10) }

// aside opens the folder of copies.
func (t Take) aside() (*os.Root, error) {
	dir, err := openWay(t.Share.Path, dirName)
	if err != nil {
		return nil, err
	}
	made := dir.Mkdir(path.Base(takeDir), 0o700)
	if errors.Is(made, fs.ErrExist) {
		made = nil
	}
	if err = errors.Join(made, dir.Close()); err != nil {
		return nil, err
	}
	return openWay(t.Share.Path, takeDir)
}

func (t Take) drop() error {
	dir, err := openWay(t.Share.Path, takeDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := dir.Remove(t.copyName()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, dir.Close())
	}
	return dir.Close()
}

func (t Take) give(dir *os.Root, name string) (done Taken, err error) {
	text, e, err := readWhole(dir, path.Base(name))
	if err != nil {
		return done, err
	}
	aside, err := t.aside()
	if err != nil {
		return done, err
	}
	if err := aside.Remove(t.copyName()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return done, errors.Join(err, aside.Close())
	}
	err = writeNew(aside, t.copyName(), text, nil)
	if err = errors.Join(err, aside.Close()); err != nil {
		return done, err
	}
	return Taken{Raw: sumOf(text), Size: e.Size, Mode: e.Mode, UID: e.UID, GID: e.GID}, nil
}

// put replaces the file. What is there must be what it was when this was asked for,
// or what is wanted already: then there is nothing to do.
func (t Take) put(dir *os.Root, name string) (done Taken, err error) {
	done = t.Taken
	aside, err := openWay(t.Share.Path, takeDir)
	if err != nil {
		return done, err
	}
	text, _, err := readWhole(aside, t.copyName())
	if err = errors.Join(err, aside.Close()); err != nil {
		return done, fmt.Errorf("the copy in the share: %w", err)
	}
	if sumOf(text) != t.Taken.Raw {
		return done, errors.New("the copy in the share is not what was given")
	}
	base := path.Base(name)
	old, was, err := readWhole(dir, base)
	if errors.Is(err, fs.ErrNotExist) {
		old, err = nil, nil
	}
	if err != nil {
		return done, err
	}
	if old != nil {
		if text, err = t.Equal.Mix(name, text, old); err != nil {
			return done, err
		}
		if bytes.Equal(text, old) && was.Mode == done.Mode && was.UID == done.UID && was.GID == done.GID {
			return done, nil // an earlier attempt has come this far
		}
	}
	if now := t.Equal.compared(name, old); now != t.Was {
		return done, errors.New("changed since it was asked for")
	}
	if old != nil {
		if done.Backup, err = t.keep(base, old, was); err != nil {
			return done, fmt.Errorf("keep what was there: %w", err)
		}
	}
	return done, replaceIn(dir, base, text, done)
}
