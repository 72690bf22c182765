package place

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// fixed tells why no other file can be renamed over this one, as far as that is seen
// without trying: neither writing beside it nor its mode tells that.
func fixed(path string) error {
	var s unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_TYPE, &s); err != nil {
		return nil // it is not there, or an old kernel tells nothing of it
	}
	switch {
	case s.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0:
		return fmt.Errorf("%s is mounted by itself, so that no other file can take its place: mount its folder", path)
	case s.Attributes&unix.STATX_ATTR_IMMUTABLE != 0:
		return fmt.Errorf("%s may not be changed by anybody: chattr -i %s", path, path)
	case s.Attributes&unix.STATX_ATTR_APPEND != 0:
		return fmt.Errorf("%s may only be added to: chattr -a %s", path, path)
	}
	return nil
}
