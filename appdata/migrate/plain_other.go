//go:build !unix

package migrate

import (
	"io/fs"
	"os"
)

func openPlain(name string) (*os.File, error) { return os.Open(name) }

func umask() fs.FileMode { return 0 }
