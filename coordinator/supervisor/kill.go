//go:build linux || darwin

package supervisor

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"syscall"
	"time"
)

const (
	// stuckAfter is how long SIGKILL may take before we say that it does not work.
	stuckAfter = 2 * time.Second
	// pauses between attempts to kill double from the first to the longest
	// for those who run, and to the last for those who wait for a device.
	firstPause, longPause, lastPause = 10 * time.Millisecond, 100 * time.Millisecond, time.Second
	// searchAfter is how long those wait to be asked who have left their program's group.
	searchAfter = 5 * time.Millisecond
	// rounds bounds one attempt to overtake a tree that forks faster than we look.
	rounds = 16
)

// order does what the agent wants of a run: TERM asks the whole tree to stop,
// KILL ends it.
func (s *supervisor) order(id string, sig syscall.Signal) {
	t := s.trees[id]
	if t == nil {
		return // it has ended meanwhile; the agent is about to read so
	}
	if sig == syscall.SIGKILL {
		s.end(CauseKilled, 0, t)
		return
	}
	t.blame(CauseKilled)
	s.terminate([]*tree{t})
}

// blame notes why a program is about to end; the first cause counts.
func (t *tree) blame(cause Cause) {
	if !t.dead && t.exit.Cause == CauseItself {
		t.exit.Cause = cause
	}
}

func (s *supervisor) endAll(cause Cause, grace time.Duration) {
	s.end(cause, grace, slices.Collect(maps.Values(s.trees))...)
}

// bound are the trees that end with the agent's authority.
func (s *supervisor) bound() []*tree {
	return slices.DeleteFunc(slices.Collect(maps.Values(s.trees)), func(t *tree) bool { return t.outlasts })
}

// endBound ends them.
func (s *supervisor) endBound(grace time.Duration) { s.end(CauseDeadline, grace, s.bound()...) }

// end brings trees down: politely for the length of grace, then by force.
func (s *supervisor) end(cause Cause, grace time.Duration, trees ...*tree) {
	at := BootTime() + grace
	var asked []*tree
	for _, t := range trees {
		t.blame(cause)
		switch t.phase {
		case running:
			t.phase, t.next = ending, at
			asked = append(asked, t)
		case ending:
			t.next = min(t.next, at)
		case dying:
		}
	}
	if grace <= 0 {
		s.press(trees)
	} else {
		s.terminate(asked)
	}
}

// terminate asks every process of the trees to stop, those that sleep too: at once
// the programs' groups, and soon who has left them. To find these takes long on a busy
// host, and a client whose deadline has passed asks just now whether we are awake.
func (s *supervisor) terminate(trees []*tree) {
	for _, t := range trees {
		if !t.dead { // only then its number is still its own
			s.signalGroup(t, t.pid, syscall.SIGTERM)
			s.signalGroup(t, t.pid, syscall.SIGCONT)
		}
		t.strays = true
		s.search = BootTime() + searchAfter
	}
}

// terminateStrays asks those who are not in their program's group.
func (s *supervisor) terminateStrays() {
	s.search = 0
	var trees []*tree
	for _, t := range s.trees {
		if t.strays && t.phase != dying {
			trees = append(trees, t)
		}
		t.strays = false
	}
	if len(trees) == 0 {
		return
	}
	v, err := s.survey()
	if err != nil {
		s.log.Error("descendants cannot be seen", "err", err)
	}
	for _, t := range trees {
		for _, p := range v.of[t] {
			if t.dead || p.group != t.pid {
				s.signal(t, p, syscall.SIGTERM)
				s.signal(t, p, syscall.SIGCONT)
			}
		}
	}
}

// press kills, or kills again.
func (s *supervisor) press(trees []*tree) {
	if len(trees) == 0 {
		return
	}
	now := BootTime()
	left := s.kill(trees)
	for _, t := range trees {
		if t.phase != dying {
			t.phase, t.killed, t.pause = dying, now, firstPause
		}
		if remains := left[t]; now-t.killed >= stuckAfter && !t.stuck && len(remains) > 0 {
			t.stuck = true
			s.log.Error("run cannot be killed", "run", t.id, "processes", fmt.Sprint(remains))
			s.reply(message{Op: opStuck, ID: t.id, Stuck: remains})
		}
		t.next = now + t.pause
		t.pause = min(2*t.pause, lastPause)
		for _, p := range left[t] {
			if p.State != "D" && p.Why == "" {
				t.pause = min(t.pause, longPause)
			}
		}
	}
}

// kill is one attempt on whole trees. What is in the cgroup or the program's
// group dies at one instant. What has left both is first stopped, all of it,
// and only then killed: a stopped process cannot fork and still counts
// against its user's limit, so even a fork bomb comes to an end.
func (s *supervisor) kill(trees []*tree) map[*tree][]StuckProcess {
	v, err := s.survey() // before the programs' deaths cut the ties to their children
	for _, t := range trees {
		if t.cgroup != nil {
			if err := t.cgroup.kill(); err != nil {
				s.log.Error("cgroup does not kill", "run", t.id, "err", err)
			}
		}
		if !t.dead || !canSurvey {
			s.signalGroup(t, t.pid, syscall.SIGKILL)
		}
	}
	strays := quarry{pids: make(map[ident]process), groups: make(map[int]*tree)}
	for range rounds {
		if !s.stop(trees, &v, &strays) || err != nil {
			break
		}
		v, err = s.survey()
	}
	if err != nil {
		s.log.Error("descendants cannot be seen", "err", err)
	}
	refused := make(map[ident]string)
	for _, p := range strays.pids {
		if err := p.signal(syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			refused[p.ident] = err.Error()
		}
	}
	for group, t := range strays.groups {
		s.signalGroup(t, group, syscall.SIGKILL)
	}
	left := make(map[*tree][]StuckProcess)
	for _, t := range trees {
		for _, p := range v.members(t) {
			left[t] = append(left[t], StuckProcess{PID: p.pid, State: string(p.state), Why: refused[p.ident]})
		}
		if len(left[t]) == 0 && s.populated(t) {
			left[t] = []StuckProcess{{Why: "hidden from the supervisor"}}
		}
	}
	return left
}

// A quarry is what an attempt has stopped. Nobody is waited for before it is
// over, so the groups' numbers remain theirs.
type quarry struct {
	pids   map[ident]process
	groups map[int]*tree
}

// stop stops those who are not in their program's group, and tells whether
// there was anybody who had not been stopped before.
func (s *supervisor) stop(trees []*tree, v *survey, strays *quarry) (fresh bool) {
	for _, t := range trees {
		for _, p := range v.members(t) {
			if _, done := strays.pids[p.ident]; done || !t.dead && p.group == t.pid {
				continue
			}
			strays.pids[p.ident] = p
			// Who may not stop it may not kill it either, and the killing tells.
			fresh = p.signal(syscall.SIGSTOP) == nil || fresh
		}
		for group := range v.groups[t] {
			if strays.groups[group] == nil {
				fresh = true
			}
			strays.groups[group] = t
			s.signalGroup(t, group, syscall.SIGSTOP)
		}
	}
	return fresh
}

// signalGroup signals a process group of a tree; it may have vanished.
func (s *supervisor) signalGroup(t *tree, group int, sig syscall.Signal) {
	if group <= 1 || group == syscall.Getpgrp() || group == s.agent.pid { // 0 is our own group, 1 would be everybody
		s.log.Error("process group is never signalled", "run", t.id, "group", group)
		return
	}
	if err := syscall.Kill(-group, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		s.log.Error("process group cannot be signalled", "run", t.id, "group", group, "signal", sig.String(), "err", err)
	}
}

func (s *supervisor) signal(t *tree, p process, sig syscall.Signal) {
	if err := p.signal(sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		s.log.Error("process cannot be signalled", "run", t.id, "pid", p.pid, "signal", sig.String(), "err", err)
	}
}
