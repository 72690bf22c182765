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
		name, bad := Unquote(want.Path)
		if bad == nil {
			bad = refresh(root, path.Dir(name)) // a client may remember that it was not there
		}
		if bad == nil {
			var ok bool
			if ok, bad = s.shows(ctx, name, want); ok {
				continue
			}
		}
		if ctx.Err() != nil {
			return 0, errors.Join(context.Cause(ctx), root.Close())
		}
		missing++
	}
	return missing, root.Close()
}

// shows reads one file anew.
func (s Scanner) shows(ctx context.Context, name string, want Expected) (bool, error) {
	h, err := openFolder(s.Root, path.Dir(name))
	if err != nil {
		return false, err
	}
	defer h.close()
	e, err := h.stat(path.Base(name), false)
	e.Name = path.Base(name)
	if err != nil || e.Kind != File || e.Size != want.Size {
		return false, err
	}
	r := reader{walk: newWalk(s, nil)}
	if err := r.digest(ctx, h, &e); err != nil {
		return false, err
	}
	return e.Digest.String() == want.Digest, nil
}
