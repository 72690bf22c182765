//go:build linux || darwin

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/coterie-ha/coterie/coordinator/supervisor/fork"
)

// deafAfter bounds how long the supervisor waits for what a dead agent had
// still written; it is in the socket already.
const deafAfter = 20 * time.Millisecond

type supervisor struct {
	Options
	log  *slog.Logger
	pid  int
	mark string
	null *os.File

	agent    child
	agentEnd time.Duration // when the agent was seen dead; 0 while it lives
	status   syscall.WaitStatus
	line     *line
	conn     *net.UnixConn
	heard    chan incoming
	replies  chan message
	left     bool // the agent has said that its side of the line will end
	silent   bool // it has

	deadline time.Duration // the agent's authority; 0 is none
	grace    time.Duration
	session  Session
	farewell bool

	speaker int // pid of the last will while it runs
	spoken  syscall.WaitStatus
	alone   bool          // nothing that the dead agent started itself is left
	again   time.Duration // when to look again for what is left; 0 is when somebody dies
	search  time.Duration // when to ask those to stop who have left their program's group

	trees   map[string]*tree
	leaders map[int]*tree // by pid, until reaped
	stages  map[int]*stage
	spare   *stage
	staged  chan stageEvent
	forks   bool           // programs are forked, without stages
	files   syscall.Rlimit // of open files, as we were started
	cgroups *cgroups

	alarm    *alarm
	armed    time.Duration
	children chan os.Signal
	urged    time.Time // when we were last told to stop
	pumps    sync.WaitGroup
	quit     chan struct{} // ends the pumps
}

// A child is a process that this one has forked and not reaped.
type child struct{ pid int }

type incoming struct {
	m   message
	fds []int
	err error
}

// Run starts the agent and returns its exit code after it, all that it
// started, and its last will have ended. An agent killed by signal n gives
// 128+n. The error tells that supervision could not begin.
//
// The process must have nothing else to do: Run reaps all its children, and it
// forks on one thread that must not end before them.
func Run(ctx context.Context, o Options) (exit int, err error) {
	if os.Getenv(envStage) != "" {
		return 1, ErrNoStage // we are a stage ourselves, and would start others without end
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	log, finish := logUnhurried(o.Log)
	defer finish()
	o.Log = log
	defer debug.SetGCPercent(debug.SetGCPercent(20)) // small is more than fast here
	s, err := prepare(o)
	if err != nil {
		return 1, err
	}
	defer s.release()
	urges := make(chan os.Signal, 8)
	signal.Notify(urges, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(urges)
	broken := make(chan os.Signal, 1) // a log pipe that breaks must not end us; ignoring it would reach the jobs
	signal.Notify(broken, syscall.SIGPIPE)
	defer signal.Stop(broken)
	signal.Notify(s.children, syscall.SIGCHLD)
	defer signal.Stop(s.children)

	s.sweep()
	if err := s.firstChild(); err != nil {
		return 1, fmt.Errorf("supervise: %w", err)
	}
	if err := s.startAgent(); err != nil {
		return 1, fmt.Errorf("start the agent %s: %w", s.Agent[0], err)
	}
	s.learnLimits()
	s.loop(ctx, urges)
	s.speak()
	s.alone = false
	s.settle() // what the will left
	return exitCode(s.status), nil
}

func prepare(o Options) (*supervisor, error) {
	if len(o.Agent) == 0 {
		return nil, errors.New("supervise: no agent to run")
	}
	if o.Env == nil {
		o.Env = os.Environ()
	}
	if o.WillTimeout == 0 {
		o.WillTimeout = 5 * time.Second
	}
	if o.Impatience == 0 {
		o.Impatience = 10 * time.Second
	}
	if o.GiveUpAfter == 0 {
		o.GiveUpAfter = 15 * time.Second
	}
	mark, err := ownMark()
	if err != nil {
		return nil, err
	}
	s := &supervisor{
		Options: o, log: o.Log, pid: os.Getpid(), mark: mark,
		trees: make(map[string]*tree), leaders: make(map[int]*tree), stages: make(map[int]*stage),
		heard: make(chan incoming), replies: make(chan message, 4096),
		forks:  !o.Stages && fork.Works(),
		staged: make(chan stageEvent), children: make(chan os.Signal, 1), quit: make(chan struct{}),
	}
	// What came down from whoever started us stays here: a lock file that a job
	// held open would outlive the agent's hold.
	if err := closeOnExecFrom(3); err != nil {
		return nil, fmt.Errorf("supervise: close descriptors at exec: %w", err)
	}
	if err := adoptOrphans(); err != nil {
		return nil, fmt.Errorf("supervise: become the parent of orphans: %w", err)
	}
	if o.NoNewPrivileges {
		if err := forbidPrivileges(); err != nil {
			return nil, fmt.Errorf("supervise: forbid new privileges: %w", err)
		}
	}
	if s.null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
		return nil, err
	}
	if s.alarm, err = newAlarm(); err != nil {
		return nil, errors.Join(err, s.null.Close())
	}
	if !o.NoCgroup {
		if s.cgroups, err = openCgroups(mark); err != nil {
			s.log.Info("no cgroup for runs", "err", err)
			s.cgroups = nil
		}
	}
	return s, nil
}

// release gives back what prepare took, after the last child has gone.
func (s *supervisor) release() {
	close(s.quit)
	s.dismiss()
	if s.conn != nil {
		s.conn.Close()
	}
	s.pumps.Wait()
	s.alarm.close()
	s.null.Close()
	if s.cgroups != nil {
		if err := s.cgroups.close(); err != nil {
			s.log.Warn("cgroup stays", "err", err)
		}
	}
}

// startAgent forks the agent with its end of the line. It gets a session of
// its own, so that a terminal's Ctrl-C reaches it once, through us.
// input is the agent's stdin.
func (s *supervisor) input() *os.File {
	if s.Input != nil {
		return s.Input
	}
	return s.null
}

func (s *supervisor) startAgent() error {
	near, far, err := pair()
	if err != nil {
		return err
	}
	defer syscall.Close(far)
	if s.conn, err = asConn(near); err != nil {
		return err
	}
	s.line = overConn(s.conn)
	path, err := s.pathOf(s.Agent[0])
	if err != nil {
		return err
	}
	pid, err := syscall.ForkExec(path, s.Agent, &syscall.ProcAttr{
		Env:   append(s.Env[:len(s.Env):len(s.Env)], fmt.Sprintf("%s=%d", envFD, agentFD), envAgent+"="+s.mark),
		Files: []uintptr{s.input().Fd(), os.Stdout.Fd(), os.Stderr.Fd(), uintptr(far)},
		Sys:   childAttr(syscall.SIGTERM), // see doc.go: a killed agent could not clean up after us
	})
	if err != nil {
		return err
	}
	s.agent.pid = pid
	s.pumps.Go(s.listen)
	s.pumps.Go(s.answer)
	h := &hello{Version: version, PID: s.pid, Mark: s.mark}
	if s.cgroups != nil {
		h.Cgroup = s.cgroups.dir
	}
	s.reply(message{Op: opHello, Hello: h})
	s.log.Info("agent started", "pid", pid, "cgroup", h.Cgroup)
	return nil
}

// pathOf is the file to execute for a program named in Options or a will: the
// running one stays itself when an upgrade replaces its file.
func (s *supervisor) pathOf(name string) (string, error) {
	if own, err := os.Executable(); err == nil && own == name {
		return s.self()
	}
	return name, nil
}

// listen is the pump of what the agent says.
func (s *supervisor) listen() {
	defer s.line.drop()
	for {
		m, fds, err := s.line.receive()
		select {
		case s.heard <- incoming{m, fds, err}:
		case <-s.quit:
			closeAll(fds)
			return
		}
		if err != nil {
			return
		}
	}
}

// answer is the pump of what the agent is told. A frozen agent blocks it, and
// nothing else.
func (s *supervisor) answer() {
	out := &line{write: overConn(s.conn).write}
	for {
		select {
		case m := <-s.replies:
			if out.send(m) != nil {
				return // listen sees the same end
			}
		case <-s.quit:
			return
		}
	}
}

func (s *supervisor) reply(m message) {
	select {
	case s.replies <- m:
	default:
		// Thousands of answers unread: whoever that is, it is no agent of ours.
		s.log.Error("agent does not read", "pid", s.agent.pid)
		s.conn.Close()
	}
}

func exitCode(w syscall.WaitStatus) int {
	if w.Signaled() {
		return 128 + int(w.Signal())
	}
	return w.ExitStatus()
}
