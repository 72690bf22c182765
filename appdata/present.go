package appdata

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"syscall"
)

// Present is a Check for Scanner: nil if the folder is there, and ours, and, where
// the node keeps a Word in it, says that. It is asked before and after each look, so
// each folder is opened and listed once.
func (s Share) Present() (err error) {
	for range 5 {
		if err = s.presentOnce(); !errors.Is(err, syscall.ESTALE) {
			break
		}
	}
	return err
}

func (s Share) presentOnce() error {
	top, err := openRoot(s.Path)
	if err != nil {
		return err
	}
	defer top.close()
	if err := top.list(1); err != nil {
		return fmt.Errorf("marker of %q: %w", s.Path, err)
	}
	own, err := top.anew(dirName)
	if err != nil {
		return fmt.Errorf("marker of %q: %w", s.Path, orNoMarker(err))
	}
	defer own.close()
	m, err := own.marker()
	switch {
	case err != nil:
		return fmt.Errorf("marker of %q: %w", s.Path, err)
	case !s.isOurs(m):
		return &ForeignError{Path: s.Path, Found: m}
	}
	if s.Said == 0 {
		return nil
	}
	word, err := own.word(s.Node)
	switch {
	case err != nil:
		return fmt.Errorf("challenge of %s: %w", s.Node, err)
	case word.Nonce != s.Word.Nonce || word.Round < s.Said:
		return fmt.Errorf("%q: %w", s.Path, ErrOtherShare)
	}
	return nil
}

func orNoMarker(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNoMarker
	}
	return err
}

func (h handle) marker() (Marker, error) {
	data, err := h.small(markerName, maxMarker)
	if err != nil {
		return Marker{}, orNoMarker(err)
	}
	return parseMarker(data)
}

func (h handle) word(node string) (Word, error) {
	nodes, err := h.anew(path.Base(nodesDir))
	if err != nil {
		return Word{}, err
	}
	defer nodes.close()
	text, err := nodes.small(node+wordEnd, 1024)
	if err != nil {
		return Word{}, err
	}
	return ParseWord(string(text))
}

// anew opens a folder of ours, and has the client look anew at what is in it. What a
// stranger put there is not read to its end.
func (h handle) anew(name string) (handle, error) {
	in, err := h.sub(name)
	if err != nil {
		return handle{}, err
	}
	if err := in.list(1000); err != nil {
		in.close()
		return handle{}, err
	}
	return in, nil
}

// small reads a small file, and nothing else. What kind of file it is the client says as it
// remembers it: who wants it anew lists the folder before.
func (h handle) small(name string, limit int64) ([]byte, error) {
	e, err := h.stat(name, true)
	if err != nil {
		return nil, err
	}
	if e.Kind != File {
		return nil, &damagedError{fmt.Errorf("not a regular file but a %v", e.Kind)}
	}
	f, err := h.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	if e, err = f.kind(); err == nil && e.Kind != File {
		err = &damagedError{errors.New("not a regular file any more")}
	}
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = &damagedError{fmt.Errorf("longer than %d bytes", limit)}
	}
	return data, err
}
