package bundle

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"unicode/utf8"

	"github.com/coterie-ha/coterie/appdata"
)

// What a manifest may be at most. They bound the memory that a bundle costs whoever
// reads it.
const (
	MaxManifest = 32 << 20 // bytes
	MaxEntries  = 150_000
	maxHeader   = 256 << 10 // the first line
	maxLine     = 16 << 10  // each other one
)

// format tells this kind of file from others, and later forms of it.
const format = "coterie-bundle/1"

// Header is what a bundle says of itself.
type Header struct {
	Format  string  `json:"format"`
	Profile Profile `json:"profile"`
	Tier    string  `json:"tier"`                      // where it was made
	Version string  `json:"product_version,omitempty"` // of the product
	Entries int     `json:"entries"`
	Bytes   int64   `json:"bytes"` // in files
}

// Entry is a folder, file or link of a bundle.
type Entry struct {
	Path   string
	Kind   appdata.Kind
	Class  appdata.Class
	Mode   uint32 // permissions; nothing else
	Size   int64
	MTime  int64 // seconds since 1970
	Digest appdata.Digest
	Target string
}

// Manifest is all that a bundle has, in order: bytewise by path, so a folder before
// what is in it.
type Manifest struct {
	Header
	Files []Entry
}

// line is an entry as it is written. There is one way to write it, and what is
// written in another is refused.
type line struct {
	Path   string        `json:"path"`
	Kind   string        `json:"kind"`
	Class  appdata.Class `json:"class"`
	Mode   string        `json:"mode,omitempty"`
	Size   int64         `json:"size,omitempty"`
	MTime  int64         `json:"mtime,omitempty"`
	SHA256 string        `json:"sha256,omitempty"`
	Target string        `json:"target,omitempty"`
}

// write gives the text of a manifest.
func (m *Manifest) write() ([]byte, error) {
	m.Format, m.Entries, m.Bytes = format, len(m.Files), 0
	for i := range m.Files {
		m.Bytes += m.Files[i].Size
	}
	var b bytes.Buffer
	if err := writeLine(&b, m.Header); err != nil {
		return nil, err
	}
	if b.Len() > maxHeader {
		return nil, fault(Unpackable, "", "the profile is too large")
	}
	for i := range m.Files {
		if err := writeLine(&b, m.Files[i].line()); err != nil {
			return nil, err
		}
	}
	if b.Len() > MaxManifest || len(m.Files) > MaxEntries {
		return nil, fault(Unpackable, "", "%d files and folders are more than a bundle holds (%d)", len(m.Files), MaxEntries)
	}
	return b.Bytes(), nil
}

func writeLine(b *bytes.Buffer, v any) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func (e *Entry) line() line {
	l := line{Path: e.Path, Kind: e.Kind.String(), Class: e.Class, Size: e.Size, MTime: e.MTime, SHA256: e.Digest.String(), Target: e.Target}
	if e.Kind != appdata.Link {
		l.Mode = fmt.Sprintf("%04o", e.Mode)
	}
	return l
}

// readManifest reads a manifest that anybody may have written.
func readManifest(in io.Reader) (*Manifest, error) {
	lines := bufio.NewReaderSize(in, maxHeader)
	m := &Manifest{}
	text, err := readLine(lines, maxHeader, &m.Header)
	if err != nil {
		return nil, err
	}
	switch {
	case m.Format != format:
		return nil, fault(Damaged, "", "of the form %q, and not %q", m.Format, format)
	case m.Entries < 0 || m.Entries > MaxEntries:
		return nil, fault(TooLarge, "", "%d entries; %d are allowed", m.Entries, MaxEntries)
	case !utf8.Valid(text):
		return nil, fault(Damaged, "", "the header of the manifest is no UTF-8")
	}
	if m.Tier == "" {
		return nil, fault(Damaged, "", "says no tier")
	}
	for _, word := range []string{m.Tier, m.Version, m.Profile.Name} {
		if wordFault("word", word) != nil {
			return nil, fault(Damaged, "", "%.200q is no tier, version or name", word)
		}
	}
	if err := m.Profile.Check(); err != nil {
		return nil, fault(Damaged, "", "its profile: %v", err)
	}
	c := checker{folders: map[string]bool{}, twins: twins{}}
	m.Files = make([]Entry, 0, m.Entries)
	for {
		var l line
		if _, err = readLine(lines, maxLine, &l); errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(m.Files) == m.Entries {
			return nil, fault(Damaged, "", "the manifest has more entries than it says")
		}
		e, err := l.entry()
		if err == nil {
			err = c.next(&e)
		}
		if err == nil && !m.Profile.includes(&e) {
			err = fault(Damaged, e.Path, "is not what the profile of the bundle includes as %s", e.Class)
		}
		if err != nil {
			return nil, err
		}
		m.Files = append(m.Files, e)
	}
	if len(m.Files) != m.Entries || c.bytes != m.Bytes {
		return nil, fault(Damaged, "", "the manifest has other entries than it says")
	}
	return m, nil
}

// maxWord is how long the words of people may be: a tier, a version.
const maxWord = 100

// readLine reads one line, and wants it spelled as it would be written.
func readLine(in *bufio.Reader, most int, v any) ([]byte, error) {
	text, err := in.ReadSlice('\n')
	switch {
	case errors.Is(err, io.EOF) && len(text) == 0:
		return nil, io.EOF
	case errors.Is(err, bufio.ErrBufferFull), len(text) > most:
		return nil, fault(TooLarge, "", "a line of the manifest is longer than %d bytes", most)
	case errors.Is(err, io.EOF):
		return nil, fault(Damaged, "", "the manifest ends within a line")
	case err != nil:
		return nil, err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return nil, fault(Damaged, "", "a line of the manifest cannot be read: %v", err)
	}
	var again bytes.Buffer
	if err := writeLine(&again, v); err != nil || !bytes.Equal(again.Bytes(), text) {
		return nil, fault(Damaged, "", "a line of the manifest is not as it would be written: %.200q", text)
	}
	return text, nil
}

func (l line) entry() (Entry, error) {
	e := Entry{Path: l.Path, Class: l.Class, Size: l.Size, MTime: l.MTime, Target: l.Target}
	for _, class := range []appdata.Class{appdata.Shared, appdata.Merged, TierBound} {
		if class == l.Class {
			e.Class = class // one text for all
		}
	}
	switch l.Kind {
	case appdata.File.String():
		e.Kind = appdata.File
	case appdata.Folder.String():
		e.Kind = appdata.Folder
	case appdata.Link.String():
		e.Kind = appdata.Link
	default:
		return e, fault(Damaged, l.Path, "of the kind %q, which no bundle has", l.Kind)
	}
	if digest, err := hex.DecodeString(l.SHA256); err != nil || len(digest) != 0 && len(digest) != len(e.Digest) {
		return e, fault(Damaged, l.Path, "%.80q is no SHA-256", l.SHA256)
	} else if len(digest) > 0 {
		e.Digest = appdata.Digest(digest)
	}
	if l.Mode != "" {
		mode, err := strconv.ParseUint(l.Mode, 8, 16)
		if err != nil || mode > 0o777 {
			return e, fault(Damaged, l.Path, "the mode %q, which no bundle has", l.Mode)
		}
		e.Mode = uint32(mode)
	}
	if again := e.line(); again != l {
		return e, fault(Damaged, l.Path, "not as it would be written")
	}
	return e, nil
}

// checker looks at entries in their order.
type checker struct {
	last    string
	folders map[string]bool
	twins   twins
	bytes   int64
	unread  bool // files have no digests yet
}

// largest is more than any file: sums of sizes stay within an int64.
const largest = 1 << 50

func (c *checker) next(e *Entry) error {
	if why := nameFault(e.Path); why != "" {
		return fault(BadName, e.Path, "%s", why)
	}
	if dir := path.Dir(e.Path); dir != "." && !c.folders[dir] {
		return fault(BadName, e.Path, "its folder is none of the bundle's folders")
	}
	if e.Path == c.last || c.twins.met(e.Path) {
		return fault(BadName, e.Path, "there is another of the name, or one that differs in case alone")
	}
	if e.Path < c.last {
		return fault(Damaged, e.Path, "out of order")
	}
	c.last = e.Path
	switch e.Class {
	case appdata.Shared, appdata.Merged, TierBound:
	default:
		return fault(Damaged, e.Path, "of the class %q, which no bundle has", e.Class)
	}
	plain := e.Size == 0 && e.Digest == appdata.Digest{}
	switch {
	case e.MTime < 0 || e.MTime > 1<<33:
		return fault(Damaged, e.Path, "from a time that no bundle has")
	case e.Kind == appdata.Folder && plain && e.Target == "" && e.MTime == 0:
		c.folders[e.Path] = true
	case e.Kind == appdata.Link && plain && e.MTime == 0:
		if why := linkFault(e.Path, e.Target); why != "" {
			return fault(BadName, e.Path, "%s", why)
		}
	case e.Kind == appdata.File && e.Target == "" && (c.unread || e.Digest != appdata.Digest{}):
		if e.Size < 0 || e.Size > largest {
			return fault(TooLarge, e.Path, "%d bytes", e.Size)
		}
		c.bytes += e.Size
		if c.bytes > largest {
			return fault(TooLarge, "", "more than %d bytes", int64(largest))
		}
	default:
		return fault(Damaged, e.Path, "has what a %s has not", e.Kind)
	}
	return nil
}
