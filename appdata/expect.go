package appdata

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
)

// Expect asks whether the share, as this node sees it, shows what another node wrote.
type Expect struct {
	Share Share      `json:"share"`
	Files []Expected `json:"files"`
}

// Expected is a file as it should be.
type Expected struct {
	Path   string `json:"path"` // quoted
	Size   int64  `json:"size"`
	Digest string `json:"digest"`
}

// Do gives how many of the files are not as expected, or not yet. Mostly all are: so they
// are read at once, and only where that will not do is the client made to look anew at
// folders, which takes the server four requests for each that a file takes.
func (e Expect) Do(ctx context.Context) (missing int, err error) {
	s := Scanner{Root: e.Share.Path, Known: func(string) *Dir { return nil }}
	if rest := e.atOnce(ctx, s); len(rest) == 0 {
		return 0, nil
	} else if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	} else {
		e.Files = rest
	}
	if err := e.Share.Present(); err != nil {
		return 0, err
	}
	root, err := os.OpenRoot(e.Share.Path)
	if err != nil {
		return 0, err
	}
	for _, want := range e.Files {
		// A client may remember that it was not there.
		if name, err := Unquote(want.Path); err != nil || refresh(root, path.Dir(name)) != nil || !s.shows(ctx, name, want) {
			missing++
		}
		if ctx.Err() != nil {
			return 0, errors.Join(context.Cause(ctx), root.Close())
		}
	}
	return missing, root.Close()
}

// atOnce gives the files that are not as expected when nobody makes the client look anew.
// What a client remembers cannot deceive it: who has the content has it. That this is the
// share, and not what lies below it where it is not mounted, its marker says; of an older
// copy of it the content does.
func (e Expect) atOnce(ctx context.Context, s Scanner) (rest []Expected) {
	if !e.Share.marked() {
		return e.Files
	}
	for _, want := range e.Files {
		if name, err := Unquote(want.Path); err != nil || !s.shows(ctx, name, want) {
			rest = append(rest, want)
		}
	}
	return rest
}

// marked says whether the marker is seen without looking anew.
func (s Share) marked() bool {
	root, err := os.OpenRoot(s.Path)
	if err != nil {
		return false
	}
	defer root.Close() // only read
	data, err := readPlain(root, dirName, markerName, maxMarker)
	if err != nil {
		return false
	}
	m, err := parseMarker(data)
	return err == nil && s.isOurs(m)
}

// shows reads one file. Why it cannot be read is the same to who waits for it.
func (s Scanner) shows(ctx context.Context, name string, want Expected) bool {
	if !filepath.IsLocal(name) {
		return false
	}
	h, err := openFolder(s.Root, path.Dir(name))
	if err != nil {
		return false
	}
	defer h.close()
	e, err := h.stat(path.Base(name), false)
	if err != nil || e.Kind != File || e.Size != want.Size {
		return false
	}
	e.Name = path.Base(name)
	r := reader{walk: newWalk(s, nil)}
	return r.digest(ctx, h, &e) == nil && e.Digest.String() == want.Digest
}
