package appdata

import (
	"crypto/sha256"
	"encoding/binary"
)

// Sums stand for a whole tree: two with the same sums are the same, to the last file below.
type Sums struct {
	Content Digest // names, kinds, contents, targets of links
	Exact   Digest // and modes, owners and times of files
	Files   int64  // everything that is not a folder
	Bytes   int64  // in files
	Holes   int64  // entries of which less is known than could be; the digests say nothing of them
}

// Dir is one directory and what is in it.
type Dir struct {
	Path    string  // below the root, with slashes; "." is the root
	Entries []Entry // by name, bytewise
	Err     string  // why the entries are not all
	Sums

	unfinished bool // the scan ended before all below was known: there are no sums
	timeless   bool // Exact leaves times and sizes out
	told       bool // all entries are known, but somebody told of changes since its sums were made
}

// Entry finds a name.
func (d *Dir) Entry(name string) *Entry {
	if i, found := d.find(name); found {
		return &d.Entries[i]
	}
	return nil
}

// sum makes the directory's sums from its entries, whose folders have theirs.
//
// Each entry is written so that no two different ones look alike: a name goes
// with its length, a kind decides what follows. A folder's own times are left
// out, because they move with its entries; links' because copying cannot always keep them.
func (d *Dir) sum() {
	d.Sums = Sums{}
	content, exact := sha256.New(), sha256.New()
	var buf []byte
	for i := range d.Entries {
		e := &d.Entries[i]
		buf = e.appendContent(buf[:0])
		content.Write(buf)
		exact.Write(e.appendExact(buf, !d.timeless))
		d.count(e)
	}
	if d.Err != "" {
		d.Holes++
	}
	content.Sum(d.Content[:0])
	exact.Sum(d.Exact[:0])
}

func (d *Dir) count(e *Entry) {
	switch {
	case e.Below != nil:
		d.Files += e.Below.Files
		d.Bytes += e.Below.Bytes
		d.Holes += e.Below.Holes
	default:
		d.Files++
		d.Bytes += e.Size
	}
	if e.Err != "" {
		d.Holes++
	}
}

func (e *Entry) appendContent(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(e.Name)))
	b = append(b, e.Name...)
	b = append(b, byte(e.Kind))
	switch {
	case e.Below != nil:
		b = append(b, e.Below.Content[:]...)
	case e.Kind == File && e.Digest != (Digest{}):
		b = append(b, '#')
		b = append(b, e.Digest[:]...)
	case e.Kind == File: // not read: as far as can be told from outside
		b = append(b, '~')
		b = binary.AppendVarint(b, e.Size)
		b = appendStamp(b, e.MTime)
	case e.Kind == Link:
		b = binary.AppendUvarint(b, uint64(len(e.Target)))
		b = append(b, e.Target...)
	}
	return b
}

func (e *Entry) appendExact(b []byte, times bool) []byte {
	if e.Below != nil {
		b = append(b, e.Below.Exact[:]...)
	}
	b = binary.AppendUvarint(b, uint64(e.Mode))
	b = binary.AppendUvarint(b, uint64(e.UID))
	b = binary.AppendUvarint(b, uint64(e.GID))
	if e.Kind == File && times {
		b = binary.AppendVarint(b, e.Size)
		b = appendStamp(b, e.MTime)
	}
	return b
}

func appendStamp(b []byte, s Stamp) []byte {
	return binary.AppendVarint(binary.AppendVarint(b, s.Sec), int64(s.Nsec))
}
