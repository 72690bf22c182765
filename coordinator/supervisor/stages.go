//go:build linux || darwin

package supervisor

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// stagePatience bounds the wait for the first stage, on a host however busy.
const stagePatience = 30 * time.Second

// A stage is a child that waits to become a program. One is kept waiting, so
// that a start costs a message and an exec, and not also a fork.
type stage struct {
	pid    int
	born   uint64
	line   *line
	cgroup *cgroup
	tree   *tree // once it has been given a command
	close  func() error
}

// A stageEvent is what a stage says; when its line ends it has become the program, or died.
type stageEvent struct {
	stage *stage
	m     message
	ended bool
}

// launch forks a stage.
func (s *supervisor) launch() (*stage, error) { return s.inGroup(s.forkStage) }

// inGroup forks into a cgroup of its own where there are cgroups.
func (s *supervisor) inGroup(forked func(*cgroup) (*stage, error)) (*stage, error) {
	var group *cgroup
	if s.cgroups != nil {
		var err error
		if group, err = s.cgroups.make(); err != nil {
			return nil, fmt.Errorf("make a cgroup: %w", err)
		}
	}
	st, err := forked(group)
	if err != nil && group != nil {
		err = errors.Join(err, group.close())
	}
	return st, err
}

func (s *supervisor) forkStage(group *cgroup) (*stage, error) {
	near, far, err := pair()
	if err != nil {
		return nil, err
	}
	defer syscall.Close(far)
	conn, err := asConn(near)
	if err != nil {
		return nil, err
	}
	exe, err := s.self()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	attr := childAttr(syscall.SIGKILL)
	bornInto(attr, group)
	pid, err := syscall.ForkExec(exe, []string{stageName}, &syscall.ProcAttr{
		// One thread and no collections: it lives for a few milliseconds of work.
		Env:   []string{envStage + "=1", envGuard + "=" + s.mark, "GOMAXPROCS=1", "GOGC=off"},
		Files: []uintptr{s.null.Fd(), s.null.Fd(), os.Stderr.Fd(), uintptr(far)},
		Sys:   attr,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("fork a stage: %w", err), conn.Close())
	}
	p, _ := readProcess(pid)
	st := &stage{pid: pid, born: p.born, line: overConn(conn), cgroup: group, close: conn.Close}
	s.stages[pid] = st
	s.pumps.Go(func() { s.listenStage(st) })
	return st, nil
}

// listenStage is the pump of one stage's line.
func (s *supervisor) listenStage(st *stage) {
	for {
		m, fds, err := st.line.receive()
		closeAll(fds)
		select {
		case s.staged <- stageEvent{st, m, err != nil}:
		case <-s.quit:
			return
		}
		if err != nil {
			return
		}
	}
}

// self is the path of the running program.
func (s *supervisor) self() (string, error) {
	if selfExe != "" {
		return selfExe, nil
	}
	return os.Executable()
}

// firstChild proves before anything else that children can be started, and be born
// into a cgroup. Where they cannot, the supervisor goes on without cgroups.
func (s *supervisor) firstChild() error {
	first := s.firstStage
	if s.forks {
		first = s.firstFork
	}
	wait, err := first()
	if err != nil && s.cgroups != nil {
		s.log.Info("no cgroup for runs", "err", err)
		if err := s.cgroups.close(); err != nil {
			s.log.Warn("cgroup stays", "err", err)
		}
		s.cgroups = nil
		wait, err = first()
	}
	if err != nil {
		return err
	}
	return wait()
}

// firstStage proves that main calls Stage.
func (s *supervisor) firstStage() (wait func() error, err error) {
	st, err := s.launch()
	if err != nil {
		return nil, err
	}
	return func() error { return s.awaitReady(st) }, nil
}

func (s *supervisor) awaitReady(st *stage) error {
	timeout := time.NewTimer(stagePatience)
	defer timeout.Stop()
	select {
	case e := <-s.staged:
		if e.ended || e.m.Op != opReady {
			return ErrNoStage
		}
	case <-timeout.C:
		return errors.Join(ErrNoStage, syscall.Kill(st.pid, syscall.SIGKILL))
	}
	s.spare = st
	return nil
}

// hangUp closes the line to a stage. One that waits ends by that.
func (s *supervisor) hangUp(st *stage) {
	if err := st.close(); err != nil {
		s.log.Warn("stage's line does not close", "err", err)
	}
}

// dismiss ends the stages that have become nothing, when the loop is over.
func (s *supervisor) dismiss() {
	for pid, st := range s.stages {
		s.hangUp(st)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			s.log.Warn("stage cannot be killed", "pid", pid, "err", err)
		}
		for {
			if _, err := syscall.Wait4(pid, nil, 0, nil); err != syscall.EINTR {
				break
			}
		}
		s.removeCgroup(st.cgroup)
	}
	for _, t := range s.trees { // those that could not be killed
		if !t.staged {
			s.hangUp(t.stage)
		}
	}
}
