package bundle

import (
	"context"
	"path"
	"slices"
	"sync"

	"github.com/coterie-ha/coterie/appdata"
)

// Sieve knows what is the same in all of several folders, so that the rest alone has
// to be looked at closely. It says nothing of what differs: whatever is not the same to
// the last byte, cannot be read, or changes, is left to the scan of each folder.
//
// Two files are compared as they are read, side by side. No digest is needed of what
// is the same, and nothing of it has to be kept.
type Sieve struct {
	mu    sync.Mutex
	found map[string]bool     // guarded by mu: what is left, and the folders that lead there; true: all below too
	same  map[string][]string // guarded by mu: of folders that have what is left, the names of the rest
}

// Sifting is what a Sieve is made of.
type Sifting struct {
	Roots    []string
	Modes    bool // permissions must be the same too
	Workers  int  // folders looked at at once
	Progress *appdata.Progress
}

func newSieve() *Sieve { return &Sieve{found: map[string]bool{}, same: map[string][]string{}} }

// Sift looks at the folders together.
func (p Profile) Sift(ctx context.Context, s Sifting) (*Sieve, error) {
	if s.Progress == nil {
		s.Progress = new(appdata.Progress)
	}
	v := newSieve()
	return v, p.sift(ctx, s, v)
}

// leave leaves a path to the scans.
func (v *Sieve) leave(name string, below bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.found[name] = v.found[name] || below
	for name != "." {
		name = path.Dir(name)
		if _, known := v.found[name]; known {
			return
		}
		v.found[name] = false
	}
}

// keep notes the names of a folder that are the same everywhere.
func (v *Sieve) keep(dir string, names []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.same[dir] = names
}

// Skips is for Scanner.Skip of whoever looks at what is left.
func (v *Sieve) Skips(name string) bool {
	if _, left := v.found[name]; left {
		return false
	}
	for dir := range parents(name) {
		if v.found[dir] {
			return false
		}
	}
	return !v.found["."]
}

// has says that a pattern fits what is the same in a folder.
func (v *Sieve) has(dir, pattern string) bool {
	return v != nil && slices.ContainsFunc(v.same[dir], func(name string) bool { return fits(pattern, join(dir, name)) })
}
