//go:build unix

package pgserver

import (
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// account is who the server runs as.
type account struct {
	uid, gid  int
	namespace bool // no account but root exists: be somebody in a user namespace
}

func whoRuns() account {
	if os.Geteuid() != 0 {
		return account{uid: os.Geteuid(), gid: os.Getegid()}
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.Atoi(u.Uid)
		gid, errGID := strconv.Atoi(u.Gid)
		if errUID == nil && errGID == nil && uid != 0 {
			return account{uid: uid, gid: gid}
		}
	}
	return account{namespace: true}
}

// other tells whether the server runs as somebody else than we do, as the file
// system sees it.
func (a account) other() bool { return !a.namespace && a.uid != os.Geteuid() }

// attributes make a child that runs as the account, in its own process group:
// an interrupt at the terminal is ours to pass on.
func (a account) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if a.namespace {
		intoNamespace(attr)
	}
	if a.other() {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attr
}

// mayPass tells whether the account may go through a directory.
func (a account) mayPass(dir fs.FileInfo) bool {
	st, ok := dir.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return true
	case int(st.Uid) == a.uid:
		return dir.Mode().Perm()&0o100 != 0
	case int(st.Gid) == a.gid:
		return dir.Mode().Perm()&0o010 != 0
	}
	return dir.Mode().Perm()&0o001 != 0
}

func (a account) own(name string) error {
	if !a.other() {
		return nil
	}
	return os.Lchown(name, a.uid, a.gid)
}

// ownGroup keeps the reaper out of reach of the terminal's signals.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func modeSignal(how Mode) os.Signal {
	switch how {
	case Immediate:
		return syscall.SIGQUIT
	case Kill:
		return syscall.SIGKILL
	}
	return syscall.SIGINT
}

// promoteSignal makes a postmaster look for the sign that it shall promote.
const promoteSignal = syscall.SIGUSR1
