package bundle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/coterie-ha/coterie/appdata"
)

// Action is what an import does to a path.
type Action string

// The actions.
const (
	Add     Action = "add"
	Replace Action = "replace"
	Merge   Action = "merge"  // replaced, but for this host's own fields
	Delete  Action = "delete" // kept aside, as all that is replaced
	Keep    Action = "keep"   // differs, or is not there, and stays so; Why says why
)

// Change is a path that is not as the bundle has it, and what becomes of it.
type Change struct {
	Path   string
	Action Action
	Class  appdata.Class
	Kind   appdata.Kind
	Why    string

	// Of small texts, so that people can see what differs; nil for others.
	Ours, Theirs []byte

	is, was fact
	text    []byte // what is written instead of the bundle's, where fields are merged
	merged  bool
	names   uint32 // of the file that is there: hard links
}

// Plan is what an import would do, in an order in which it can be done.
type Plan struct {
	Header  Header
	Digest  appdata.Digest // of the bundle's manifest
	Changes []Change
}

// Count is the number of changes of an action; of folders too.
func (p *Plan) Count(a Action) (n int) {
	for i := range p.Changes {
		if p.Changes[i].Action == a {
			n++
		}
	}
	return n
}

// Does says whether anything would be done.
func (p *Plan) Does() bool { return p.Count(Keep) < len(p.Changes) }

const (
	shownText  = 32 << 10 // texts up to this size are kept to be shown
	shownTotal = 4 << 20  // of all together
)

// Plan reads all of a bundle, and says what would become of the tree. Nothing is written.
func (im Import) Plan(ctx context.Context, r *Reader) (*Plan, error) {
	if err := im.Accepts(r); err != nil {
		return nil, err
	}
	found, err := im.look(ctx, r)
	if err != nil {
		return nil, err
	}
	files, err := openTree(im.Root)
	if err != nil {
		return nil, err
	}
	defer files.close()
	b := builder{Import: im, r: r, found: found, files: files, plan: &Plan{Header: r.Header, Digest: r.Digest}}
	if d := found.Dir("."); d.Err != "" {
		return nil, fault(Unfit, ".", "%s", d.Err)
	}
	if err := r.Each(ctx, b.entry); err != nil {
		return nil, err
	}
	if im.Policy == Full {
		err = b.deletions()
	}
	return b.plan, err
}

// builder makes a plan.
type builder struct {
	Import
	r     *Reader
	found *appdata.Manifest
	files *tree
	plan  *Plan
	shown int
}

// entry plans one entry; an error is of the bundle, or of a tree that does not fit.
func (b *builder) entry(e *Entry, content io.Reader) error {
	c := Change{Path: e.Path, Kind: e.Kind, Class: b.class(b.r, e.Path), is: factOf(e)}
	if e.Kind == appdata.Folder && c.Class == Unbundled {
		c.Class = appdata.Shared // it only leads to what is included
	}
	have := b.found.Entry(e.Path)
	if have != nil {
		c.was = factOfTree(have)
		c.names = have.Links
	}
	switch c.Class {
	case appdata.Ignored, appdata.Secret, appdata.PerHost, Unbundled:
		return b.keep(c, have, string(c.Class))
	}
	if why := inTheWay(e, have); why != "" {
		return fault(Unfit, e.Path, "%s", why)
	}
	if e.Kind == appdata.Folder {
		if have == nil {
			return b.would(c, Add, "")
		}
		return nil
	}
	switch {
	case have != nil && sameFact(c.was, c.is):
		return nil
	case c.Class == TierBound && (have != nil || b.r.Tier != b.Tier):
		return b.keep(c, have, "of one tier alone")
	case have == nil:
		return b.would(c, Add, "")
	case b.Policy == Partial:
		return b.keep(c, have, "is there already")
	case e.Kind == appdata.Link:
		return b.would(c, Replace, "")
	}
	return b.file(c, e, content)
}

// file plans a file that both have.
func (b *builder) file(c Change, e *Entry, content io.Reader) error {
	small := e.Size <= shownText && c.was.Size <= shownText && b.shown < shownTotal
	if c.Class != appdata.Merged && !small {
		return b.would(c, Replace, modes(c))
	}
	if c.Class == appdata.Merged && (e.Size > appdata.MaxText || c.was.Size > appdata.MaxText) {
		return fault(Unfit, e.Path, "too large for its fields to be told apart")
	}
	theirs, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	ours, err := b.files.read(e.Path, appdata.MaxText)
	if err != nil {
		return fault(Unfit, e.Path, "%v", err)
	}
	if small && isText(theirs) && isText(ours) {
		c.Ours, c.Theirs = ours, theirs
		b.shown += len(ours) + len(theirs)
	}
	if c.Class != appdata.Merged {
		return b.would(c, Replace, modes(c))
	}
	text, err := b.mix(b.r, e.Path, theirs, ours)
	if err != nil {
		return fault(Unfit, e.Path, "%v", err)
	}
	c.text, c.merged, c.is.SHA256, c.is.Size = text, true, appdata.Digest(sha256.Sum256(text)).String(), int64(len(text))
	if c.Theirs != nil {
		c.Theirs = text
	}
	if sameFact(c.was, c.is) {
		return nil
	}
	return b.would(c, Merge, "this host's own fields stay")
}

// modes says whether a file gets another mode.
func modes(c Change) string {
	if c.was.Mode != c.is.Mode {
		return fmt.Sprintf("mode %04o becomes %04o", c.was.Mode, c.is.Mode)
	}
	return ""
}

// inTheWay says why an entry cannot come to where something else is.
func inTheWay(e *Entry, have *appdata.Entry) string {
	switch {
	case have == nil:
		return ""
	case have.Err != "":
		return have.Err
	case have.Kind != e.Kind:
		return fmt.Sprintf("is a %s here, and a %s in the bundle", have.Kind, e.Kind)
	}
	return ""
}

func (b *builder) would(c Change, a Action, why string) error {
	if c.names > 1 && c.Kind == appdata.File && (a == Replace || a == Merge) {
		if why != "" {
			why += "; "
		}
		why += fmt.Sprintf("has %d hard links, and the others stay as they are", c.names)
	}
	c.Action, c.Why = a, why
	b.plan.Changes = append(b.plan.Changes, c)
	return nil
}

// keep notes what is withheld, where it would make a difference.
func (b *builder) keep(c Change, have *appdata.Entry, why string) error {
	if have != nil && (c.Kind == appdata.Folder || sameFact(c.was, c.is)) {
		return nil
	}
	return b.would(c, Keep, why)
}

// deletions plans what the tree has and the bundle has not, of what both this host and
// the bundle call the cluster's.
func (b *builder) deletions() error {
	has := map[string]bool{}
	for i := range b.r.Files {
		has[b.r.Files[i].Path] = true
	}
	var gone []Change
	for name, have := range b.found.All() {
		class := b.class(b.r, name)
		if has[name] || class != appdata.Shared && class != appdata.Merged || have.Err != "" {
			continue
		}
		switch have.Kind {
		case appdata.File, appdata.Link, appdata.Folder:
			gone = append(gone, Change{Path: name, Action: Delete, Kind: have.Kind, Class: class, was: factOfTree(have)})
		}
	}
	slices.SortFunc(gone, func(x, y Change) int { return strings.Compare(y.Path, x.Path) }) // what is in a folder before it
	gone, err := b.emptied(gone)
	b.plan.Changes = append(b.plan.Changes, gone...)
	return err
}

// emptied leaves out the folders in which something stays, be it what nobody looks at.
func (b *builder) emptied(gone []Change) ([]Change, error) {
	going := map[string]bool{}
	kept := gone[:0]
	for _, c := range gone {
		if c.Kind == appdata.Folder {
			names, err := b.files.names(c.Path)
			if err != nil {
				return nil, err
			}
			if slices.ContainsFunc(names, func(name string) bool { return !going[join(c.Path, name)] }) {
				continue
			}
		}
		going[c.Path] = true
		kept = append(kept, c)
	}
	return kept, nil
}

// names are those of a folder.
func (t *tree) names(name string) ([]string, error) {
	f, err := t.root.Open(name)
	if err != nil {
		return nil, err
	}
	names, err := f.Readdirnames(-1)
	return names, errors.Join(err, f.Close())
}

// isText says that a text can be shown line by line.
func isText(text []byte) bool { return bytes.IndexByte(text, 0) < 0 }

// read reads a regular file that is not larger than that.
func (t *tree) read(name string, most int64) (text []byte, err error) {
	f, err := t.open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err = io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		err = errors.New("too large to be compared as a text")
	}
	return text, err
}
