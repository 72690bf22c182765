package bundle

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

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
}

// Look reads the tree.
func (x Export) Look(ctx context.Context) (*Content, error) {
	if err := wordFault("tier", x.Tier); err != nil {
		return nil, err
	}
	version, err := x.Profile.version(x.Root, x.Version)
	if err != nil {
		return nil, err
	}
	s := appdata.Scanner{Root: x.Root, Skip: x.Profile.skips, Leads: x.Profile.equal().Leads, Workers: x.Workers, Progress: x.Progress}
	found, err := s.Scan(ctx)
	if err != nil {
		return nil, err
	}
	p := picker{Profile: x.Profile, content: &Content{Manifest: &Manifest{Header: Header{Profile: x.Profile, Tier: x.Tier, Version: version}}}}
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

// Digest is the one by which a bundle of this content is known.
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
	c := checker{folders: map[string]bool{}, twins: twins{}}
	for i := range m.Files {
		if err := c.next(&m.Files[i]); err != nil {
			return fault(Unpackable, "", "%v", err)
		}
	}
	return nil
}

// ErrChanging says that a file was changed after Look had read it.
var ErrChanging = errors.New("changed while it was read")

// Write writes the bundle. A file that is not as Look found it is an error that wraps
// ErrChanging; what was written then is no bundle.
func (x Export) Write(ctx context.Context, c *Content, out io.Writer) error {
	text, err := c.Manifest.write()
	if err != nil {
		return err
	}
	vouched, err := sign(x.Key, sha256.Sum256(text))
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(out, 1<<20)
	compressed, err := newFramer(buffered)
	if err != nil {
		return err
	}
	err = x.members(ctx, c.Manifest, tar.NewWriter(compressed), text, vouched)
	if err = errors.Join(err, compressed.Close()); err != nil {
		return err
	}
	return buffered.Flush()
}

func (x Export) members(ctx context.Context, m *Manifest, out *tar.Writer, text, vouched []byte) error {
	for _, first := range []struct {
		name string
		text []byte
	}{{manifestMember, text}, {signatureMember, vouched}} {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: first.name, Size: int64(len(first.text)), Mode: 0o644, ModTime: time.Unix(0, 0)}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if _, err := out.Write(first.text); err != nil {
			return err
		}
	}
	files, err := openTree(x.Root)
	if err != nil {
		return err
	}
	defer files.close()
	buffer := make([]byte, 256<<10)
	for i := range m.Files {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		e := &m.Files[i]
		if err := out.WriteHeader(e.header()); err != nil {
			return fmt.Errorf("%s: %w", appdata.Quote(e.Path), err)
		}
		if e.Kind != appdata.File {
			continue
		}
		if err := files.copyTo(out, e, buffer); err != nil {
			return fmt.Errorf("%s: %w", appdata.Quote(e.Path), err)
		}
	}
	return out.Close()
}

// tree reads the files of a tree in order; the folder of the last one stays open.
type tree struct {
	root *os.Root
	name string
	dir  *os.Root
}

func openTree(root string) (*tree, error) {
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	return &tree{root: r, name: ".", dir: r}, nil
}

func (t *tree) close() {
	t.leave()
	t.root.Close()
}

func (t *tree) leave() {
	if t.dir != t.root {
		t.dir.Close()
	}
	t.name, t.dir = ".", t.root
}

// open opens a regular file.
func (t *tree) open(name string) (*os.File, error) {
	if err := t.enter(path.Dir(name)); err != nil {
		return nil, err
	}
	return appdata.OpenPlain(t.dir, path.Base(name))
}

// enter has the folder of the next file open.
func (t *tree) enter(dir string) error {
	if dir == t.name {
		return nil
	}
	t.leave()
	if dir == "." {
		return nil
	}
	opened, err := t.root.OpenRoot(dir)
	if err == nil {
		t.name, t.dir = dir, opened
	}
	return err
}

// copyTo writes a file that must be as its entry says. Whatever has come into its place is
// found by that, so it is not asked for twice what it is.
func (t *tree) copyTo(out io.Writer, e *Entry, buffer []byte) (err error) {
	if err := t.enter(path.Dir(e.Path)); err != nil {
		return fmt.Errorf("%w: %w", ErrChanging, err)
	}
	f, err := t.dir.OpenFile(path.Base(e.Path), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrChanging, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() != e.Size {
		return ErrChanging
	}
	sum := sha256.New()
	for left := e.Size; left > 0; {
		n, err := f.Read(buffer[:min(left, int64(len(buffer)))])
		if errors.Is(err, io.EOF) {
			return ErrChanging
		}
		if err != nil {
			return err
		}
		left -= int64(n)
		sum.Write(buffer[:n])
		if _, err := out.Write(buffer[:n]); err != nil {
			return err
		}
	}
	if appdata.Digest(sum.Sum(nil)) != e.Digest {
		return ErrChanging
	}
	return nil
}
