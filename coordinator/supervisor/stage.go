//go:build linux || darwin

package supervisor

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stageName is argv[0] of a stage. Nobody types it by accident.
const stageName = "coterie (about to run)"

// Descriptors and variables that the processes of this package agree on.
const (
	stageFD  = 3
	agentFD  = 3
	envFD    = "COTERIE_SUPERVISOR_FD"
	envRun   = "COTERIE_RUN"   // the run's ID, for the program and its children
	envGuard = "COTERIE_GUARD" // the supervisor that a process of a run belongs to
	envAgent = "COTERIE_AGENT" // the supervisor that the agent and its own children belong to
	envStage = "COTERIE_STAGE"

	// envProgress tells a program where it may write its progress.
	envProgress = "COTERIE_PROGRESS_FD"
)

// Stage must be the first statement of main. Where the supervisor has started
// this process to become a run's program, it does not return. That is where programs
// cannot be forked; see the package's comment.
//
// The step between fork and exec is a process of its own because it touches
// what may hang: a working directory or program on a share that is gone. A
// forking Go process waits for its child's exec and lets no other fork begin
// meanwhile; the supervisor must never wait like that.
func Stage() {
	if len(os.Args) == 0 || os.Args[0] != stageName {
		return
	}
	runtime.LockOSThread() // parent-death signal and exec belong to one thread
	l := overFD(stageFD)
	syscall.CloseOnExec(stageFD)
	if err := l.send(message{Op: opReady}); err != nil {
		os.Exit(1)
	}
	m, fds, err := l.receive()
	if err != nil || m.Start == nil {
		os.Exit(1) // the supervisor has no use for this stage
	}
	doing, err := become(m.Start, fds)
	f := &fault{Kind: "start", Doing: doing, Text: err.Error()}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		f.Errno = errno
	}
	if l.send(message{Op: opFailed, Fault: f}) != nil {
		os.Exit(1)
	}
	os.Exit(127)
}

// become turns this process into the program. When it returns, doing says how
// far it came.
func become(s *start, fds []int) (doing string, err error) {
	if len(fds) != s.fds() || len(s.Argv) == 0 {
		return "exec", syscall.EINVAL
	}
	argv, env := fromRaw(s.Argv), fromRaw(s.Env)
	path := argv[0]
	if fds, err = s.setStreams(fds); err != nil {
		return "set output", err
	}
	if s.Progress {
		env = append(env, fmt.Sprintf("%s=%d", envProgress, fds[0]))
	}
	if s.Program {
		path = fmt.Sprintf("/proc/self/fd/%d", fds[len(fds)-1])
	}
	if s.User != nil {
		if err := setUser(s.User); err != nil {
			return "set user", err
		}
	}
	if err := dieWithParent(s.Parent); err != nil {
		return "bind to supervisor", err
	}
	if err := os.Chdir(string(s.Dir)); err != nil {
		return "chdir to " + string(s.Dir), err
	}
	if !s.Program {
		if path, err = lookUp(path, env); err != nil {
			return "find " + argv[0], err
		}
	}
	for _, fd := range fds { // everything else is closed by the exec
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return "keep descriptors", err
		}
	}
	if s.Limits.MemoryBytes > 0 {
		rehearse(argv, env)
	}
	if err := setLimits(s.Limits); err != nil {
		return "set limits", err
	}
	return "exec " + argv[0], syscall.Exec(path, argv, env)
}

// setStreams gives the program its stdin, stdout and stderr, and returns the
// descriptors that are for other ends.
func (s *start) setStreams(fds []int) ([]int, error) {
	errors := 1 // along with the output
	if s.Output {
		if err := unix.Dup2(fds[0], 1); err != nil {
			return nil, err
		}
		fds = fds[1:]
	}
	if s.Errors {
		errors, fds = fds[0], fds[1:]
	}
	if err := unix.Dup2(errors, 2); err != nil {
		return nil, err
	}
	if s.Input {
		last := len(fds) - 1
		if err := unix.Dup2(fds[last], 0); err != nil {
			return nil, err
		}
		fds = fds[:last]
	}
	return fds, nil
}

// lookUp finds a bare name in the PATH that the program will have, not in ours.
func lookUp(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	if err := os.Unsetenv("PATH"); err != nil {
		return "", err
	}
	for _, v := range env {
		if path, ok := strings.CutPrefix(v, "PATH="); ok {
			if err := os.Setenv("PATH", path); err != nil {
				return "", err
			}
		}
	}
	path, err := exec.LookPath(name)
	if errors.Is(err, exec.ErrNotFound) {
		return "", syscall.ENOENT
	}
	return path, err
}

func setUser(c *credential) error {
	// The supplementary groups go first: afterwards there is no right to change them.
	if err := syscall.Setgroups(c.Groups); err != nil {
		return err
	}
	if err := syscall.Setgid(c.GID); err != nil {
		return err
	}
	return syscall.Setuid(c.UID)
}

// rehearse makes room for the exec to come. This process is above any sensible
// limit of address space, so from the limit on its heap cannot grow: the
// garbage of an exec that fails is what the real one will be made of.
func rehearse(argv, env []string) {
	if err := syscall.Exec("", argv, env); err != nil {
		runtime.GC()
	}
}

func setLimits(l Limits) error {
	for _, limit := range l.each() {
		if err := unix.Setrlimit(limit.resource, &unix.Rlimit{Cur: limit.value, Max: limit.value}); err != nil {
			return err
		}
	}
	return nil
}

type limit struct {
	resource int
	value    uint64
}

// each lists the limits that are set.
func (l Limits) each() []limit {
	// Memory comes last: from then on the process that sets it may be above it.
	all := []limit{
		{unix.RLIMIT_NOFILE, l.OpenFiles},
		{unix.RLIMIT_NPROC, l.Processes},
		{unix.RLIMIT_FSIZE, l.FileBytes},
		{unix.RLIMIT_CPU, uint64((l.CPU + time.Second - 1) / time.Second)},
		{unix.RLIMIT_AS, l.MemoryBytes},
	}
	return slices.DeleteFunc(all, func(l limit) bool { return l.value == 0 })
}

// overFD is a line over a descriptor in blocking mode.
func overFD(fd int) *line {
	return &line{
		read: func(p, oob []byte) (int, int, error) {
			for {
				n, oobn, _, _, err := unix.Recvmsg(fd, p, oob, 0)
				if err != unix.EINTR {
					return max(n, 0), max(oobn, 0), err
				}
			}
		},
		write: func(p, oob []byte) (int, error) {
			for {
				n, err := unix.SendmsgN(fd, p, oob, nil, 0)
				if err != unix.EINTR {
					return max(n, 0), err
				}
			}
		},
	}
}
