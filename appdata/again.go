package appdata

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Gone looks once more for paths below a folder, and gives those of them that
// are really not there: each folder above answered, has been listed anew, and
// does not name it, and who asked for it was told so. Any other answer proves nothing.
func Gone(root string, paths []string) ([]string, error) {
	top, err := openRoot(root)
	if err != nil {
		return nil, err
	}
	defer top.close()
	byFolder := map[string][]string{}
	for _, p := range paths {
		byFolder[path.Dir(p)] = append(byFolder[path.Dir(p)], p)
	}
	var gone []string
	for folder, inIt := range byFolder {
		gone = append(gone, goneFrom(top, folder, inIt)...)
	}
	slices.Sort(gone)
	return gone, nil
}

func goneFrom(top handle, folder string, paths []string) (gone []string) {
	h, own := top, false
	if folder != "." {
		for part := range strings.SplitSeq(folder, "/") {
			next, err := h.sub(part)
			if own {
				h.close()
			}
			if err != nil {
				return nil
			}
			h, own = next, true
		}
	}
	if own {
		defer h.close()
	}
	absent := func(p string) bool {
		_, err := h.stat(path.Base(p), false)
		return errors.Is(err, fs.ErrNotExist)
	}
	// Asked before the folder is listed, too: GlusterFS remembers a file for a second
	// after anything, a listing also, has shown it, be it by another name. Of a file that
	// has a new name the old one would be there for ever, were it only asked for then.
	before := map[string]bool{}
	for _, p := range paths {
		before[p] = absent(p)
	}
	names, err := h.names(make([]byte, listRoom))
	if err != nil {
		return nil
	}
	for _, p := range paths {
		if !slices.Contains(names, path.Base(p)) && (before[p] || absent(p)) {
			gone = append(gone, p)
		}
	}
	return gone
}
