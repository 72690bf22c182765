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
	n.mu.Lock()
	up := n.agent != nil
	if up {
		n.rest = rest
	}
	n.mu.Unlock()
	if !up {
		return 0, &DownError{n.name}
	}
	var hit []process
	if what == victimAll {
		// Where the power goes, nobody has time to notice that another has gone.
		hit, err = n.halt()
	} else {
		hit, err = n.processes()
		hit = slices.DeleteFunc(hit, func(p process) bool {
			return p.rank != map[victim]int{victimSupervisor: rankSupervisor, victimAgent: rankAgent}[what]
		})
	}
	if err != nil {
		return 0, err
	}
	if len(hit) == 0 {
		return 0, &DownError{n.name}
	}
	var errs []error
	for _, p := range hit {
		errs = append(errs, signalTo(p.pid, syscall.SIGKILL))
	}
	return hit[0].pid, errors.Join(errs...)
}

// halt stops all processes of the node, until none is left that could have
// started another.
func (n *node) halt() ([]process, error) {
	for stopped := map[int]bool{}; ; {
		ours, err := n.processes()
		if err != nil {
			return nil, err
		}
		before := len(stopped)
		for _, p := range ours {
			if err := signalTo(p.pid, sigStop); err != nil {
				return nil, err
			}
			stopped[p.pid] = true
		}
		if len(stopped) == before {
			return ours, nil
		}
	}
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
	_, err := n.halt()
	return err
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
