//go:build !unix

package migrate

import (
	"io/fs"
	"os"
)

func openPlain(name string) (*os.File, error) { return os.Open(name) }

func listFolder(name string) ([]fs.DirEntry, error) {
	if info, err := os.Lstat(name); err != nil || !info.IsDir() {
		return nil, errNoFolder
	}
	return os.ReadDir(name)
}

func umask() fs.FileMode { return 0 }
