package bundle

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/coterie-ha/coterie/appdata"
)

// Export makes a bundle of a tree.
type Export struct {
	Root    string
	Profile Profile
	Tier    string
	Version string             // of the product; empty: as the file says that the profile names
	Key     ed25519.PrivateKey // nil: nobody vouches for it

	Workers  int
	Temp     string // a folder with room for another such bundle, while it is made; empty: the system's
	Progress *appdata.Progress
}

// Signer is the fingerprint of the key; "" for none.
func (x Export) Signer() string {
	if x.Key == nil {
		return ""
	}
	return Fingerprint(x.Key.Public().(ed25519.PublicKey))
}

// Left is what is in the tree and not in the bundle, though the profile includes it.
type Left struct {
	Path string
	Why  string // its class, or kind
}

// Content is what a bundle of a tree would have.
type Content struct {
	Manifest *Manifest
	Left     []Left
	Bare     []Left // what the bundle has without all that the tree has, known when Write has returned

	read bool // the files were read: their digests are known
}

// Look reads the tree.
func (x Export) Look(ctx context.Context) (*Content, error) { return x.look(ctx, true) }

// List is Look for whoever goes on to write: no file is read, so their digests are
// known when Write has returned.
func (x Export) List(ctx context.Context) (*Content, error) { return x.look(ctx, false) }

func (x Export) look(ctx context.Context, read bool) (*Content, error) {
	if err := wordFault("tier", x.Tier); err != nil {
		return nil, err
	}
	version, err := x.Profile.version(x.Root, x.Version)
	if err != nil {
		return nil, err
	}
	s := appdata.Scanner{Root: x.Root, Skip: x.Profile.skips, Leads: x.Profile.equal().Leads, NoContent: !read, Workers: x.Workers, Progress: x.Progress}
	found, err := s.Scan(ctx)
	if err != nil {
		return nil, err
	}
	p := picker{Profile: x.Profile, linked: map[uint64]linked{}, content: &Content{read: read, Manifest: &Manifest{Header: Header{Profile: x.Profile, Tier: x.Tier, Version: version}}}}
	if d := found.Dir("."); d.Err != "" {
		p.wrong = append(p.wrong, ". cannot be read: "+d.Err)
	}
	for name, e := range found.All() {
		p.take(name, e, found.Dir(name))
	}
	if len(p.wrong) > 0 {
		more := ""
		if n := len(p.wrong) - mostTold; n > 0 {
			more = fmt.Sprintf("; and %d more", n)
		}
		return nil, fault(Unpackable, "", "%s%s", strings.Join(p.wrong[:min(len(p.wrong), mostTold)], "; "), more)
	}
	return p.content, p.finish(found)
}

// Digest is the one by which a bundle of this content is known, once its files were read.
func (c *Content) Digest() (appdata.Digest, error) {
	text, err := c.Manifest.write()
	return sha256.Sum256(text), err
}

// mostTold is how many things that are wrong are told at once.
const mostTold = 10

// picker picks from a tree what belongs into a bundle.
type picker struct {
	Profile
	content *Content
	wrong   []string
	linked  map[uint64]linked // files that have other names, by their inode
}

// linked is a file that has other names.
type linked struct {
	name string
	is   appdata.Entry
}

// another notes a file that is the same as an earlier one: the bundle has it twice.
func (p *picker) another(name string, e *appdata.Entry) {
	if e.Kind != appdata.File || e.Links < 2 {
		return
	}
	first, known := p.linked[e.Inode]
	if !known {
		p.linked[e.Inode] = linked{name, *e}
	} else if first.is.CTime == e.CTime && first.is.Size == e.Size && first.is.Links == e.Links {
		p.content.Bare = append(p.content.Bare, Left{Path: name, Why: "a hard link to " + appdata.Quote(first.name) + ", a file of its own in the bundle"})
	}
}

func (p *picker) take(name string, e *appdata.Entry, dir *appdata.Dir) {
	class := p.Class(name)
	switch {
	case class == appdata.Secret || class == appdata.PerHost:
		if e.Kind != appdata.Folder {
			p.leave(name, string(class))
		}
		return
	case class != appdata.Shared && class != appdata.Merged && class != TierBound:
		return
	}
	out := Entry{Path: name, Kind: e.Kind, Class: class, Mode: e.Mode & 0o777}
	switch {
	case e.Err != "":
		p.wrong = append(p.wrong, appdata.Quote(name)+": "+e.Err)
		return
	case dir != nil && dir.Err != "":
		p.wrong = append(p.wrong, appdata.Quote(name)+": "+dir.Err)
		return
	case e.Kind == appdata.File:
		out.Size, out.Digest, out.MTime = e.Size, e.Digest, max(e.MTime.Sec, 0)
	case e.Kind == appdata.Link:
		if why := linkFault(name, e.Target); why != "" {
			p.wrong = append(p.wrong, appdata.Quote(name)+": "+why)
			return
		}
		out.Mode, out.Target = 0, e.Target
	case e.Kind != appdata.Folder:
		p.leave(name, e.Kind.String())
		return
	}
	if why := nameFault(name); why != "" {
		p.wrong = append(p.wrong, appdata.Quote(name)+": "+why)
		return
	}
	p.another(name, e)
	p.content.Manifest.Files = append(p.content.Manifest.Files, out)
}

func (p *picker) leave(name, why string) {
	p.content.Left = append(p.content.Left, Left{Path: name, Why: why})
}

// finish adds the folders that lead to what was picked, puts all in order, and holds it to what
// every reader will hold it to.
func (p *picker) finish(found *appdata.Manifest) error {
	m := p.content.Manifest
	there := map[string]bool{}
	for i := range m.Files {
		there[m.Files[i].Path] = true
	}
	for _, e := range m.Files {
		for dir := range parents(e.Path) {
			if there[dir] {
				continue
			}
			there[dir] = true
			out := Entry{Path: dir, Kind: appdata.Folder, Class: appdata.Shared, Mode: 0o755}
			if is := found.Entry(dir); is != nil {
				out.Mode = is.Mode & 0o777
			}
			m.Files = append(m.Files, out)
		}
	}
	slices.SortFunc(m.Files, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	c := checker{folders: map[string]bool{}, twins: twins{}, unread: !p.content.read}
	for i := range m.Files {
		if err := c.next(&m.Files[i]); err != nil {
			return fault(Unpackable, "", "%v", err)
		}
	}
	return nil
}
