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
// does not name it. Any other answer proves nothing.
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
	names, err := h.names()
	if err != nil {
		return nil
	}
	for _, p := range paths {
		if slices.Contains(names, path.Base(p)) {
			continue
		}
		if _, err := h.stat(path.Base(p), false); errors.Is(err, fs.ErrNotExist) {
			gone = append(gone, p)
		}
	}
	return gone
}
