package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/coterie-ha/coterie/appdata"
)

// fact is what is at a path, or shall be; the zero value is nothing.
type fact struct {
	Kind   string `json:"kind,omitempty"` // as appdata.Kind says it
	SHA256 string `json:"sha256,omitempty"`
	Size   int64  `json:"size,omitempty"`
	Mode   uint32 `json:"mode,omitempty"`
	Target string `json:"target,omitempty"`
}

func factOf(e *Entry) fact {
	return fact{Kind: e.Kind.String(), SHA256: e.Digest.String(), Size: e.Size, Mode: e.Mode, Target: e.Target}
}

func factOfTree(e *appdata.Entry) fact {
	f := fact{Kind: e.Kind.String(), SHA256: e.Digest.String(), Size: e.Size, Mode: e.Mode & 0o777, Target: e.Target}
	if e.Kind != appdata.File {
		f.Size = 0
	}
	return f
}

func (f fact) none() bool   { return f.Kind == "" }
func (f fact) folder() bool { return f.Kind == appdata.Folder.String() }

// alike says that two facts have the same content.
func alike(a, b fact) bool { return a.Kind == b.Kind && a.SHA256 == b.SHA256 && a.Target == b.Target }

// sameFact says that what is at a path is what shall be there.
func sameFact(a, b fact) bool {
	return alike(a, b) && (a.Kind != appdata.File.String() || a.Mode == b.Mode)
}

// op is one path of an import: what was there, and what shall be.
type op struct {
	Path string `json:"path"`
	Was  fact   `json:"was"`
	Is   fact   `json:"is"`
}

// has says that a path has come to one of the two states. There are file systems that do
// not keep modes, so these count only where nothing else tells the states apart.
func (o op) has(now, state fact) bool {
	return sameFact(now, state) || alike(now, state) && !alike(o.Was, o.Is)
}

// journal is all that an import does.
type journal struct {
	Format string `json:"format"`
	Bundle string `json:"bundle"` // digest of its manifest
	Tier   string `json:"tier"`
	Policy Policy `json:"policy"`
	By     string `json:"by"`
	Reason string `json:"reason,omitempty"`
	At     int64  `json:"at"`
	Ops    []op   `json:"ops"`
}

const journalFormat = "coterie-import/1"

// A folder of an import is named by its number, and by how far it has come.
const (
	doing   = ".doing"   // decided: forward
	done    = ".done"    // what undo goes by
	undoing = ".undoing" // decided: back
	undone  = ".undone"  // to be removed
	staging = "stage"    // nothing is decided
	kept    = 3          // imports that can be taken back
)

// desk is the folder in the tree where imports are prepared and kept.
type desk struct {
	root *os.Root // the tree
	dir  string   // of the desk, below it
	lock io.Closer
}

const deskDir = ownFolder + "/bundle"

// openDesk opens the desk of a tree, for one import at a time.
func openDesk(root string) (*desk, error) {
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	d := &desk{root: r, dir: deskDir}
	err = d.make(ownFolder, 0o755)
	if err == nil {
		err = d.make(deskDir, 0o700) // what was replaced is for the owner alone
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	if d.lock, err = lock(r, deskDir+"/lock"); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return d, nil
}

func (d *desk) close() error { return errors.Join(d.lock.Close(), d.root.Close()) }

// make wants a folder, and no link to one.
func (d *desk) make(name string, mode fs.FileMode) error {
	err := d.root.Mkdir(name, mode)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := d.root.Lstat(name)
	if err == nil && !info.IsDir() {
		err = fault(Unfit, name, "is no folder")
	}
	return err
}

// deskEntry is an import that the desk knows.
type deskEntry struct {
	number int
	state  string
}

func (e deskEntry) String() string { return strconv.Itoa(e.number) + e.state }

// list gives the imports, the oldest first.
func (d *desk) list() ([]deskEntry, error) {
	f, err := d.root.Open(d.dir)
	if err != nil {
		return nil, err
	}
	names, err := f.Readdirnames(-1)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	var all []deskEntry
	for _, name := range names {
		number, state, _ := strings.Cut(name, ".")
		if n, err := strconv.Atoi(number); err == nil && n > 0 {
			all = append(all, deskEntry{n, "." + state})
		}
	}
	slices.SortFunc(all, func(a, b deskEntry) int { return a.number - b.number })
	return all, nil
}

func (d *desk) read(e deskEntry) (*journal, error) {
	f, err := appdata.OpenPlain(d.root, path.Join(d.dir, e.String(), "journal"))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	var j journal
	if err := json.Unmarshal(text, &j); err != nil || j.Format != journalFormat {
		return nil, fmt.Errorf("journal of import %d: of the form %q: %w", e.number, j.Format, err)
	}
	for _, o := range j.Ops { // it lies on the share, and is held to what an import may do
		if !fs.ValidPath(o.Path) || ours(o.Path) {
			return nil, fault(BadName, o.Path, "leads elsewhere")
		}
	}
	return &j, nil
}

// move says how far an import has come.
func (d *desk) move(e deskEntry, state string) (deskEntry, error) {
	next := deskEntry{e.number, state}
	if err := d.root.Rename(path.Join(d.dir, e.String()), path.Join(d.dir, next.String())); err != nil {
		return e, err
	}
	return next, d.sync(d.dir)
}

// sync has a folder on the disk.
func (d *desk) sync(dir string) error {
	f, err := d.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(syncFolder(f), f.Close())
}

// now says what is at a path; through no link.
func (d *desk) now(name string) (fact, error) {
	for dir := range parents(name) {
		info, err := d.root.Lstat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return fact{}, nil
		}
		if err != nil {
			return fact{}, err
		}
		if !info.IsDir() {
			return fact{Kind: appdata.Unknown.String()}, nil
		}
	}
	info, err := d.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return fact{}, nil
	}
	if err != nil {
		return fact{}, err
	}
	f := fact{Mode: uint32(info.Mode().Perm())}
	switch {
	case info.IsDir():
		f.Kind = appdata.Folder.String()
	case info.Mode().Type() == fs.ModeSymlink:
		f.Kind = appdata.Link.String()
		f.Target, err = d.root.Readlink(name)
	case info.Mode().IsRegular():
		f.Kind, f.Size = appdata.File.String(), info.Size()
		f.SHA256, err = d.digest(name)
	default:
		f.Kind = appdata.Unknown.String()
	}
	return f, err
}

func (d *desk) digest(name string) (string, error) {
	f, err := appdata.OpenPlain(d.root, name)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), errors.Join(err, f.Close())
}
