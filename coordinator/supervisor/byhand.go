//go:build linux || darwin

package supervisor

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// finish closes the client to newcomers, and takes the supervisor's place in
// killing where there is none any more.
func (c *Client) finish(cause error) error {
	c.mu.Lock()
	c.cause = cause
	close(c.ended)
	c.mu.Unlock()
	if !errors.Is(cause, ErrGone) && !errors.Is(cause, ErrSilent) {
		return nil
	}
	var err error
	if errors.Is(cause, ErrSilent) && os.Getppid() == c.hello.PID {
		// A supervisor that sleeps must not wake up to commands of the past.
		// Its death also kills the programs that it started.
		err = os.NewSyscallError("kill the supervisor", syscall.Kill(c.hello.PID, syscall.SIGKILL))
	}
	return errors.Join(err, c.killByHand())
}

// killByHand kills what the supervisor had started.
func (c *Client) killByHand() error {
	var errs []error
	leaders := c.leaders()
	if c.hello.Cgroup != "" {
		if err := killCgroup(c.hello.Cgroup); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	for pid, born := range leaders {
		if !canSurvey {
			if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				errs = append(errs, fmt.Errorf("kill process group %d: %w", pid, err))
			}
		}
		// A number is given away again when its process, group and session are gone.
		if now, ok := readProcess(pid); ok && now.born != born {
			delete(leaders, pid)
		}
	}
	left, _, err := hunt(ownHand, func(p process, env map[string]string) bool {
		return env[envGuard] == c.hello.Mark || follows(p, leaders)
	})
	if len(left) > 0 {
		errs = append(errs, &StuckError{ID: "of a lost supervisor", Processes: left})
	}
	return errors.Join(append(errs, err)...)
}

// leaders are the programs that run, by their births. One that is still
// starting has no number: 0 is the group and session of whoever comes from
// another name space.
func (c *Client) leaders() map[int]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	leaders := make(map[int]uint64)
	for _, p := range c.procs {
		if p.PID > 1 {
			leaders[p.PID] = p.born
		}
	}
	return leaders
}

// follows tells that a process is of a leader's group or session.
func follows(p process, leaders map[int]uint64) bool {
	for _, pid := range []int{p.group, p.session} {
		if born, ours := leaders[pid]; ours && p.born >= born {
			return true
		}
	}
	return false
}

// abandon ends every wait that will not be answered.
func (c *Client) abandon(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.queue {
		closeAll(o.fds)
	}
	c.queue = nil
	for id, p := range c.procs {
		p.end(Exit{Code: -1}, fmt.Errorf("run %s: %w", id, cause))
	}
	clear(c.procs)
}
