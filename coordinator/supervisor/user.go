//go:build linux || darwin

package supervisor

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
)

// lookUpUser is the client's work because it may ask a directory server; the
// supervisor waits for nobody.
func lookUpUser(name string) (*credential, error) {
	if name == "" {
		return nil, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		byID, errID := user.LookupId(name)
		if errID != nil {
			return nil, err
		}
		u = byID
	}
	if u.Uid == strconv.Itoa(os.Geteuid()) {
		return nil, nil
	}
	names, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of %s: %w", name, err)
	}
	who := &credential{}
	for _, number := range append([]string{u.Uid, u.Gid}, names...) {
		n, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("user %s: %w", name, err)
		}
		who.Groups = append(who.Groups, n)
	}
	who.UID, who.GID, who.Groups = who.Groups[0], who.Groups[1], who.Groups[2:]
	return who, nil
}

// duplicate gives the descriptor to the sender, who closes it.
func duplicate(f *os.File) (int, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd, dupErr := -1, error(nil)
	if err := raw.Control(func(from uintptr) { fd, dupErr = dupCloseOnExec(from) }); err != nil {
		return -1, err
	}
	return fd, dupErr
}
