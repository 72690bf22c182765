package appdata

import (
	"context"
	"errors"
	"os"
	"path"
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

// Do gives how many of the files are not as expected, or not yet.
func (e Expect) Do(ctx context.Context) (missing int, err error) {
	if err := e.Share.Present(); err != nil {
		return 0, err
	}
	root, err := os.OpenRoot(e.Share.Path)
	if err != nil {
		return 0, err
	}
	s := Scanner{Root: e.Share.Path, Known: func(string) *Dir { return nil }}
	for _, want := range e.Files {
		if !s.shows(ctx, root, want) {
			missing++
		}
		if ctx.Err() != nil {
			return 0, errors.Join(context.Cause(ctx), root.Close())
		}
	}
	return missing, root.Close()
}

// shows reads one file anew. Why it cannot be read is the same to who waits for it.
func (s Scanner) shows(ctx context.Context, root *os.Root, want Expected) bool {
	name, err := Unquote(want.Path)
	if err != nil || refresh(root, path.Dir(name)) != nil { // a client may remember that it was not there
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
