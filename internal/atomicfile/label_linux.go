package atomicfile

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// label is where SELinux keeps what a file is. A new file has that of its folder,
// and a server may then not read what it could read before.
const label = "security.selinux"

// keepLabel gives the new file the label of the old one, where there are labels.
func keepLabel(tmp *os.File, old string) error { return keepAttribute(tmp, old, label) }

func keepAttribute(tmp *os.File, old, name string) error {
	value := make([]byte, 1024)
	n, err := unix.Getxattr(old, name, value)
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	if err == nil {
		err = unix.Fsetxattr(int(tmp.Fd()), name, value[:n], 0)
	}
	if err != nil {
		return fmt.Errorf("keep the label %s: %w", name, err)
	}
	return nil
}
