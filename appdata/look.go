package appdata

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Look is what to look at again in a share of which a manifest is stored: some
// folders, each for itself, against what is known of them. All paths are quoted,
// here and in what is found: names are bytes, and this goes through a pipe as text.
type Look struct {
	Share   Share         `json:"share"`
	Layout  string        `json:"layout"`
	Folders []string      `json:"folders"`
	Busy    []string      `json:"busy,omitempty"` // files that are being written: left as they are known
	Known   []KnownFolder `json:"known,omitempty"`
	Moment  int64         `json:"moment"`
}

// KnownFolder is a folder as it is stored.
type KnownFolder struct {
	Path  string `json:"path"`
	Err   string `json:"err,omitempty"`
	Pages []Page `json:"pages"`
}

// Looked is what was found.
type Looked struct {
	Folders []DirText `json:"folders,omitempty"` // without sums
	Removed []string  `json:"removed,omitempty"`
	Changes []Noted   `json:"changes,omitempty"`
	Below   []string  `json:"below,omitempty"` // folders that are gone: what is known below them is wanted first
}

// Noted is a Change as the journal has it.
type Noted struct {
	Path    string        `json:"path"`
	From    string        `json:"from_path,omitempty"`
	Change  ChangeKind    `json:"change"`
	Kind    string        `json:"kind"`
	Class   Class         `json:"class"`
	Size    int64         `json:"size"`
	Digest  string        `json:"digest,omitempty"`
	Latency time.Duration `json:"latency"` // since the change, by the clock of the share; negative: cannot be told
}

// Note writes a change for the journal; clock is the time of the share now, zero
// when it has none. All paths are quoted.
func (c Change) Note(class func(path string) Class, clock time.Time) Noted {
	e := c.After
	if e == nil {
		e = c.Before
	}
	n := Noted{
		Path: Quote(c.Path), Change: c.Change, Kind: e.Kind.String(), Class: class(c.Path),
		Size: e.Size, Digest: e.Digest.String(), Latency: -1,
	}
	if c.From != "" {
		n.From = Quote(c.From)
	}
	// A file tells when it changed last, unless it is gone; folders and links do not say.
	if c.After != nil && c.After.Kind == File && !clock.IsZero() {
		if late := clock.Sub(c.After.CTime.Time()); late >= 0 && late < 366*24*time.Hour {
			n.Latency = late
		}
	}
	return n
}

// Do looks. It never takes a share that is gone, or another one, for folders
// that were deleted: the marker and this node's own word are read before and after.
func (l Look) Do(ctx context.Context) (Looked, error) {
	layout, err := LayoutOf(l.Layout)
	if err != nil {
		return Looked{}, err
	}
	passed, now, err := l.clock()
	if err != nil {
		return Looked{}, err
	}
	shelf, err := l.shelf()
	if err != nil {
		return Looked{}, err
	}
	folders, err := unquoteAll(l.Folders)
	if err != nil {
		return Looked{}, err
	}
	busy, err := unquoteAll(l.Busy)
	if err != nil {
		return Looked{}, err
	}
	s := Scanner{Root: l.Share.Path, Known: shelf.Dir, Skip: layout.Skips, Clock: passed}
	u := Update{Known: shelf, Class: layout.Class, Skip: layout.Skips, Moment: l.Moment}
	for _, folder := range folders {
		d, err := s.one(ctx, folder)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ELOOP):
			continue // the folder above tells
		case err != nil:
			return Looked{}, fmt.Errorf("look at %q: %w", folder, err)
		}
		d.leave(busy, shelf.Dir(folder))
		u.Take(d, true)
	}
	below, err := l.settle(&u, shelf)
	if err != nil {
		return Looked{}, err
	}
	// Nothing is concluded from a share that is another one by now.
	if err := l.Share.Present(); err != nil || len(below) > 0 {
		return Looked{Below: below}, err
	}
	return looked(u.Batch(true), shelf, layout.Class, now()), nil
}

// clock proves that this is the share, and gives a moment that the share's clock has passed,
// by which is judged what may have changed unseen; and what it says now, as far as the share's
// host and this one kept apart as they were. Nothing is written for it: of what each look
// writes, a server would tell whoever listens.
func (l Look) clock() (passed time.Time, now func() time.Time, err error) {
	passed, err = l.Share.present()
	if err != nil || !passed.IsZero() {
		return passed, func() time.Time { return time.Now().Add(l.Share.Ahead) }, err
	}
	begun := time.Now()
	passed, err = l.Share.Clock()
	return passed, func() time.Time { return passed.Add(time.Since(begun)) }, err
}

func looked(b Batch, shelf *Shelf, class func(string) Class, clock time.Time) (found Looked) {
	for _, f := range b.Folders {
		was := shelf.Dir(f.Path)
		if f.Sums, f.Looks = nil, (Digest{}); len(f.Pages)+len(f.Gone) > 0 || was == nil || was.Err != f.Err {
			f.Path = Quote(f.Path)
			found.Folders = append(found.Folders, f)
		}
	}
	for _, name := range b.Removed {
		found.Removed = append(found.Removed, Quote(name))
	}
	for _, c := range b.Changes {
		found.Changes = append(found.Changes, c.Note(class, clock))
	}
	return found
}

// shelf is what is known. Sums are nobody's business here.
func (l Look) shelf() (*Shelf, error) {
	shelf := &Shelf{}
	for _, k := range l.Known {
		path, err := Unquote(k.Path)
		if err != nil {
			return nil, err
		}
		shelf.Put(path, nil, k.Err)
		shelf.Told(path)
		for _, p := range k.Pages {
			shelf.Add(path, p)
		}
	}
	return shelf, nil
}

func unquoteAll(quoted []string) (paths []string, err error) {
	for _, q := range quoted {
		path, err := Unquote(q)
		if err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// settle looks a second time for what was not there.
func (l Look) settle(u *Update, shelf *Shelf) (below []string, err error) {
	missing := u.Missing()
	if len(missing) == 0 {
		return nil, nil
	}
	gone, err := Gone(l.Share.Path, missing)
	if err != nil {
		return nil, err
	}
	for _, name := range gone {
		if u.missing[name].Kind == Folder && shelf.Dir(name) == nil {
			below = append(below, Quote(name))
			continue
		}
		u.Gone(name)
	}
	return below, nil
}

// leave puts entries that are being written back to what is known of them.
func (d *Dir) leave(busy []string, known *Dir) {
	for _, name := range busy {
		dir, last := ".", name
		if i := strings.LastIndexByte(name, '/'); i >= 0 {
			dir, last = name[:i], name[i+1:]
		}
		if dir != d.Path {
			continue
		}
		i, found := d.find(last)
		var was *Entry
		if known != nil {
			was = known.Entry(last)
		}
		switch {
		case found && was != nil:
			d.Entries[i] = *was
		case found:
			d.Entries = slices.Delete(d.Entries, i, i+1)
		}
	}
}

// one looks at one folder, and not below it.
func (s Scanner) one(ctx context.Context, folder string) (*Dir, error) {
	h, err := openFolder(s.Root, folder)
	if err != nil {
		return nil, err
	}
	defer h.close()
	w := newWalk(s, nil)
	n := &node{dir: &Dir{Path: folder}, handle: h, known: s.Known(folder)}
	names, err := h.names(make([]byte, listRoom))
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	names = slices.DeleteFunc(names, func(name string) bool { return s.Skip != nil && s.Skip(join(folder, name)) })
	n.names, n.dir.Entries = names, make([]Entry, len(names))
	r := reader{walk: w}
	for i := range names {
		if err := w.look(ctx, n, i, &r); err != nil {
			return nil, err
		}
	}
	n.dir.Entries = slices.DeleteFunc(n.dir.Entries, func(e Entry) bool { return e.Kind == 0 })
	return n.dir, nil
}

// openFolder opens a folder below root, never through a link.
func openFolder(root, folder string) (handle, error) {
	h, err := openRoot(root)
	if err != nil || folder == "." {
		return h, err
	}
	for part := range strings.SplitSeq(folder, "/") {
		next, err := h.sub(part)
		h.close()
		if err != nil {
			return handle{}, err
		}
		h = next
	}
	return h, nil
}
