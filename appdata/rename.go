package appdata

import (
	"slices"
	"strings"
)

// identity is by what a file that was given another name is known again.
type identity struct {
	inode  uint64
	size   int64
	mtime  Stamp
	digest Digest
	kind   Kind
	target string
}

func identityOf(e *Entry, inode uint64) identity {
	return identity{inode: inode, size: e.Size, mtime: e.MTime, digest: e.Digest, kind: e.Kind, target: e.Target}
}

// renames makes one change of a file that is gone and the same one under
// another name: the same inode, or else, where a client makes its numbers up, a
// file of the same content and time of which there is one only. A folder goes
// with what is in it.
func renames(changes []Change) []Change {
	gone := map[identity][]int{}
	for i, c := range changes {
		if c.Change == Deleted && c.Before.Kind != Folder {
			gone[identityOf(c.Before, c.Before.Inode)] = append(gone[identityOf(c.Before, c.Before.Inode)], i)
			if c.Before.Digest != (Digest{}) && c.Before.Size > 0 {
				gone[identityOf(c.Before, 0)] = append(gone[identityOf(c.Before, 0)], i)
			}
		}
	}
	paired := map[int]bool{}
	for i := range changes {
		c := &changes[i]
		if c.Change != Created || c.After.Kind == Folder {
			continue
		}
		for _, inode := range []uint64{c.After.Inode, 0} {
			from := slices.DeleteFunc(slices.Clone(gone[identityOf(c.After, inode)]), func(i int) bool { return paired[i] })
			if len(from) == 1 {
				before := changes[from[0]]
				paired[from[0]] = true
				*c = Change{Path: c.Path, From: before.Path, Change: Renamed, Before: before.Before, After: c.After}
				break
			}
		}
	}
	kept := changes[:0:0]
	for i, c := range changes {
		if !paired[i] {
			kept = append(kept, c)
		}
	}
	slices.SortStableFunc(kept, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return kept
}
