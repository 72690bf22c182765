//go:build amd64 || arm64

package fork

import (
	"math"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Works tells that the kernel has what Start needs: a child that hangs must not hold
// open what this process has open, so it closes all at once (Linux 5.9).
func Works() bool {
	return unix.CloseRange(math.MaxInt32-1, math.MaxInt32, 0) == nil
}

// The runtime promises these names to others that fork (go.dev/issue/67401).

//go:linkname beforeFork syscall.runtime_BeforeFork
func beforeFork()

//go:linkname afterFork syscall.runtime_AfterFork
func afterFork()

//go:linkname afterForkInChild syscall.runtime_AfterForkInChild
func afterForkInChild()

// cloneArgs is struct clone_args of clone3(2), as far as CLONE_INTO_CGROUP.
type cloneArgs struct {
	flags, pidFD, childTID, parentTID, exitSignal, stack, stackSize, tls uint64

	setTID, setTIDSize, cgroup uint64
}

// A child is a Program in the kernel's terms: nothing of it is made after the fork.
type child struct {
	paths     []*byte
	search    bool
	argv, env []*byte
	dir       *byte
	files     []int
	user      *User
	groups    []uint32
	limits    []Limit
	parent    uintptr
	clone     *cloneArgs // nil without a cgroup
	report    int
	said      Failure
	scratch   [maxFiles]uintptr
}

// start forks. What the child does until its exec is in become.
//
//go:noinline
//go:norace
//go:nocheckptr
func (c *child) start() (pid uintptr, errno syscall.Errno) {
	beforeFork()
	if c.clone != nil {
		pid, _, errno = syscall.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(c.clone)), unsafe.Sizeof(*c.clone), 0)
	} else {
		pid, _, errno = syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	}
	if errno != 0 || pid != 0 {
		afterFork()
		return pid, errno
	}
	afterForkInChild()
	c.become()
	// When the parent cannot be told, nobody can; and the way back would lead into the
	// copy of a program whose other threads are missing.
	for {
		_, _, _ = syscall.RawSyscall(syscall.SYS_WRITE, uintptr(c.report), uintptr(unsafe.Pointer(&c.said)), unsafe.Sizeof(c.said))
		_, _, _ = syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 127, 0, 0)
	}
}

// become ends in an exec. When it returns, said tells what failed.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (c *child) become() {
	_, _, errno := syscall.RawSyscall(syscall.SYS_SETSID, 0, 0, 0)
	if c.said.set(Bind, errno) || c.said.set(Bind, c.bind()) || c.said.set(SetFiles, c.arrange()) {
		return
	}
	if c.said.set(SetUser, c.setUser()) || c.said.set(Bind, c.bind()) { // which a change of user undoes
		return
	}
	_, _, errno = syscall.RawSyscall(syscall.SYS_CHDIR, uintptr(unsafe.Pointer(c.dir)), 0, 0)
	if c.said.set(Chdir, errno) || c.said.set(SetLimits, c.setLimits()) {
		return
	}
	for _, path := range c.paths {
		_, _, errno = syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(path)),
			uintptr(unsafe.Pointer(&c.argv[0])), uintptr(unsafe.Pointer(&c.env[0])))
		passable := errno == syscall.ENOENT || errno == syscall.ENOTDIR || errno == syscall.EACCES
		if !c.search || !passable {
			c.said.set(Exec, errno)
			return
		}
	}
	c.said.set(Find, syscall.ENOENT)
}

// bind makes the child die with its parent.
//
//go:nosplit
//go:norace
func (c *child) bind() syscall.Errno {
	_, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0)
	if errno != 0 {
		return errno
	}
	if parent, _, _ := syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0); parent != c.parent {
		return syscall.ESRCH // it died before the line above
	}
	return 0
}

// arrange gives the program its descriptors, from 0 on, and closes all others at
// once but the report.
//
//go:nosplit
//go:norace
func (c *child) arrange() syscall.Errno {
	count := len(c.files)
	for i, fd := range c.files { // out of the way first
		up, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, uintptr(count+1))
		if errno != 0 {
			return errno
		}
		c.scratch[i] = up
	}
	if c.report != count {
		if _, _, errno := syscall.RawSyscall(syscall.SYS_DUP3, uintptr(c.report), uintptr(count), syscall.O_CLOEXEC); errno != 0 {
			return errno
		}
		c.report = count
	}
	for i := range count {
		if _, _, errno := syscall.RawSyscall(syscall.SYS_DUP3, c.scratch[i], uintptr(i), 0); errno != 0 {
			return errno
		}
	}
	_, _, errno := syscall.RawSyscall(unix.SYS_CLOSE_RANGE, uintptr(count+1), math.MaxInt32, 0)
	return errno
}

//go:nosplit
//go:norace
//go:nocheckptr
func (c *child) setUser() syscall.Errno {
	if c.user == nil {
		return 0
	}
	var first uintptr
	if len(c.groups) > 0 {
		first = uintptr(unsafe.Pointer(&c.groups[0]))
	}
	// The supplementary groups go first: afterwards there is no right to change them.
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SETGROUPS, uintptr(len(c.groups)), first, 0); errno != 0 {
		return errno
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SETGID, uintptr(c.user.GID), 0, 0); errno != 0 {
		return errno
	}
	_, _, errno := syscall.RawSyscall(syscall.SYS_SETUID, uintptr(c.user.UID), 0, 0)
	return errno
}

//go:nosplit
//go:norace
//go:nocheckptr
func (c *child) setLimits() syscall.Errno {
	for i := range c.limits {
		l := &c.limits[i]
		if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, 0, uintptr(l.Resource), uintptr(unsafe.Pointer(&l.Rlimit)), 0, 0, 0); errno != 0 {
			return errno
		}
	}
	return 0
}

// set notes the first failure, and tells whether there is one.
//
//go:nosplit
//go:norace
func (f *Failure) set(s Step, errno syscall.Errno) bool {
	if errno != 0 && f.Errno == 0 {
		f.Step, f.Errno = s, errno
	}
	return f.Errno != 0
}
