//go:build !linux

package atomicfile

import (
	"errors"
	"os"
)

func renameNew(from, to string) error {
	return &os.LinkError{Op: "rename", Old: from, New: to, Err: errors.ErrUnsupported}
}
