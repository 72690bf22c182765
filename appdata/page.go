package appdata

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
)

// Page is a part of a directory as text, a line an entry, in the order of the
// quoted names. A directory of usual size is one page.
//
// A line holds, with tabs between: name, kind, class, mode (octal), owner,
// group, links, size, modified, changed (empty: as modified), inode, digest
// (base64), r if the content is to be read again, the moment in which the manifest took the
// entry in, target of a link, error; of a field-merged file also the digest of its
// raw content. Times are seconds.nanoseconds since 1970.
type Page struct {
	First string // quoted name at which it begins; empty for the first page
	Text  string `db:"entries"`
}

const (
	pageSize = 1000 // entries of a directory that is one page
	pageMean = 256  // entries of a page of a larger one

	lineFields = 16
)

// Pages writes a directory. at gives the moment (seconds since 1970 by the
// database's clock) in which an entry was taken in.
//
// Where a page of a large directory begins is decided by the name there alone,
// so that a change moves no other page, and all that scan a tree cut it alike.
func (d *Dir) Pages(class func(path string) Class, at func(*Entry) int64) []Page {
	lines := make([]pageLine, len(d.Entries))
	var buf []byte
	for i := range d.Entries {
		e := &d.Entries[i]
		name := Quote(e.Name)
		buf = e.appendLine(buf[:0], name, class(join(d.Path, e.Name)), at(e))
		lines[i] = pageLine{name, string(buf)}
	}
	byName := func(a, b pageLine) int { return strings.Compare(a.name, b.name) }
	if !slices.IsSortedFunc(lines, byName) { // quoting can change the order
		slices.SortFunc(lines, byName)
	}
	return cut(lines)
}

type pageLine struct{ name, text string }

func cut(lines []pageLine) []Page {
	pages := []Page{{}}
	var b strings.Builder
	for _, l := range lines {
		if len(lines) > pageSize && b.Len() > 0 && begins(l.name) {
			pages[len(pages)-1].Text = b.String()
			pages = append(pages, Page{First: l.name})
			b.Reset()
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(l.text)
	}
	pages[len(pages)-1].Text = b.String()
	return pages
}

// begins says whether a page begins at a name.
func begins(name string) bool {
	h := fnv.New32a()
	h.Write([]byte(name))
	return h.Sum32()%pageMean == 0
}

func (e *Entry) appendLine(b []byte, name string, class Class, at int64) []byte {
	b = append(append(b, name...), '\t', byte(e.Kind), '\t')
	b = append(append(b, class...), '\t')
	b = append(strconv.AppendUint(b, uint64(e.Mode), 8), '\t')
	for _, n := range [...]uint32{e.UID, e.GID, e.Links} {
		b = append(strconv.AppendUint(b, uint64(n), 10), '\t')
	}
	b = append(strconv.AppendInt(b, e.Size, 10), '\t')
	b = append(appendTime(b, e.MTime), '\t')
	if e.CTime != e.MTime {
		b = appendTime(b, e.CTime)
	}
	b = append(b, '\t')
	b = append(strconv.AppendUint(b, e.Inode, 10), '\t')
	if e.Digest != (Digest{}) {
		b = base64.StdEncoding.AppendEncode(b, e.Digest[:])
	}
	b = append(b, '\t')
	if e.Racy {
		b = append(b, 'r')
	}
	b = append(b, '\t')
	b = append(strconv.AppendInt(b, at, 10), '\t')
	b = append(append(b, Quote(e.Target)...), '\t')
	b = append(b, Quote(e.Err)...)
	if e.Raw != (Digest{}) {
		b = base64.StdEncoding.AppendEncode(append(b, '\t'), e.Raw[:])
	}
	return b
}

func appendTime(b []byte, s Stamp) []byte {
	b = append(strconv.AppendInt(b, s.Sec, 10), '.')
	nanos := strconv.Itoa(int(s.Nsec) + 1e9) // ten digits, of which the first is left out
	return append(b, nanos[1:]...)
}

// DirOf reads a directory from its pages. Of folders in it the sums are looked
// up by their paths; below gives nil for one that is not known.
func DirOf(path string, pages []Page, below func(path string) *Sums) (*Dir, error) {
	d := &Dir{Path: path}
	n := 0
	for _, p := range pages {
		n += strings.Count(p.Text, "\n") + 1
	}
	d.Entries = make([]Entry, 0, n)
	for _, p := range pages {
		for line := range strings.SplitSeq(p.Text, "\n") {
			if line == "" {
				continue // an empty directory has an empty page
			}
			e, _, err := parseLine(line)
			if err != nil {
				return nil, fmt.Errorf("page of %q: %w", path, err)
			}
			if e.Kind == Folder {
				e.Below = below(join(path, e.Name))
				d.unfinished = d.unfinished || e.Below == nil
			}
			d.Entries = append(d.Entries, e)
		}
	}
	byName := func(a, b Entry) int { return strings.Compare(a.Name, b.Name) }
	if !slices.IsSortedFunc(d.Entries, byName) {
		slices.SortFunc(d.Entries, byName)
	}
	return d, nil
}

// parseLine gives the entry of a line and the moment in which it was taken in.
func parseLine(line string) (e Entry, at int64, err error) {
	var f [lineFields]string
	rest, more := line, true
	for i := range f {
		if !more {
			return e, 0, fmt.Errorf("%d fields in %.80q", i, line)
		}
		f[i], rest, more = strings.Cut(rest, "\t")
	}
	r := fieldReader{}
	e = Entry{
		Kind: Kind(r.char(f[1])), Mode: uint32(r.number(f[3], 8)), UID: uint32(r.number(f[4], 10)), GID: uint32(r.number(f[5], 10)),
		Links: uint32(r.number(f[6], 10)), Size: int64(r.number(f[7], 10)), MTime: r.time(f[8]), Inode: r.number(f[10], 10), Racy: f[12] == "r",
	}
	e.CTime = e.MTime
	if f[9] != "" {
		e.CTime = r.time(f[9])
	}
	e.Digest = r.digest(f[11])
	at, err = strconv.ParseInt(f[13], 10, 64)
	r.note(err, true)
	e.Name, e.Target, e.Err = r.text(f[0]), r.text(f[14]), r.text(f[15])
	if more {
		r.note(nil, rest != "")
		e.Raw = r.digest(rest)
	}
	r.note(nil, e.Name != "")
	if r.err != nil {
		return e, 0, fmt.Errorf("%w in %.80q", r.err, line)
	}
	return e, at, nil
}

// fieldReader keeps the first thing that cannot be understood.
type fieldReader struct{ err error }

func (r *fieldReader) note(err error, fits bool) {
	if err == nil && !fits {
		err = fmt.Errorf("a field that does not fit")
	}
	if r.err == nil {
		r.err = err
	}
}

func (r *fieldReader) char(s string) byte {
	r.note(nil, len(s) == 1)
	if r.err != nil {
		return 0
	}
	return s[0]
}

func (r *fieldReader) number(s string, base int) uint64 {
	n, err := strconv.ParseUint(s, base, 64)
	r.note(err, true)
	return n
}

func (r *fieldReader) time(s string) Stamp {
	sec, nsec, _ := strings.Cut(s, ".")
	a, err := strconv.ParseInt(sec, 10, 64)
	r.note(err, true)
	b, err := strconv.ParseUint(nsec, 10, 32)
	r.note(err, len(nsec) == 9)
	return Stamp{Sec: a, Nsec: int32(b)}
}

func (r *fieldReader) digest(s string) (d Digest) {
	if s == "" {
		return d
	}
	var room [len(d) + 1]byte // the decoder asks for as much as such a length might need
	if len(s) != base64.StdEncoding.EncodedLen(len(d)) {
		r.note(nil, false)
		return d
	}
	n, err := base64.StdEncoding.Decode(room[:], []byte(s))
	r.note(err, n == len(d))
	copy(d[:], room[:])
	return d
}

func (r *fieldReader) text(s string) string {
	t, err := Unquote(s)
	r.note(err, true)
	return t
}
