//go:build linux || darwin

package supervisor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coterie-ha/coterie/coordinator/supervisor/fork"
)

// fork starts a command without a stage: the child is the program from its exec on.
func (s *supervisor) fork(start *start, fds []int, group *cgroup) (*stage, error) {
	p := s.program(start, fds)
	p.Cgroup = group.descriptor()
	pid, report, err := fork.Start(p)
	if err != nil {
		return nil, err
	}
	born, _ := readProcess(pid)
	st := &stage{pid: pid, born: born.born, cgroup: group, close: report.Close}
	s.pumps.Go(func() {
		failure, err := fork.Read(report)
		if f := start.fault(failure); err == nil && f != nil {
			s.tell(stageEvent{st, message{Op: opFailed, Fault: f}, false})
		}
		s.tell(stageEvent{st, message{}, true})
	})
	return st, nil
}

func (s *supervisor) tell(e stageEvent) {
	select {
	case s.staged <- e:
	case <-s.quit:
	}
}

// program is a start as the child needs it. The descriptors come as start says.
func (s *supervisor) program(start *start, fds []int) fork.Program {
	null := int(s.null.Fd())
	in, out, errs := null, null, -1
	take := func(given bool, to *int) {
		if given {
			*to, fds = fds[0], fds[1:]
		}
	}
	progress, checked := -1, -1
	take(start.Output, &out)
	take(start.Errors, &errs)
	take(start.Progress, &progress)
	take(start.Program, &checked)
	take(start.Input, &in)
	if errs < 0 {
		errs = out // along with the output
	}
	p := fork.Program{
		Argv: fromRaw(start.Argv), Env: fromRaw(start.Env), Dir: string(start.Dir),
		Files: []int{in, out, errs}, Limits: s.limits(start.Limits), Cgroup: -1,
	}
	if progress >= 0 {
		p.Env = append(p.Env, fmt.Sprintf("%s=%d", envProgress, len(p.Files)))
		p.Files = append(p.Files, progress)
	}
	switch {
	case checked >= 0:
		p.Paths = []string{fmt.Sprintf("/proc/self/fd/%d", len(p.Files))}
		p.Files = append(p.Files, checked)
	case strings.Contains(p.Argv[0], "/"):
		p.Paths = []string{p.Argv[0]}
	default:
		p.Paths, p.Search = places(p.Argv[0], p.Env), true
	}
	if u := start.User; u != nil {
		p.User = &fork.User{UID: u.UID, GID: u.GID, Groups: u.Groups}
	}
	return p
}

// places are where a bare name may be found: in the PATH that the program will have,
// not in ours, and never relative to a directory.
func places(name string, env []string) []string {
	list := ""
	for _, v := range env {
		if path, ok := strings.CutPrefix(v, "PATH="); ok {
			list = path
		}
	}
	var out []string
	for _, dir := range filepath.SplitList(list) {
		if filepath.IsAbs(dir) {
			out = append(out, filepath.Join(dir, name))
		}
	}
	return out
}

// limits are a command's, and the limit of open files that we were started with.
func (s *supervisor) limits(l Limits) []fork.Limit {
	var out []fork.Limit
	if s.files.Max > 0 {
		out = append(out, fork.Limit{Resource: unix.RLIMIT_NOFILE, Rlimit: s.files})
	}
	for _, limit := range l.each() {
		out = append(out, fork.Limit{Resource: limit.resource, Rlimit: syscall.Rlimit{Cur: limit.value, Max: limit.value}})
	}
	return out
}

// fault is a failure as the agent is told.
func (s *start) fault(f fork.Failure) *fault {
	name := string(s.Argv[0])
	doing := map[fork.Step]string{
		fork.Bind: "bind to supervisor", fork.SetFiles: "keep descriptors", fork.SetUser: "set user",
		fork.Chdir: "chdir to " + string(s.Dir), fork.SetLimits: "set limits", fork.Find: "find " + name, fork.Exec: "exec " + name,
	}[f.Step]
	if f.Step == fork.None {
		return nil
	}
	return &fault{Kind: "start", Doing: doing, Errno: f.Errno, Text: f.Errno.Error()}
}

// firstFork proves that a child can be forked, into a cgroup where there are cgroups.
func (s *supervisor) firstFork() (wait func() error, err error) {
	st, err := s.inGroup(func(group *cgroup) (*stage, error) {
		pid, report, err := fork.Start(fork.Program{
			Paths: []string{"/"}, Argv: []string{stageName}, Dir: "/", Cgroup: group.descriptor(),
		})
		if err != nil {
			return nil, err
		}
		return &stage{pid: pid, cgroup: group, close: func() error { return awaitDirectory(report) }}, nil
	})
	if err != nil {
		return nil, err
	}
	return func() error {
		err := st.close()
		if err != nil {
			err = errors.Join(err, syscall.Kill(st.pid, syscall.SIGKILL))
		}
		for {
			if _, e := syscall.Wait4(st.pid, nil, 0, nil); e != syscall.EINTR {
				break
			}
		}
		s.removeCgroup(st.cgroup)
		return err
	}, nil
}

// awaitDirectory expects that a child has failed to execute a directory.
func awaitDirectory(report *os.File) error {
	defer report.Close()
	if err := report.SetReadDeadline(time.Now().Add(stagePatience)); err != nil {
		return err
	}
	failure, err := fork.Read(report)
	if err == nil && failure.Step != fork.Exec {
		err = fmt.Errorf("a child came to step %d: %w", failure.Step, failure.Errno)
	}
	return err
}

// learnLimits comes after the agent's start, and before that of any program.
func (s *supervisor) learnLimits() {
	if !s.forks {
		return
	}
	var err error
	if s.files, err = fork.OpenFiles(); err != nil {
		s.log.Warn("programs may open more files than usual", "err", err)
	}
}
