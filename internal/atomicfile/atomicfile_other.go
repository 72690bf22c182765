//go:build !unix

package atomicfile

import (
	"io/fs"
	"os"
)

// keepOwner does nothing: the new file inherits its rights from the folder.
func keepOwner(*os.File, fs.FileInfo) error { return nil }

func rename(from, to string) error { return os.Rename(from, to) }

// syncDir does nothing: folders cannot be opened for that here.
func syncDir(string) error { return nil }
