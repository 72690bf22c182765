package appdata

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
)

// OwnText reads a small file of this node, to be shown beside another node's.
type OwnText struct {
	Root  string `json:"root"`
	Equal Equal  `json:"equal"`
	Path  string `json:"path"` // quoted
}

// OwnTextRead is what it has.
type OwnTextRead struct {
	Digest string  `json:"digest"` // of what is compared
	Body   *string `json:"body"`   // nil: too large, or no text
}

// mostShown is how long a text may be that is shown.
const mostShown = 128 << 10

// Do reads. Fields that may differ are masked, and lines that look like secrets left out.
func (t OwnText) Do() (read OwnTextRead, err error) {
	name, err := Unquote(t.Path)
	if err != nil {
		return read, err
	}
	if class := t.Equal.Class(name); class != Shared && class != Merged {
		return read, fmt.Errorf("%s is of the class %s, which is not shown", t.Path, class)
	}
	dir, err := openWay(t.Root, path.Dir(name))
	if err != nil {
		return read, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	f, err := OpenPlain(dir, path.Base(name))
	if err != nil {
		return read, err
	}
	text, err := io.ReadAll(io.LimitReader(f, mostShown+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return read, err
	}
	if len(text) > mostShown {
		return read, nil
	}
	if text, err = t.Equal.Normal(name, text); err != nil && !errors.Is(err, errNul) {
		return read, err
	}
	sum := sha256.Sum256(text)
	read.Digest = hex.EncodeToString(sum[:])
	if err == nil {
		body := Discreet(text)
		read.Body = &body
	}
	return read, nil
}

var delicate = regexp.MustCompile(`(?i)pass(word|phrase|wd)?|secret|credential|token|(private|api|access).?key|BEGIN [A-Z ]*KEY`)

// Withheld stands for a line that looks like a secret.
const Withheld = "(a line that may be secret)"

// Discreet is a text as people may read it.
func Discreet(text []byte) string {
	text = bytes.ReplaceAll(text, []byte(mask), []byte(Masked))
	var b strings.Builder
	for line := range strings.Lines(strings.ToValidUTF8(string(text), "?")) {
		if delicate.MatchString(line) {
			line = Withheld + "\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

// openWay opens a folder below a root, part by part, and follows no link: whoever
// puts one in the way leads nowhere.
func openWay(root, dir string) (*os.Root, error) {
	at, err := os.OpenRoot(root)
	if err != nil || dir == "." {
		return at, err
	}
	for part := range strings.SplitSeq(dir, "/") {
		next, err := openPart(at, part)
		if err = errors.Join(err, at.Close()); err != nil {
			return nil, err
		}
		at = next
	}
	return at, nil
}

func openPart(at *os.Root, name string) (*os.Root, error) {
	was, err := at.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !was.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("is no folder")}
	}
	next, err := at.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	if is, err := next.Stat("."); err != nil || !os.SameFile(was, is) {
		return nil, errors.Join(err, next.Close(), &fs.PathError{Op: "open", Path: name, Err: errors.New("became something else")})
	}
	return next, nil
}
