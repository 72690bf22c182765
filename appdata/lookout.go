package appdata

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Lookout looks again and again at what matters most: a few files and folders. It
// finds what other hosts do, of which no kernel tells, and asks the server itself:
// each folder is opened and listed anew before what is in it is asked for.
//
// Like a Watcher it tells where to look. What it sees is told when the next look sees
// the same, so that a half-written file is not taken for whole. For that look it does not
// wait a whole round, but a quarter of one; while something is written on and on, it is
// told after four looks without that.
type Lookout struct {
	Root  string
	Paths []string // below Root; of a folder all that is in it is meant, and not what is below
	Skip  func(path string) bool
	Every time.Duration // 0: 1 s
}

// mostLooked bounds how many names of one folder are asked for in each round.
const mostLooked = 2000

// patient is after how many looks what goes on changing is left out.
const patient = 4

// sooner is the part of a round after which what has changed is looked at again.
const sooner = 4

// spot is one of the paths.
type spot struct {
	path       string
	last, told sight
	restless   int // looks in which it changed
	given      bool
}

// sight is how everything at a spot looks, by its path below the root.
type sight map[string]string

var errMany = fmt.Errorf("has more than %d names", mostLooked)

// Run looks until ctx ends, or nobody wants to be told.
func (l Lookout) Run(ctx context.Context, tell func(Dirty) error) error {
	spots := make([]*spot, len(l.Paths))
	for i, path := range l.Paths {
		spots[i] = &spot{path: path}
	}
	every := orElse(l.Every, time.Second)
	round, again := time.NewTicker(every), time.NewTimer(every)
	defer round.Stop()
	defer again.Stop()
	for due := spots; ; {
		for _, s := range due {
			if err := l.look(s, tell); err != nil {
				return err
			}
		}
		if slices.ContainsFunc(spots, (*spot).doubtful) {
			again.Reset(every / sooner)
		} else {
			again.Stop()
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-round.C:
			due = spots
		case <-again.C:
			due = slices.DeleteFunc(slices.Clone(spots), func(s *spot) bool { return !s.doubtful() })
		}
	}
}

// look looks at one of the paths, and tells of it.
func (l Lookout) look(s *spot, tell func(Dirty) error) error {
	seen, err := l.see(s.path)
	var d Dirty
	switch {
	case errors.Is(err, errMany) && !s.given:
		s.given = true
		d = Dirty{Lost: fmt.Sprintf("%s %v: what changes there a scan finds", Quote(s.path), err)}
	case err != nil: // nothing is known, so nothing is concluded, and nothing is urgent
		s.restless = 0
		return nil
	default:
		d = s.next(seen)
	}
	if d.Lost == "" && len(d.Folders) == 0 {
		return nil
	}
	return tell(d)
}

// doubtful says whether a path has just changed, and is not told yet. One of which it was
// told that it does not rest has time until the next round.
func (s *spot) doubtful() bool { return s.restless > 0 && s.told != nil }

// next takes in what was seen, and gives what is to be told.
func (s *spot) next(seen sight) (d Dirty) {
	first, moved := s.last == nil, !maps.Equal(seen, s.last)
	before := s.last
	s.last = seen
	switch {
	case first: // what happened before it is compared with what is known
		s.told = seen
		return Dirty{Folders: s.folders()}
	case maps.Equal(seen, s.told):
		s.restless = 0
		return d
	case moved:
		if s.restless++; s.restless < patient {
			return d
		}
		for name, look := range seen {
			if before[name] != look {
				d.Busy = append(d.Busy, Quote(name))
			}
		}
		slices.Sort(d.Busy)
	}
	s.restless, s.told = 0, seen
	if len(d.Busy) > 0 {
		s.told = nil // until it rests
	}
	d.Folders = s.folders()
	return d
}

// folders are where to look: in the folder above, for a path comes and goes there.
func (s *spot) folders() []string { return []string{Quote(above(s.path)), Quote(s.path)} }

// see asks how everything at a path looks. That it is not there is a sight, too, of
// which there is nothing to be seen.
func (l Lookout) see(path string) (sight, error) {
	h, err := openFolder(l.Root, above(path))
	if err != nil {
		return absent(err)
	}
	defer h.close()
	base := path[strings.LastIndexByte(path, '/')+1:]
	// A client remembers names that were not there; not so when it has just listed them.
	names, err := h.names(make([]byte, listRoom))
	if err != nil || !slices.Contains(names, base) {
		return sight{}, err
	}
	e, err := h.stat(base, false)
	if err != nil {
		return absent(err)
	}
	if e.Name = base; e.Kind != Folder {
		return sight{path: string(e.appendLook(nil, false))}, nil
	}
	in, err := h.sub(base)
	if err != nil {
		return absent(err)
	}
	defer in.close()
	return l.list(in, path, sight{path: "folder"})
}

func (l Lookout) list(in handle, path string, seen sight) (sight, error) {
	names, err := in.names(make([]byte, listRoom))
	if err != nil {
		return nil, err
	}
	if len(names) > mostLooked {
		return nil, errMany
	}
	for _, name := range names {
		full := join(path, name)
		if l.Skip != nil && l.Skip(full) {
			continue
		}
		e, err := in.stat(name, false)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // it has just gone
		case err != nil:
			return nil, err
		}
		e.Name = name
		seen[full] = string(e.appendLook(nil, false))
	}
	return seen, nil
}

// absent tells that there is nothing from not knowing.
func absent(err error) (sight, error) {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP) {
		return sight{}, nil
	}
	return nil, err
}
