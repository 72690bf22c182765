//go:build linux || darwin

package supervisor

import (
	"context"
	"os"
	"syscall"
	"time"
)

// loop is the supervisor's life, from the agent's start until the agent and
// all that it started are gone. It never waits for anything but its select.
func (s *supervisor) loop(ctx context.Context, urges <-chan os.Signal) {
	done := ctx.Done()
	for !s.over() {
		s.arm()
		select {
		case in := <-s.heard:
			s.hear(in)
		case e := <-s.staged:
			s.stageSaid(e.stage, e.m, e.ended)
		case <-s.children:
			s.reap()
		case <-s.alarm.C:
			s.armed = 0
			s.ring()
		case sig := <-urges:
			s.urge(sig)
		case <-done:
			done = nil
			s.urge(syscall.SIGTERM)
		}
	}
}

// over: the agent is dead, all it had to say is heard, and nothing of a run is left.
func (s *supervisor) over() bool {
	if s.agentEnd == 0 || !s.silent {
		return false
	}
	return len(s.trees) == 0 && s.alone || BootTime() > s.agentEnd+s.GiveUpAfter
}

// arm sets the alarm to the next instant at which something must be done.
func (s *supervisor) arm() {
	next := s.deadline
	earlier := func(at time.Duration) {
		if at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	for _, t := range s.trees {
		earlier(t.next)
	}
	if s.agentEnd != 0 {
		earlier(s.agentEnd + s.GiveUpAfter + time.Millisecond)
	}
	earlier(s.again)
	earlier(s.search)
	if next == s.armed {
		return
	}
	if err := s.alarm.set(next); err != nil {
		// Without an alarm there is no deadline, and so no authority.
		s.log.Error("no deadline can be kept", "err", err)
		s.deadline = 0
		s.endBound(0)
		return
	}
	s.armed = next
}

// ring does what is due.
func (s *supervisor) ring() {
	now := BootTime()
	if s.deadline != 0 && now >= s.deadline {
		late := now - s.deadline
		s.deadline = 0
		if bound := s.bound(); len(bound) > 0 {
			s.log.Warn("authority was not extended, its runs end", "runs", len(bound), "late", late, "grace", s.grace)
		}
		s.endBound(s.grace)
	}
	var due []*tree
	for _, t := range s.trees {
		if t.next != 0 && now >= t.next {
			due = append(due, t)
		}
	}
	s.press(due)
	if s.search != 0 && now >= s.search {
		s.terminateStrays()
	}
	if now >= s.again {
		s.again = 0
	}
	s.settle()
}

// hear does what the agent says.
func (s *supervisor) hear(in incoming) {
	if in.err != nil {
		s.deaf(in.err)
		return
	}
	if in.m.Op != opStart {
		closeAll(in.fds)
	}
	switch m := in.m; m.Op {
	case opExtend:
		s.deadline, s.grace = max(m.Deadline, 1), m.Grace
		if BootTime() >= s.deadline {
			s.ring()
		}
		s.reply(message{Op: opExtended, Deadline: m.Deadline})
	case opSession:
		if m.Session != nil {
			s.session, s.farewell = Session{m.Session.Node, m.Session.Incarnation, fromRaw(m.Session.Will)}, false
		}
		s.reply(message{Op: opNoted, N: m.N})
	case opFarewell:
		s.farewell = true
		s.reply(message{Op: opNoted, N: m.N})
	case opLeave:
		s.left, s.deadline = true, 0
		s.endAll(CauseAgent, 0)
		s.reply(message{Op: opNoted, N: m.N})
	case opStart:
		s.start(m, in.fds)
	case opSignal:
		s.order(m.ID, m.Signal)
	default:
		s.log.Error("agent says what nobody understands", "op", string(m.Op))
	}
}

// deaf: the line has ended, so no extension can come any more.
func (s *supervisor) deaf(err error) {
	s.silent, s.deadline = true, 0
	if s.agentEnd == 0 && !s.left {
		s.log.Warn("agent left its line", "pid", s.agent.pid, "err", err)
	}
	s.endAll(CauseAgent, 0)
}

// urge passes a signal on to the agent, which knows how to stop. Who says stop
// twice means it.
func (s *supervisor) urge(sig os.Signal) {
	if s.agentEnd != 0 {
		return
	}
	number, ok := sig.(syscall.Signal)
	if !ok {
		return
	}
	if number == syscall.SIGTERM || number == syscall.SIGINT {
		if !s.urged.IsZero() && time.Since(s.urged) < s.Impatience {
			s.log.Warn("told to stop again, agent killed", "pid", s.agent.pid)
			number = syscall.SIGKILL
		}
		s.urged = time.Now()
	}
	if err := syscall.Kill(s.agent.pid, number); err != nil {
		s.log.Error("agent cannot be signalled", "pid", s.agent.pid, "signal", number.String(), "err", err)
	}
}

// reap waits for all children that have died, and sees what follows from it.
func (s *supervisor) reap() {
	s.collect()
	s.settle()
}

// collect waits for all children that have died: the agent, leaders of trees,
// stages, and the orphans of whoever, which it counts.
func (s *supervisor) collect() (orphans int) {
	for {
		var status syscall.WaitStatus
		var usage syscall.Rusage
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, &usage)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			break
		}
		switch t := s.leaders[pid]; {
		case t != nil:
			s.leaderDied(t, status, &usage)
		case pid == s.agent.pid && s.agentEnd == 0:
			s.agentDied(status)
		case pid == s.speaker:
			s.speaker, s.spoken = 0, status
		case s.stages[pid] != nil: // it died unused
			s.removeCgroup(s.stages[pid].cgroup)
			delete(s.stages, pid)
		default:
			orphans++
		}
	}
	return orphans
}

func (s *supervisor) agentDied(status syscall.WaitStatus) {
	s.status, s.agentEnd, s.deadline = status, BootTime(), 0
	s.log.Info("agent ended", "pid", s.agent.pid, "exit", exitCode(status), "runs", len(s.trees))
	s.endAll(CauseAgent, 0)
	// Its last words are in the socket. The line itself may live on in a child of the agent.
	if err := s.conn.SetReadDeadline(time.Now().Add(deafAfter)); err != nil {
		s.conn.Close()
	}
}
