//go:build linux || darwin

package supervisor

import (
	"slices"
	"syscall"
	"time"
)

// A tree is a run: the program and all that descends from it.
//
//	starting -> running -> ending (TERM sent) -> dying (KILL sent) -> gone
//
// From every phase a death of all its processes leads to gone.
type tree struct {
	id       string
	pid      int    // of the program, its process group and its session
	begun    uint64 // ticks since boot at which nothing of it existed
	stage    *stage
	outlasts bool // the agent's authority
	cgroup   *cgroup
	seen     map[ident]bool // in the latest survey, as are
	sessions map[int]bool

	phase   phase
	fault   *fault // why it did not start
	staged  bool   // the stage or child has become the program, or ended
	doubted bool   // its cgroup lived on while nobody was seen
	dead    bool   // the program itself has ended and been reaped
	exit    Exit
	strays  bool          // who has left its group is still to be asked to stop
	killed  time.Duration // when first killed
	next    time.Duration // when to press on; 0 when there is nothing to do
	pause   time.Duration // between attempts
	stuck   bool          // told
}

type phase int

const (
	running phase = iota
	ending
	dying
)

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
	var ended []*tree // whose program has
	for _, t := range s.trees {
		if t.dead && t.staged {
			ended = append(ended, t)
		}
	}
	if len(ended) == 0 && (s.agentEnd == 0 || s.alone) {
		return
	}
	if s.agentEnd == 0 && s.hasNoOrphans() {
		ended = slices.DeleteFunc(ended, func(t *tree) bool {
			gone := !s.populated(t)
			if gone {
				s.bury(t)
			}
			return gone
		})
		if len(ended) == 0 {
			return
		}
	}
	v, sure, err := s.look()
	if err != nil {
		s.log.Error("descendants cannot be seen", "err", err)
		s.again = BootTime() + lastPause
		return
	}
	var leaving []*tree
	for _, t := range ended {
		left := v.members(t)
		switch {
		case len(left) == 0 && !s.populated(t):
			if sure {
				s.bury(t)
			}
		case len(left) == 0 && !t.doubted: // who is dying counts as living, and who forks and ends can be missed
			t.doubted = true
			s.again = BootTime() + restPause
		case t.phase == running:
			t.exit.Leftovers = max(len(left), 1)
			leaving = append(leaving, t)
		}
	}
	if len(leaving) > 0 {
		s.end(CauseItself, s.grace, leaving...)
	}
	s.settleRest(v, sure)
}

// hasNoOrphans tells, without a look at the whole host, that nobody has come to us
// whose parent has died. Then nothing is left of a run whose program has ended:
// what descended from that would have come to us, or would descend from who did.
func (s *supervisor) hasNoOrphans() bool {
	children, ok := ownChildren()
	return ok && !slices.ContainsFunc(children, func(pid int) bool {
		return s.leaders[pid] == nil && s.stages[pid] == nil && pid != s.agent.pid && pid != s.speaker
	})
}

// look is a survey that can be believed when it finds nothing. A process that
// forks and ends between two glances at /proc can slip through a survey, and
// its child, too; but then it has died, without a parent of its own but us, and
// is found among our dead. Then there will be another look: each death rings.
func (s *supervisor) look() (v survey, sure bool, err error) {
	for range 4 {
		if v, err = s.survey(); err != nil {
			return v, false, err
		}
		if s.collect() == 0 {
			return v, true, nil
		}
	}
	return v, false, nil
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
