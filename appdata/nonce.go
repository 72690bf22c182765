package appdata

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"
)

// errReadBack says that the share does not give back what it has just taken.
var errReadBack = errors.New("a file just written reads differently")

const nodesDir = dirName + "/" + nodesName

// tryWrite does what an application does: write, force to disk, rename, read
// back, remove. Each time with other contents, so that no cache can answer.
func (s Share) tryWrite(c *Condition, root *os.Root) {
	dir := nodesDir
	if s.Cluster == "" {
		dir = "." // before the folder is a cluster's
	} else if err := root.Mkdir(nodesDir, 0o775); err != nil && !errors.Is(err, fs.ErrExist) {
		c.worsen(writeProblem(err), "cannot write: %v", err)
		return
	}
	if err := s.writeNonce(c, root, dir); err != nil {
		c.worsen(writeProblem(err), "cannot write: %v", withoutName(err))
		return
	}
	c.Writable = true
	if s.Word != (Word{}) && s.Cluster != "" {
		if err := put(root, nodesDir, s.Node+wordEnd, s.Word.String()); err != nil {
			c.worsen(writeProblem(err), "cannot keep the challenge file: %v", withoutName(err))
		} else {
			c.Words.Kept = true
		}
	}
	if s.Cluster != "" {
		if err := s.keepToken(root); err != nil {
			c.worsen(writeProblem(err), "cannot keep the highest token: %v", withoutName(err))
		}
	}
}

func (s Share) writeNonce(c *Condition, root *os.Root, dir string) error {
	text := rand.Text()
	name := s.Node + "~" + strings.ToLower(text[:12]) + ".nonce"
	begun := time.Now()
	err := put(root, dir, name, text)
	if err != nil {
		return err
	}
	c.Latency = time.Since(begun)
	got, err := readSmall(root, dir, name, 1024)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && string(got) != text:
		err = errReadBack
	case err == nil:
		_, twin := root.Lstat(path.Join(dir, strings.ToUpper(name)))
		c.CaseInsensitive = twin == nil
	}
	written, swept := s.sweep(root, dir, name)
	if !written.IsZero() {
		c.Ahead = written.Sub(begun)
	}
	return errors.Join(err, swept, root.Remove(path.Join(dir, name)))
}

// sweep removes what killed probes of this node left behind. Only what is an
// hour older, by the share's own clock, than the file just written: another
// process of this node may be at work beside us. It gives when that file was written,
// by the same clock.
func (s Share) sweep(root *os.Root, dir, own string) (written time.Time, err error) {
	now, err := root.Lstat(path.Join(dir, own))
	if err != nil {
		return time.Time{}, err
	}
	d, err := root.Open(dir)
	if err != nil {
		return now.ModTime(), err
	}
	names, err := d.Readdirnames(1000)
	if isEOF(err) {
		err = nil
	}
	err = errors.Join(err, d.Close())
	for _, name := range names {
		if !strings.HasPrefix(strings.TrimPrefix(name, "."), s.Node+"~") {
			continue
		}
		info, lerr := root.Lstat(path.Join(dir, name))
		if lerr != nil || !info.Mode().IsRegular() || now.ModTime().Sub(info.ModTime()) < time.Hour {
			continue // gone, strange, or young
		}
		if rerr := root.Remove(path.Join(dir, name)); !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}
	return now.ModTime(), err
}

// put writes a small file of ours in one step, below root and nowhere else.
func put(root *os.Root, dir, name, text string) error {
	temp := path.Join(dir, "."+name+".tmp-"+rand.Text()[:12])
	f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if _, err = f.WriteString(text); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = root.Rename(temp, path.Join(dir, name))
	}
	if err != nil {
		return errors.Join(err, root.Remove(temp))
	}
	return nil
}

// withoutName leaves random names out of an error: a reason must not differ
// from probe to probe when the trouble is the same.
func withoutName(err error) error {
	var no syscall.Errno
	if errors.As(err, &no) {
		return no
	}
	return err
}
