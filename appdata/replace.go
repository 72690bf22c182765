package appdata

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

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
