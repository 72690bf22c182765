//go:build linux || darwin

package supervisor

import (
	"errors"
	"strings"
	"syscall"
)

// start begins a run.
func (s *supervisor) start(m message, fds []int) {
	defer closeAll(fds)
	refuse := func(f fault) { s.reply(message{Op: opFailed, ID: m.ID, Fault: &f}) }
	switch {
	case m.Start == nil || m.Start.fds() != len(fds) || len(m.Start.Argv) == 0 || m.ID == "":
		refuse(fault{Kind: "start", Doing: "read", Errno: syscall.EINVAL})
		return
	case s.trees[m.ID] != nil:
		refuse(fault{Kind: "duplicate"})
		return
	case s.deadline == 0 || BootTime() >= s.deadline || s.agentEnd != 0:
		refuse(fault{Kind: "authority"})
		return
	}
	begun := ticks(BootTime()) // before the program can have children
	st, err := s.send(m, fds)
	if err != nil {
		s.log.Error("run cannot start", "run", m.ID, "err", err)
		f := fault{Kind: "start", Doing: "fork", Text: err.Error()}
		if errors.Is(err, syscall.EINVAL) {
			f = fault{Kind: "start", Doing: "exec " + string(m.Start.Argv[0]), Errno: syscall.EINVAL}
		}
		refuse(f)
		return
	}
	t := &tree{
		id: m.ID, pid: st.pid, begun: begun, stage: st, cgroup: st.cgroup,
		outlasts: m.Start.Outlasts,
		seen:     make(map[ident]bool), exit: Exit{Code: -1},
	}
	st.tree = t
	delete(s.stages, st.pid)
	s.trees[t.id], s.leaders[t.pid] = t, t
}

// send forks the program, or gives the command to the spare stage, or to a new one
// if that has died.
func (s *supervisor) send(m message, fds []int) (*stage, error) {
	start := *m.Start
	if start.Dir == "" {
		start.Dir = "/"
	}
	start.Parent = s.pid
	start.Env = s.markEnv(start.Env, m.ID)
	if s.forks {
		return s.inGroup(func(group *cgroup) (*stage, error) { return s.fork(&start, fds, group) })
	}
	if st := s.spare; st != nil {
		s.spare = nil
		if st.line.send(message{Op: opStart, Start: &start}, fds...) == nil {
			return st, nil
		}
		s.hangUp(st)
	}
	st, err := s.launch()
	if err != nil {
		return nil, err
	}
	if err := st.line.send(message{Op: opStart, Start: &start}, fds...); err != nil {
		s.hangUp(st)
		return nil, err
	}
	return st, nil
}

// markEnv adds the marks, and takes out others: getenv finds the first.
func (s *supervisor) markEnv(env []raw, id string) []raw {
	out := make([]raw, 0, len(env)+2)
	for _, v := range env {
		switch name, _, _ := strings.Cut(string(v), "="); name {
		case envRun, envGuard, envAgent, envStage, envFD, envProgress:
		default:
			out = append(out, v)
		}
	}
	return append(out, raw(envRun+"="+id), raw(envGuard+"="+s.mark))
}

// stageSaid learns whether a stage has become its program.
func (s *supervisor) stageSaid(st *stage, m message, ended bool) {
	t := st.tree
	switch {
	case !ended && t != nil && m.Op == opFailed:
		t.fault = m.Fault
	case !ended: // ready
	case t == nil: // it died unused
		if s.spare == st {
			s.spare = nil
		}
		s.hangUp(st)
	default:
		s.hangUp(st)
		t.staged = true
		if t.fault == nil {
			s.reply(message{Op: opStarted, ID: t.id, PID: t.pid, Born: st.born})
		}
		s.settle()
		s.prepareSpare()
	}
}

// prepareSpare forks the next stage while nobody waits for it.
func (s *supervisor) prepareSpare() {
	if s.forks || s.spare != nil || s.agentEnd != 0 {
		return
	}
	var err error
	if s.spare, err = s.launch(); err != nil {
		s.log.Warn("no stage in reserve", "err", err) // the next start tries again
	}
}
