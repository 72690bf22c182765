//go:build linux || darwin

package supervisor

import (
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"
	"time"
)

// restPause is between looks at what a dead agent's own children do.
const restPause = 20 * time.Millisecond

// maxSpeech bounds what of a last will's output is logged.
const maxSpeech = 16 << 10

// settleRest ends what the dead agent had started by itself: its workers, and
// commands by which it acted. One that waits for a device (D) is left: it has
// been killed, so it will never act again, and must not keep others waiting.
func (s *supervisor) settleRest(v survey, sure bool) {
	if s.agentEnd == 0 || s.alone {
		return
	}
	s.alone = sure
	for _, p := range append(v.agents, v.nobody...) {
		if err := p.signal(syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			s.log.Error("process of the agent cannot be signalled", "pid", p.pid, "err", err)
		}
		if p.state != 'D' {
			s.alone = false
		}
	}
	s.again = BootTime() + restPause
}

// speak says the dead agent's last will, once. It stays silent where the agent
// has taken its leave, and where a run is still alive: others must wait for
// the session to expire then, and not be told that its leases are free.
func (s *supervisor) speak() {
	if len(s.session.Will) == 0 || s.farewell {
		return
	}
	if len(s.trees) > 0 {
		s.log.Error("last will is not spoken, a run is still alive", "node", s.session.Node, "incarnation", s.session.Incarnation, "runs", len(s.trees))
		return
	}
	began := BootTime()
	output, err := s.startWill()
	if err != nil {
		s.log.Error("last will cannot be spoken", "node", s.session.Node, "incarnation", s.session.Incarnation, "err", err)
		return
	}
	defer output.Close()
	said := make(chan []byte, 1)
	s.pumps.Go(func() {
		text, _ := io.ReadAll(io.LimitReader(output, maxSpeech)) // ends by the deadline below, if not before
		said <- text
	})
	s.awaitWill()
	if err := output.SetReadDeadline(time.Now().Add(deafAfter)); err != nil {
		output.Close()
	}
	text := <-said
	s.log.Info("last will", "node", s.session.Node, "incarnation", s.session.Incarnation, "exit", exitCode(s.spoken),
		"after", began-s.agentEnd, "took", BootTime()-began, "output", string(bytes.TrimSpace(text)))
}

func (s *supervisor) startWill() (output *os.File, err error) {
	will := s.session.Will
	path, err := s.pathOf(will[0])
	if err != nil {
		return nil, err
	}
	output, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	s.speaker, err = syscall.ForkExec(path, will, &syscall.ProcAttr{
		Env:   s.Env,
		Files: []uintptr{s.null.Fd(), w.Fd(), w.Fd()},
		Sys:   childAttr(syscall.SIGKILL),
	})
	if err != nil {
		s.speaker = 0
		return nil, errors.Join(err, output.Close())
	}
	return output, nil
}

// awaitWill waits until the will has ended, and ends it when it takes too long.
func (s *supervisor) awaitWill() {
	timeout := time.NewTimer(s.WillTimeout)
	defer timeout.Stop()
	for s.speaker != 0 {
		select {
		case <-s.children:
			s.reap()
		case <-timeout.C:
			s.log.Error("last will takes too long", "node", s.session.Node, "incarnation", s.session.Incarnation, "limit", s.WillTimeout)
			if err := syscall.Kill(-s.speaker, syscall.SIGKILL); err != nil {
				s.log.Error("last will cannot be killed", "err", err)
				return
			}
		}
	}
}
