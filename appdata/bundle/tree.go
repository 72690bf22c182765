package bundle

import (
	"os"
	"path"

	"github.com/coterie-ha/coterie/appdata"
)

// tree reads the files of a tree in order; the folder of the last one stays open.
type tree struct {
	root *os.Root
	name string
	dir  *os.Root
}

func openTree(root string) (*tree, error) {
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	return &tree{root: r, name: ".", dir: r}, nil
}

func (t *tree) close() {
	t.leave()
	t.root.Close()
}

func (t *tree) leave() {
	if t.dir != t.root {
		t.dir.Close()
	}
	t.name, t.dir = ".", t.root
}

// open opens a regular file.
func (t *tree) open(name string) (*os.File, error) {
	if err := t.enter(path.Dir(name)); err != nil {
		return nil, err
	}
	return appdata.OpenPlain(t.dir, path.Base(name))
}

// enter has the folder of the next file open.
func (t *tree) enter(dir string) error {
	if dir == t.name {
		return nil
	}
	t.leave()
	if dir == "." {
		return nil
	}
	opened, err := t.root.OpenRoot(dir)
	if err == nil {
		t.name, t.dir = dir, opened
	}
	return err
}
