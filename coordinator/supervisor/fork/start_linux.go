//go:build amd64 || arm64

package fork

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Start forks, and returns when the child is there. What becomes of it is learned
// from the report, which ends when it has become its program, or died; see Read.
// The calling thread must not end before the child.
func Start(p Program) (pid int, report *os.File, err error) {
	c, err := prepare(p)
	if err != nil {
		return 0, nil, err
	}
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC); err != nil {
		return 0, nil, os.NewSyscallError("pipe", err)
	}
	defer syscall.Close(ends[1])
	if err := syscall.SetNonblock(ends[0], true); err != nil { // for the poller; the child's end blocks
		return 0, nil, errors.Join(os.NewSyscallError("set nonblocking", err), syscall.Close(ends[0]))
	}
	c.report = ends[1]
	child, errno := c.start()
	if errno != 0 {
		return 0, nil, errors.Join(os.NewSyscallError("fork", errno), syscall.Close(ends[0]))
	}
	return int(child), os.NewFile(uintptr(ends[0]), "report"), nil
}

// Read waits for the end of a report. None is the failure of a child that has
// become its program, or was killed before.
func Read(report io.Reader) (Failure, error) {
	var f Failure
	text, err := io.ReadAll(report)
	if err != nil || len(text) == 0 {
		return f, err
	}
	if len(text) != int(unsafe.Sizeof(f)) {
		return f, fmt.Errorf("a child's report has %d bytes", len(text))
	}
	f.Step = Step(binary.NativeEndian.Uint32(text[unsafe.Offsetof(f.Step):]))
	f.Errno = syscall.Errno(binary.NativeEndian.Uint64(text[unsafe.Offsetof(f.Errno):]))
	return f, nil
}

// prepare makes all that the child needs. What no kernel would take is said as a
// kernel would.
func prepare(p Program) (*child, error) {
	if len(p.Paths) == 0 && !p.Search || len(p.Argv) == 0 || len(p.Files) > maxFiles {
		return nil, fmt.Errorf("fork: a program needs a path, a name and at most %d files: %w", maxFiles, syscall.EINVAL)
	}
	c := &child{search: p.Search, files: p.Files, user: p.User, limits: p.Limits, parent: uintptr(os.Getpid())}
	var errs [4]error
	c.paths, errs[0] = pointers(p.Paths)
	c.argv, errs[1] = pointers(p.Argv)
	c.env, errs[2] = pointers(p.Env)
	c.dir, errs[3] = syscall.BytePtrFromString(p.Dir)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	c.paths = c.paths[:len(p.Paths)]
	if p.User != nil {
		for _, g := range p.User.Groups {
			c.groups = append(c.groups, uint32(g))
		}
	}
	if p.Cgroup >= 0 {
		c.clone = &cloneArgs{flags: unix.CLONE_INTO_CGROUP, exitSignal: uint64(syscall.SIGCHLD), cgroup: uint64(p.Cgroup)}
	}
	return c, nil
}

// pointers are strings as the kernel wants them, with a nil at the end.
func pointers(in []string) ([]*byte, error) {
	out := make([]*byte, len(in)+1)
	for i, s := range in {
		p, err := syscall.BytePtrFromString(s)
		if err != nil {
			return nil, err
		}
		out[i] = p
	}
	return out, nil
}

// OpenFiles is the limit of open files that this process was started with. Go raises
// it for itself, and lowers it again where it starts or becomes another program: also
// for an exec that fails, which is how it is learned. Programs that Start starts have
// the raised one unless they are given this; those of os/exec have from then on, too.
func OpenFiles() (original syscall.Rlimit, err error) {
	var raised syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &raised); err != nil {
		return original, err
	}
	if err := syscall.Exec("", []string{""}, nil); !errors.Is(err, syscall.ENOENT) {
		return original, fmt.Errorf("an exec of nothing: %w", err)
	}
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &original); err != nil {
		return original, err
	}
	return original, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised)
}
