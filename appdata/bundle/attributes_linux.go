package bundle

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// incidental are attributes by which a file system or the policy of a host says of every file
// what its mode and its path say already.
func incidental(name string) bool {
	return name == "" || name == "security.selinux" || strings.HasPrefix(name, "system.nfs4_") || strings.HasPrefix(name, "trusted.")
}

// attributes are the names of what an open file or folder has beside its content and
// permissions: extended attributes, which access control lists are too.
func attributes(fd int) ([]string, error) {
	size, err := again(func() (int, error) { return unix.Flistxattr(fd, nil) })
	for err == nil && size > 0 {
		text := make([]byte, size)
		var n int
		n, err = again(func() (int, error) { return unix.Flistxattr(fd, text) })
		if errors.Is(err, unix.ERANGE) { // there are more since
			size, err = 2*size, nil
			continue
		}
		if err != nil {
			break
		}
		names := strings.Split(strings.TrimRight(string(text[:n]), "\x00"), "\x00")
		return slices.DeleteFunc(names, incidental), nil
	}
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENOSYS) {
		return nil, nil
	}
	return nil, err
}

func (f plainFile) attributes() ([]string, error) { return attributes(f.fd) }

func (f folder) attributes() ([]string, error) { return attributes(f.fd) }

// keepAttributes gives a file those of the one that it replaces, or stands for.
func keepAttributes(to, from *os.File) error {
	names, err := attributes(int(from.Fd()))
	if err != nil {
		return err
	}
	for _, name := range names {
		value := make([]byte, 64<<10) // no attribute is larger
		n, err := unix.Fgetxattr(int(from.Fd()), name, value)
		if errors.Is(err, unix.ENODATA) {
			continue
		}
		if err == nil {
			err = unix.Fsetxattr(int(to.Fd()), name, value[:n], 0)
		}
		if err != nil {
			return fmt.Errorf("keep the attribute %s: %w", name, err)
		}
	}
	return nil
}
