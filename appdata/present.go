package appdata

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"
	"time"
)

// Present is a Check for Scanner: nil if the folder is there, and ours, and, where
// the node keeps a Word in it, says that. It is asked before and after each look, so
// each folder is opened and listed once.
func (s Share) Present() error {
	_, err := s.present()
	return err
}

// present is Present, and gives a moment that the share's clock has passed: that of this
// node's Word. It is zero where none is kept.
func (s Share) present() (passed time.Time, err error) {
	for range 5 {
		if passed, err = s.presentOnce(); !errors.Is(err, syscall.ESTALE) {
			break
		}
	}
	return passed, err
}

func (s Share) presentOnce() (passed time.Time, err error) {
	top, err := openRoot(s.Path)
	if err != nil {
		return passed, err
	}
	defer top.close()
	if err := top.list(dirName); err != nil {
		return passed, fmt.Errorf("marker of %q: %w", s.Path, err)
	}
	own, err := top.anew(dirName, markerName)
	if err != nil {
		return passed, fmt.Errorf("marker of %q: %w", s.Path, orNoMarker(err))
	}
	defer own.close()
	m, err := own.marker()
	switch {
	case err != nil:
		return passed, fmt.Errorf("marker of %q: %w", s.Path, err)
	case !s.isOurs(m):
		return passed, &ForeignError{Path: s.Path, Found: m}
	}
	if s.Said == 0 {
		return passed, nil
	}
	word, at, err := own.word(s.Node)
	switch {
	case err != nil:
		return passed, fmt.Errorf("challenge of %s: %w", s.Node, err)
	case word.Nonce != s.Word.Nonce || word.Round < s.Said:
		return passed, fmt.Errorf("%q: %w", s.Path, ErrOtherShare)
	}
	return at, nil
}

func orNoMarker(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNoMarker
	}
	return err
}

func (h handle) marker() (Marker, error) {
	data, _, err := h.small(markerName, maxMarker)
	if err != nil {
		return Marker{}, orNoMarker(err)
	}
	return parseMarker(data)
}

// word is what a node's challenge file says, and a moment not after it was written.
func (h handle) word(node string) (Word, time.Time, error) {
	name := node + wordEnd
	nodes, err := h.anew(nodesName, name)
	if err != nil {
		return Word{}, time.Time{}, err
	}
	defer nodes.close()
	text, at, err := nodes.small(name, 1024)
	if err != nil {
		return Word{}, time.Time{}, err
	}
	word, err := ParseWord(string(text))
	return word, at, err
}

// anew opens a folder of ours, and has the client look anew at what is in it, as far as to
// what is wanted. What a stranger put there is not read to its end.
func (h handle) anew(name, want string) (handle, error) {
	in, err := h.sub(name)
	if err != nil {
		return handle{}, err
	}
	if err := in.list(want); err != nil {
		in.close()
		return handle{}, err
	}
	return in, nil
}

// small reads a small file, and nothing else. What kind of file it is, and when it was
// written, the client says as it remembers it: who wants it anew lists the folder before.
func (h handle) small(name string, limit int64) (data []byte, at time.Time, err error) {
	e, err := h.stat(name, true)
	if err != nil {
		return nil, at, err
	}
	if e.Kind != File {
		return nil, at, &damagedError{fmt.Errorf("not a regular file but a %v", e.Kind)}
	}
	f, err := h.open(name)
	if err != nil {
		return nil, at, err
	}
	defer f.Close() // only read
	open, err := f.kind()
	if err == nil && open.Kind != File {
		err = &damagedError{errors.New("not a regular file any more")}
	}
	if err != nil {
		return nil, at, err
	}
	data, err = io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = &damagedError{fmt.Errorf("longer than %d bytes", limit)}
	}
	return data, e.MTime.Time(), err
}
