package appdata

import (
	"context"
	"path"
	"path/filepath"
	"strings"
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
	anew := map[string]bool{} // folders: whether the client could look anew
	for _, want := range e.Files {
		if name, err := Unquote(want.Path); err != nil || !e.Share.lookAnew(anew, name) || !s.shows(ctx, name, want) {
			missing++
		}
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
	}
	return missing, nil
}

// lookAnew makes the client look anew at what is in a file's folder and those above it, once
// for all files in it: it may remember that the file was not there.
func (s Share) lookAnew(done map[string]bool, name string) bool {
	folder := path.Dir(name)
	if _, known := done[folder]; known || !filepath.IsLocal(name) {
		return done[folder]
	}
	top, err := openRoot(s.Path)
	if err != nil {
		return false
	}
	defer top.close()
	done[folder] = top.lookAnew(strings.Split(path.Clean(folder), "/")) == nil
	return done[folder]
}

func (h handle) lookAnew(below []string) error {
	if len(below) == 0 || below[0] == "." {
		return h.list("") // several of its files may be wanted
	}
	if err := h.list(below[0]); err != nil {
		return err
	}
	next, err := h.sub(below[0])
	if err != nil {
		return err
	}
	defer next.close()
	return next.lookAnew(below[1:])
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
	own, err := passFolder(s.Path, dirName)
	if err != nil {
		return false
	}
	defer own.close()
	m, err := own.marker()
	return err == nil && s.isOurs(m)
}

// passFolder opens a folder below root to go through it, never through a link.
func passFolder(root, folder string) (handle, error) {
	h, err := passRoot(root)
	if err != nil || folder == "." {
		return h, err
	}
	for part := range strings.SplitSeq(folder, "/") {
		next, err := h.pass(part)
		h.close()
		if err != nil {
			return handle{}, err
		}
		h = next
	}
	return h, nil
}

// shows reads one file. Why it cannot be read is the same to who waits for it.
func (s Scanner) shows(ctx context.Context, name string, want Expected) bool {
	if !filepath.IsLocal(name) {
		return false
	}
	h, err := passFolder(s.Root, path.Dir(name))
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
