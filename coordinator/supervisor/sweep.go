//go:build linux || darwin

package supervisor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// sweepFor bounds the hunt for what an earlier supervisor left behind.
const sweepFor = 2 * time.Second

// sweep ends what runs under the mark of a supervisor that is dead. It is
// needed where a supervisor and its agent were killed together.
func (s *supervisor) sweep() {
	space, err := pidSpace()
	if err != nil {
		s.log.Warn("no sweep", "err", err)
		return
	}
	s.sweepCgroups(space)
	left, killed, err := hunt(sweepFor, func(p process, env map[string]string) bool {
		return env[envRun] != "" && isDead(env[envGuard], space)
	})
	if err != nil {
		s.log.Warn("no sweep", "err", err)
	}
	if killed > 0 {
		s.log.Warn("killed what a dead supervisor had left running", "processes", killed, "left", len(left))
	}
}

func (s *supervisor) sweepCgroups(space string) {
	own, err := ownCgroup()
	if err != nil {
		return // then none of ours can be here
	}
	dirs, err := filepath.Glob(filepath.Join(own, cgroupPrefix+"*"))
	if err != nil {
		return // the pattern is constant but for the path
	}
	for _, dir := range dirs {
		mark := strings.TrimPrefix(filepath.Base(dir), cgroupPrefix)
		if !isDead(mark, space) {
			continue
		}
		// Another supervisor that starts now sweeps too.
		if err := killCgroup(dir); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENODEV) {
			s.log.Warn("cgroup of a dead supervisor does not kill", "cgroup", dir, "err", err)
		}
		if err := removeCgroup(dir); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENODEV) {
			s.log.Info("cgroup of a dead supervisor stays until the next start", "cgroup", dir, "err", err)
		}
	}
}

// hunt kills the processes of this host that match, until none is left. It is
// the way of those who are not their parent. Like kill, it stops all that it
// finds before it kills.
func hunt(within time.Duration, match func(process, map[string]string) bool) (left []StuckProcess, killed int, err error) {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		found, err := stopAll(match)
		if err != nil || len(found) == 0 {
			return nil, killed, err
		}
		killed = max(killed, len(found))
		left = left[:0]
		for _, p := range found {
			s := StuckProcess{PID: p.pid, State: string(p.state)}
			if err := p.signal(syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				s.Why = err.Error()
			}
			left = append(left, s)
		}
		select {
		case <-time.After(pause):
		case <-deadline.C:
			return left, killed, nil
		}
	}
}

func stopAll(match func(process, map[string]string) bool) (map[ident]process, error) {
	stopped := make(map[ident]process)
	for range rounds {
		all, err := processes()
		if err != nil {
			return nil, err
		}
		fresh := false
		for _, p := range all {
			if _, done := stopped[p.ident]; done || p.pid == os.Getpid() || !match(p, environ(p.pid)) {
				continue
			}
			stopped[p.ident] = p
			// Who may not stop it may not kill it either, and the killing tells.
			fresh = p.signal(syscall.SIGSTOP) == nil || fresh
		}
		if !fresh {
			break
		}
	}
	return stopped, nil
}
