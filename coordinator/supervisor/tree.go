//go:build linux || darwin

package supervisor

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"
)

const (
	// stuckAfter is how long SIGKILL may take before we say that it does not work.
	stuckAfter = 2 * time.Second
	// pauses between attempts to kill, doubling from the first to the last.
	firstPause, lastPause = 10 * time.Millisecond, time.Second
	// rounds bounds one attempt to overtake a tree that forks faster than we look.
	rounds = 16
)

// A tree is a run: the program and all that descends from it.
//
//	starting -> running -> ending (TERM sent) -> dying (KILL sent) -> gone
//
// From every phase a death of all its processes leads to gone.
type tree struct {
	id     string
	pid    int    // of the program, its process group and its session
	begun  uint64 // ticks since boot at which nothing of it existed
	stage  *stage
	cgroup *cgroup
	seen   map[ident]bool

	phase  phase
	fault  *fault // why it did not start
	staged bool   // the stage has become the program, or ended
	dead   bool   // the program itself has ended and been reaped
	exit   Exit
	killed time.Duration // when first killed
	next   time.Duration // when to press on; 0 when there is nothing to do
	pause  time.Duration // between attempts
	stuck  bool          // told
}

type phase int

const (
	running phase = iota
	ending
	dying
)

// start hands a command to the stage that waits.
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
	st, err := s.send(m, fds)
	if err != nil {
		s.log.Error("run cannot start", "run", m.ID, "err", err)
		refuse(fault{Kind: "start", Doing: "fork", Text: err.Error()})
		return
	}
	t := &tree{
		id: m.ID, pid: st.pid, begun: ticks(BootTime()), stage: st, cgroup: st.cgroup,
		seen: make(map[ident]bool), exit: Exit{Code: -1},
	}
	st.tree = t
	delete(s.stages, st.pid)
	s.trees[t.id], s.leaders[t.pid] = t, t
}

// send gives the command to the spare stage, or to a new one if that has died.
func (s *supervisor) send(m message, fds []int) (*stage, error) {
	start := *m.Start
	if start.Dir == "" {
		start.Dir = "/"
	}
	start.Parent = s.pid
	start.Env = s.markEnv(start.Env, m.ID)
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
	if s.spare != nil || s.agentEnd != 0 {
		return
	}
	var err error
	if s.spare, err = s.launch(); err != nil {
		s.log.Warn("no stage in reserve", "err", err) // the next start tries again
	}
}

// order does what the agent wants of a run: TERM asks the whole tree to stop,
// KILL ends it.
func (s *supervisor) order(id string, sig syscall.Signal) {
	t := s.trees[id]
	if t == nil {
		return // it has ended meanwhile; the agent is about to read so
	}
	if sig == syscall.SIGKILL {
		s.end(t, CauseKilled, 0)
		return
	}
	if !t.dead && t.exit.Cause == CauseItself {
		t.exit.Cause = CauseKilled
	}
	s.terminate(t)
}

func (s *supervisor) endAll(cause Cause, grace time.Duration) {
	for _, t := range s.trees {
		s.end(t, cause, grace)
	}
}

// end brings a tree down: politely for the length of grace, then by force.
func (s *supervisor) end(t *tree, cause Cause, grace time.Duration) {
	if !t.dead && t.exit.Cause == CauseItself {
		t.exit.Cause = cause
	}
	at := BootTime() + grace
	switch {
	case grace <= 0:
		s.press(t)
	case t.phase == running:
		t.phase, t.next = ending, at
		s.terminate(t)
	case t.phase == ending:
		t.next = min(t.next, at)
	}
}

// terminate asks every process of a tree to stop, those that sleep too.
func (s *supervisor) terminate(t *tree) {
	if !t.dead { // only then its number is still its own
		s.signalGroup(t, syscall.SIGTERM)
		s.signalGroup(t, syscall.SIGCONT)
	}
	v, err := s.survey()
	if err != nil {
		s.log.Error("descendants cannot be seen", "run", t.id, "err", err)
	}
	for _, p := range v.of[t] {
		if t.dead || p.group != t.pid {
			s.signal(t, p, syscall.SIGTERM)
			s.signal(t, p, syscall.SIGCONT)
		}
	}
}

// press kills, or kills again.
func (s *supervisor) press(t *tree) {
	now := BootTime()
	if t.phase != dying {
		t.phase, t.killed, t.pause = dying, now, firstPause
	}
	left := s.kill(t)
	if now-t.killed >= stuckAfter && !t.stuck && len(left) > 0 {
		t.stuck = true
		s.log.Error("run cannot be killed", "run", t.id, "processes", fmt.Sprint(left))
		s.reply(message{Op: opStuck, ID: t.id, Stuck: left})
	}
	t.next = now + t.pause
	t.pause = min(2*t.pause, lastPause)
}

// kill is one attempt on a whole tree. What is in the cgroup or the process
// group dies at one instant. What has left both is first stopped, all of it,
// and only then killed: a stopped process cannot fork and still counts
// against its user's limit, so even a fork bomb comes to an end.
func (s *supervisor) kill(t *tree) (left []StuckProcess) {
	v, err := s.survey() // before the program's death cuts the ties to its children
	if t.cgroup != nil {
		if err := t.cgroup.kill(); err != nil {
			s.log.Error("cgroup does not kill", "run", t.id, "err", err)
		}
	}
	if !t.dead || !canSurvey {
		s.signalGroup(t, syscall.SIGKILL)
	}
	stopped := make(map[ident]process)
	for range rounds {
		fresh := false
		for _, p := range v.members(t) {
			if _, done := stopped[p.ident]; done || !t.dead && p.group == t.pid {
				continue
			}
			stopped[p.ident] = p
			// Who may not stop it may not kill it either, and the killing tells.
			fresh = p.signal(syscall.SIGSTOP) == nil || fresh
		}
		if !fresh || err != nil {
			break
		}
		v, err = s.survey()
	}
	if err != nil {
		s.log.Error("descendants cannot be seen", "run", t.id, "err", err)
	}
	refused := make(map[ident]string)
	for _, p := range stopped {
		if err := p.signal(syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			refused[p.ident] = err.Error()
		}
	}
	for _, p := range v.members(t) {
		left = append(left, StuckProcess{PID: p.pid, State: string(p.state), Why: refused[p.ident]})
	}
	return left
}

func (s *supervisor) signalGroup(t *tree, sig syscall.Signal) {
	if t.pid <= 1 { // 0 would be our own group, 1 everybody
		panic(fmt.Sprintf("supervisor: run %s has process %d", t.id, t.pid))
	}
	if err := syscall.Kill(-t.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		s.log.Error("process group cannot be signalled", "run", t.id, "signal", sig.String(), "err", err)
	}
}

func (s *supervisor) signal(t *tree, p process, sig syscall.Signal) {
	if err := p.signal(sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		s.log.Error("process cannot be signalled", "run", t.id, "pid", p.pid, "signal", sig.String(), "err", err)
	}
}

// leaderDied notes the program's own end. The run lasts until its tree is gone.
func (s *supervisor) leaderDied(t *tree, status syscall.WaitStatus, usage *syscall.Rusage) {
	t.dead = true
	delete(s.leaders, t.pid)
	if status.Signaled() {
		t.exit.Signal = status.Signal()
	} else {
		t.exit.Code = status.ExitStatus()
	}
	t.exit.Usage = Usage{
		User:   time.Duration(usage.Utime.Nano()),
		System: time.Duration(usage.Stime.Nano()),
		MaxRSS: maxRSS(usage),
	}
}

// settle reports the trees that are gone, and ends what programs left behind.
func (s *supervisor) settle() {
	var v *survey
	for _, t := range s.trees {
		if !t.dead || !t.staged {
			continue
		}
		if v == nil {
			now, err := s.survey()
			if err != nil {
				s.log.Error("descendants cannot be seen", "run", t.id, "err", err)
				t.next = BootTime() + lastPause
				return
			}
			v = &now
		}
		left := v.members(t)
		if len(left) == 0 && !s.populated(t) {
			s.bury(t)
		} else if t.phase == running {
			t.exit.Leftovers = len(left)
			s.end(t, CauseItself, s.grace)
		}
	}
	s.settleRest(v)
}

func (s *supervisor) populated(t *tree) bool {
	if t.cgroup == nil {
		return groupLives(t.pid)
	}
	some, err := t.cgroup.populated()
	if err != nil {
		s.log.Error("cgroup cannot be read", "run", t.id, "err", err)
	}
	return some
}

// bury tells the agent that nothing of the run is left.
func (s *supervisor) bury(t *tree) {
	delete(s.trees, t.id)
	s.removeCgroup(t.cgroup)
	if t.fault != nil {
		s.reply(message{Op: opFailed, ID: t.id, Fault: t.fault})
		return
	}
	exit := t.exit
	s.reply(message{Op: opExited, ID: t.id, Exit: &exit})
}

func (s *supervisor) removeCgroup(c *cgroup) {
	if c == nil {
		return
	}
	if err := c.close(); err != nil {
		s.log.Warn("cgroup stays", "err", err)
	}
}
