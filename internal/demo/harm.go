package demo

import (
	"errors"
	"slices"
	"syscall"
	"time"
)

// victim is what of a node is killed.
type victim string

const (
	victimAll        victim = "host"       // all its processes at once, as when the power goes
	victimAgent      victim = "agent"      // the agent, below its supervisor
	victimSupervisor victim = "supervisor" // the supervisor, above its agent
)

// DownError says that a node has no agent at the moment.
type DownError struct{ Node string }

func (e *DownError) Error() string { return "the agent of " + e.Node + " is down" }

// kill kills what is asked for; the node is started again after a rest. It
// returns the process that was hit first.
func (n *node) kill(what victim, rest time.Duration) (pid int, err error) {
	ours, err := n.processes()
	if err != nil {
		return 0, err
	}
	n.mu.Lock()
	up := n.agent != nil
	if up {
		n.rest = rest
	}
	n.mu.Unlock()
	var hit []process
	for _, p := range ours {
		rank := n.rank(p)
		if what == victimAll || what == victimSupervisor && rank == 0 || what == victimAgent && rank == 1 {
			hit = append(hit, p)
		}
	}
	if !up || len(hit) == 0 {
		return 0, &DownError{n.name}
	}
	var errs []error
	for _, p := range hit {
		errs = append(errs, signalTo(p.pid, syscall.SIGKILL))
	}
	return hit[0].pid, errors.Join(errs...)
}

// freeze stops all processes of a node where they are, as when its virtual machine
// is suspended.
func (n *node) freeze() error {
	n.mu.Lock()
	up := n.agent != nil
	n.frozen, n.zombie = n.frozen || up, n.zombie || up
	n.mu.Unlock()
	if !up {
		return &DownError{n.name}
	}
	stopped := map[int]bool{}
	for {
		ours, err := n.processes()
		if err != nil {
			return err
		}
		before := len(stopped)
		for _, p := range ours {
			if err := signalTo(p.pid, sigStop); err != nil {
				return err
			}
			stopped[p.pid] = true
		}
		if len(stopped) == before {
			return nil // none that was not stopped could have started another
		}
	}
}

// thaw lets a frozen node go on. What it was doing goes on first: the worst order.
func (n *node) thaw() error {
	n.mu.Lock()
	frozen := n.frozen
	n.frozen = false
	n.mu.Unlock()
	if !frozen {
		return nil
	}
	ours, err := n.processes()
	if err != nil {
		return err
	}
	slices.Reverse(ours)
	var errs []error
	for _, p := range ours {
		errs = append(errs, signalTo(p.pid, sigCont))
	}
	return errors.Join(errs...)
}
