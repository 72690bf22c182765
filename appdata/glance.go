package appdata

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
)

// Glance is what is known of a directory as a whole. With it a directory that looks
// as it did is the same without anybody knowing what is in it: of a million files
// that rest, nothing need be kept but what stands for their directories.
type Glance struct {
	Looks Digest // of all that the server says of each entry; see Dir.looks
	Sums  Sums
}

// glance is such a directory at work.
type glance struct {
	*Glance
	pieces  []Digest  // of its names, chunk by chunk
	folders [][]Entry // found in each
}

// over is for a directory of so many names.
func (g *Glance) over(names int) *glance {
	if g == nil {
		return nil
	}
	n := max(1, (names+chunk-1)/chunk)
	return &glance{Glance: g, pieces: make([]Digest, n), folders: make([][]Entry, n)}
}

// glimpse looks at some names of a directory, and keeps of them how they look.
func (w *walk) glimpse(ctx context.Context, job work, r *reader) error {
	n := job.n
	part := job.lo / chunk
	seen := true
	looks := r.looks[:0]
	for _, name := range n.names[job.lo:job.hi] {
		if err := w.ops.wait(ctx, 1); err != nil {
			return err
		}
		w.progress.Entries.Add(1)
		e, err := n.handle.stat(name, w.TrustCache)
		if err != nil {
			seen = false
			continue
		}
		e.Name = name
		looks = e.appendLook(looks, !w.LooseInodes)
		if e.Kind == Folder {
			n.glance.folders[part] = append(n.glance.folders[part], e)
		}
	}
	if r.looks = looks; seen {
		n.glance.pieces[part] = sha256.Sum256(looks)
	}
	if n.waits.Add(-1) > 0 {
		return nil
	}
	if joined(n.glance.pieces) == n.glance.Looks {
		n.dir.Entries = slices.Concat(n.glance.folders...)
		n.glance.pieces, n.glance.folders = nil, nil
		return w.listed(ctx, n, r)
	}
	n.again = true
	n.uses.Add(-1) // nobody comes back to it
	w.recall(n)
	return w.share(ctx, n, r)
}

// confirm says whether a directory that looks as known has the same below it, too. If
// not, its entries are wanted after all: for its new sums.
func (w *walk) confirm(ctx context.Context, n *node, r *reader) (same bool, err error) {
	if !n.differ.Load() && !n.below.Load() {
		n.dir.Entries, n.dir.Sums = nil, n.glance.Sums
		return true, nil
	}
	folders := n.dir.Entries
	n.again = true
	w.recall(n)
	for i, name := range n.names {
		at, found := slices.BinarySearchFunc(folders, name, func(e Entry, name string) int { return strings.Compare(e.Name, name) })
		if found {
			n.dir.Entries[i] = folders[at]
			continue
		}
		if err := w.step(ctx, n); err != nil {
			return false, err
		}
		if err := w.look(ctx, n, i, r); err != nil {
			return false, err
		}
		if e := &n.dir.Entries[i]; e.Kind == Folder {
			e.Kind = 0 // it was none before: the next scan goes into it
		}
	}
	n.names = nil
	return false, nil
}

// looksTold says whether it is known how a directory looks.
func (w *walk) looksTold(d *Dir) bool {
	if w.Glance == nil {
		return true
	}
	told := Digest{}
	if g := w.Glance(d.Path); g != nil {
		told = g.Looks
	}
	return told == d.looks(!w.LooseInodes)
}

// looks stands for what a server says of each entry, so that nothing can change
// without it: as Entry.sameStat, of all of them. There is none where a look would not
// do: an entry of which not all is known, or whose content is to be read again.
func (d *Dir) looks(inodes bool) Digest {
	if d.Err != "" || d.unfinished {
		return Digest{}
	}
	var pieces []Digest
	var looks []byte
	for i := range d.Entries {
		e := &d.Entries[i]
		if e.Err != "" || e.Racy || e.Kind == Unknown || e.Kind == File && e.Digest == (Digest{}) {
			return Digest{}
		}
		looks = e.appendLook(looks, inodes)
		if (i+1)%chunk == 0 {
			pieces, looks = append(pieces, sha256.Sum256(looks)), looks[:0]
		}
	}
	if len(looks) > 0 || len(pieces) == 0 {
		pieces = append(pieces, sha256.Sum256(looks))
	}
	return joined(pieces)
}

func joined(pieces []Digest) Digest {
	all := sha256.New()
	for _, p := range pieces {
		all.Write(p[:])
	}
	return Digest(all.Sum(nil))
}

// appendLook writes an entry so that no two that differ to sameStat look alike.
func (e *Entry) appendLook(b []byte, inodes bool) []byte {
	b = binary.AppendUvarint(b, uint64(len(e.Name)))
	b = append(append(b, e.Name...), byte(e.Kind))
	for _, n := range [...]uint32{e.Mode, e.UID, e.GID, e.Links} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	b = binary.AppendVarint(b, e.Size)
	b = appendStamp(appendStamp(b, e.MTime), e.CTime)
	if inodes {
		return binary.AppendUvarint(append(b, 'i'), e.Inode)
	}
	return append(b, '-')
}
