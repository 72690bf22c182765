package appdata

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

// Take brings a file that must be equal on all nodes from one to another, in three
// steps by two agents, through the share:
//
//	Give   the source puts a copy aside, in .coterie/take, for its owner only
//	Put    the node that drifts keeps what it had, writes beside the file, reads that
//	       again, renames it into place, and removes the copy
//	Drop   removes the copy, whatever became of the rest
//
// Nothing is read or written but below the root that a node's own configuration
// names, at paths that must be equal; no link is followed. Whoever reads the file
// sees the old content or the new.
type Take struct {
	Step  string `json:"step"` // give, put, drop
	ID    int64  `json:"id"`
	Share Share  `json:"share"`
	Root  string `json:"root"`
	Equal Equal  `json:"equal"`
	Path  string `json:"path"` // quoted
	Taken Taken  `json:"taken"`
	Was   string `json:"was,omitempty"` // SHA-256 of what is compared of the file that is replaced; empty: there is none
	Keep  string `json:"keep"`          // folder on this node for what is replaced
}

// Taken is what is known of the copy.
type Taken struct {
	Raw    string `json:"raw,omitempty"` // SHA-256 of the content
	Size   int64  `json:"size"`
	Mode   uint32 `json:"mode"`
	UID    uint32 `json:"uid"`
	GID    uint32 `json:"gid"`
	Backup string `json:"backup,omitempty"` // where what was replaced is kept
}

// takeDir is where copies lie in the share.
const takeDir = dirName + "/take"

// MostTaken is how large a file may be that is taken.
const MostTaken = 64 << 20

// The steps of a Take.
const (
	Give = "give"
	Put  = "put"
	Drop = "drop"
)

// Do does one step.
func (t Take) Do(context.Context) (Taken, error) {
	if t.Step == Drop {
		return t.Taken, t.drop()
	}
	name, err := Unquote(t.Path)
	if err != nil {
		return Taken{}, err
	}
	if !fs.ValidPath(name) || name == "." || !t.Equal.Has(name) {
		return Taken{}, fmt.Errorf("%s is not among the files that must be equal here", t.Path)
	}
	if err := t.Share.Present(); err != nil {
		return Taken{}, err
	}
	dir, err := openWay(t.Root, path.Dir(name))
	if errors.Is(err, fs.ErrNotExist) && t.Step == Put {
		dir, err = makeWay(t.Root, path.Dir(name))
	}
	if err != nil {
		return Taken{}, fmt.Errorf("%s: %w", t.Path, err)
	}
	step := t.put
	if t.Step == Give {
		step = t.give
	}
	done, err := step(dir, name)
	if err = errors.Join(err, dir.Close()); err != nil {
		return Taken{}, fmt.Errorf("%s: %w", t.Path, err)
	}
	return done, nil
}

func (t Take) copyName() string { return strconv.FormatInt(t.ID, 10) }

// aside opens the folder of copies.
func (t Take) aside() (*os.Root, error) {
	dir, err := openWay(t.Share.Path, dirName)
	if err != nil {
		return nil, err
	}
	made := dir.Mkdir(path.Base(takeDir), 0o700)
	if errors.Is(made, fs.ErrExist) {
		made = nil
	}
	if err = errors.Join(made, dir.Close()); err != nil {
		return nil, err
	}
	return openWay(t.Share.Path, takeDir)
}

func (t Take) drop() error {
	dir, err := openWay(t.Share.Path, takeDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := dir.Remove(t.copyName()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, dir.Close())
	}
	return dir.Close()
}

func (t Take) give(dir *os.Root, name string) (done Taken, err error) {
	text, e, err := readWhole(dir, path.Base(name))
	if err != nil {
		return done, err
	}
	aside, err := t.aside()
	if err != nil {
		return done, err
	}
	if err := aside.Remove(t.copyName()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return done, errors.Join(err, aside.Close())
	}
	err = writeNew(aside, t.copyName(), text, nil)
	if err = errors.Join(err, aside.Close()); err != nil {
		return done, err
	}
	return Taken{Raw: sumOf(text), Size: e.Size, Mode: e.Mode, UID: e.UID, GID: e.GID}, nil
}

// put replaces the file. What is there must be what it was when this was asked for,
// or what is wanted already: then there is nothing to do.
func (t Take) put(dir *os.Root, name string) (done Taken, err error) {
	done = t.Taken
	aside, err := openWay(t.Share.Path, takeDir)
	if err != nil {
		return done, err
	}
	text, _, err := readWhole(aside, t.copyName())
	if err = errors.Join(err, aside.Close()); err != nil {
		return done, fmt.Errorf("the copy in the share: %w", err)
	}
	if sumOf(text) != t.Taken.Raw {
		return done, errors.New("the copy in the share is not what was given")
	}
	base := path.Base(name)
	old, was, err := readWhole(dir, base)
	if errors.Is(err, fs.ErrNotExist) {
		old, err = nil, nil
	}
	if err != nil {
		return done, err
	}
	if old != nil {
		if text, err = t.Equal.Mix(name, text, old); err != nil {
			return done, err
		}
		if bytes.Equal(text, old) && was.Mode == done.Mode && was.UID == done.UID && was.GID == done.GID {
			return done, nil // an earlier attempt has come this far
		}
	}
	if now := t.Equal.compared(name, old); now != t.Was {
		return done, errors.New("changed since it was asked for")
	}
	if old != nil {
		if done.Backup, err = t.keep(base, old, was); err != nil {
			return done, fmt.Errorf("keep what was there: %w", err)
		}
	}
	return done, replaceIn(dir, base, text, done)
}

// compared is the digest of what is compared of a file; empty for none.
func (q Equal) compared(name string, text []byte) string {
	if text == nil {
		return ""
	}
	if normal, err := q.Normal(name, text); err == nil && len(q.merges(name)) > 0 {
		text = normal
	}
	return sumOf(text)
}

func sumOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Mix gives a file as another node has it, with this node's fields where they may
// differ. Where the two have not the same number of them, nobody can tell which is which.
func (q Equal) Mix(name string, theirs, ours []byte) ([]byte, error) {
	if len(q.merges(name)) == 0 {
		return theirs, nil
	}
	errUnlike := errors.New("has other fields that may differ than the reference; merge it by hand")
	normal, err := q.Normal(name, theirs)
	if err != nil {
		return nil, err
	}
	mine, err := q.Normal(name, ours)
	if err != nil {
		return nil, err
	}
	kept, ok := maskedValues(mine, ours)
	parts := bytes.Split(normal, []byte(mask))
	if !ok || len(parts) != len(kept)+1 {
		return nil, errUnlike
	}
	var out bytes.Buffer
	for i, part := range parts {
		out.Write(part)
		if i < len(kept) {
			out.Write(kept[i])
		}
	}
	if again, err := q.Normal(name, out.Bytes()); err != nil || !bytes.Equal(again, normal) {
		return nil, errUnlike
	}
	return out.Bytes(), nil
}

// maskedValues are what a text has where its normal form has masks; false when that
// can be read in two ways.
func maskedValues(normal, text []byte) (values [][]byte, ok bool) {
	parts := bytes.Split(normal, []byte(mask))
	if !bytes.HasPrefix(text, parts[0]) {
		return nil, false
	}
	text = text[len(parts[0]):]
	for i, part := range parts[1:] {
		at := bytes.Index(text, part)
		if i == len(parts)-2 {
			at = len(text) - len(part)
			if !bytes.HasSuffix(text, part) {
				return nil, false
			}
		}
		if at < 0 || len(part) == 0 && i < len(parts)-2 {
			return nil, false
		}
		values, text = append(values, text[:at]), text[at+len(part):]
	}
	return values, len(text) == 0
}

// keep writes what is replaced into a folder of this node.
func (t Take) keep(base string, old []byte, was Entry) (string, error) {
	folder := path.Join(t.Keep, t.copyName())
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	dir, err := os.OpenRoot(folder)
	if err != nil {
		return "", err
	}
	if err := dir.Remove(base); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", errors.Join(err, dir.Close())
	}
	err = writeNew(dir, base, old, &was)
	return Quote(path.Join(folder, base)), errors.Join(err, dir.Close())
}

// readWhole reads a regular file that may be taken, and what it looks like.
func readWhole(dir *os.Root, name string) (text []byte, e Entry, err error) {
	f, err := OpenPlain(dir, name)
	if err != nil {
		return nil, e, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	before, err := statFile(f)
	if err != nil {
		return nil, e, err
	}
	if before.Size > MostTaken {
		return nil, e, fmt.Errorf("larger than %d MiB; copy it by hand", MostTaken>>20)
	}
	text, err = io.ReadAll(io.LimitReader(f, MostTaken+1))
	if err != nil {
		return nil, e, err
	}
	after, err := statFile(f)
	if err == nil && (!before.sameStat(&after, true) || int64(len(text)) != after.Size) {
		err = errors.New("is being written")
	}
	if text == nil {
		text = []byte{}
	}
	return text, after, err
}

// writeNew writes a file that is not there; like gives owner and mode, else it is for
// its owner only.
func writeNew(dir *os.Root, name string, text []byte, like *Entry) error {
	f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil && like != nil {
		err = dress(f, *like)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// dress gives a file the owner and mode of another.
func dress(f *os.File, like Entry) error {
	is, err := statFile(f)
	if err == nil && (is.UID != like.UID || is.GID != like.GID) {
		err = f.Chown(int(like.UID), int(like.GID)) // before the mode, of which it takes bits
	}
	if err != nil {
		return err
	}
	mode := fs.FileMode(like.Mode & 0o777)
	for bit, special := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if like.Mode&bit != 0 {
			mode |= special
		}
	}
	return f.Chmod(mode)
}

// replaceIn puts a text in place of a file, in one step, after it was read again.
func replaceIn(dir *os.Root, base string, text []byte, like Taken) (err error) {
	temp := "." + base + ".take.tmp"
	if err := dir.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) { // of one who was killed
		return err
	}
	defer func() {
		if err != nil {
			if left := dir.Remove(temp); left != nil && !errors.Is(left, fs.ErrNotExist) {
				err = errors.Join(err, left)
			}
		}
	}()
	if err := writeNew(dir, temp, text, &Entry{Mode: like.Mode, UID: like.UID, GID: like.GID}); err != nil {
		return err
	}
	if again, _, err := readWhole(dir, temp); err != nil || !bytes.Equal(again, text) {
		return errors.Join(err, errors.New("is not on the disk as it was written"))
	}
	if err := dir.Rename(temp, base); err != nil {
		return err
	}
	folder, err := dir.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// makeWay makes the folders on the way to a file, where they are missing.
func makeWay(root, dir string) (*os.Root, error) {
	at, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	for part := range strings.SplitSeq(dir, "/") {
		if err = at.Mkdir(part, 0o755); errors.Is(err, fs.ErrExist) {
			err = nil
		}
		var next *os.Root
		if err == nil {
			next, err = openPart(at, part)
		}
		if err = errors.Join(err, at.Close()); err != nil {
			return nil, err
		}
		at = next
	}
	return at, nil
}
