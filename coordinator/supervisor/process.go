//go:build linux || darwin

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"unicode/utf8"
)

// A Process is a run that was started.
type Process struct {
	ID  string
	PID int // of the program; also its process group and session

	c        *Client
	born     uint64
	outlasts bool // the authority

	answer chan error // nil when started
	trap   chan error // *StuckError
	ended  chan struct{}
	exit   Exit // valid when ended is closed, as is err
	err    error
	copies copies
}

// Start runs a command, or says why it does not run: ErrNoAuthority,
// ErrDuplicate, a *StartError. When ctx ends before the answer, the run is
// killed. Start needs Run to run.
func (c *Client) Start(ctx context.Context, cmd Command) (*Process, error) {
	p := &Process{
		ID: cmd.ID, c: c, outlasts: cmd.Outlasts,
		answer: make(chan error, 1), trap: make(chan error, 1), ended: make(chan struct{}),
	}
	s, fds, err := p.prepare(cmd)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.ID, err)
	}
	if err := c.enter(p, outgoing{message{Op: opStart, ID: cmd.ID, Start: s}, fds}); err != nil {
		closeAll(fds)
		p.copies.close()
		return nil, fmt.Errorf("start %s: %w", cmd.ID, err)
	}
	select {
	case err := <-p.answer:
		if err != nil {
			return nil, err
		}
		return p, nil
	case <-p.ended: // Run has ended
		return nil, p.err
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("start %s: %w", cmd.ID, context.Cause(ctx)), p.Signal(syscall.SIGKILL))
	}
}

// prepare makes the pipes of a command and its message.
func (p *Process) prepare(cmd Command) (*start, []int, error) {
	if cmd.ID == "" || !utf8.ValidString(cmd.ID) || strings.ContainsRune(cmd.ID, 0) || len(cmd.Argv) == 0 {
		return nil, nil, errors.New("a command needs a printable ID and a program")
	}
	who, err := lookUpUser(cmd.User)
	if err != nil {
		return nil, nil, err
	}
	s := &start{Argv: toRaw(cmd.Argv), Dir: raw(cmd.Dir), Env: toRaw(cmd.Env), User: who, Limits: cmd.Limits, Outlasts: cmd.Outlasts}
	var fds []int
	add := func(fd int, err error) error {
		if err == nil {
			fds = append(fds, fd)
		}
		return err
	}
	if cmd.Output != nil {
		s.Output = true
		err = add(p.copies.open(cmd.Output))
	}
	if err == nil && cmd.Errors != nil {
		s.Errors = true
		err = add(p.copies.open(cmd.Errors))
	}
	if err == nil && cmd.Progress != nil {
		s.Progress = true
		err = add(p.copies.open(cmd.Progress))
	}
	if err == nil && cmd.Program != nil {
		s.Program = true
		err = add(duplicate(cmd.Program))
	}
	if err == nil && cmd.Input != nil {
		s.Input = true
		err = add(duplicate(cmd.Input))
	}
	if err != nil {
		closeAll(fds)
		p.copies.close()
		return nil, nil, err
	}
	return s, fds, nil
}

// enter registers a run and sends its start.
func (c *Client) enter(p *Process, o outgoing) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return c.cause
	}
	if c.procs[p.ID] != nil {
		return ErrDuplicate
	}
	c.procs[p.ID] = p
	c.queue = append(c.queue, o)
	p.copies.start(c)
	c.rouse()
	return nil
}

func (c *Client) find(id string) *Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.procs[id]
}

// answer lets Start return.
func (c *Client) answer(id string, pid int, born uint64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.procs[id]
	if p == nil {
		return
	}
	p.PID, p.born = pid, born
	if err != nil {
		delete(c.procs, id)
		p.copies.close()
	}
	p.answer <- err
}

func (c *Client) failed(m message) {
	if m.Fault != nil {
		c.answer(m.ID, 0, 0, m.Fault.err(m.ID))
	}
}

func (c *Client) stuck(m message) {
	p := c.find(m.ID)
	if p == nil {
		return
	}
	select {
	case p.trap <- &StuckError{ID: m.ID, Processes: m.Stuck}:
	default:
	}
}

// exited ends a run whose last process has gone.
func (c *Client) exited(m message) {
	c.mu.Lock()
	p := c.procs[m.ID]
	delete(c.procs, m.ID)
	c.mu.Unlock()
	if p == nil || m.Exit == nil {
		return
	}
	c.pumps.Go(func() {
		p.copies.drain(c.ended)
		p.end(*m.Exit, nil)
	})
}

func (p *Process) end(e Exit, err error) {
	p.copies.close()
	p.exit, p.err = e, err
	close(p.ended)
}

// Wait returns when no process of the run is left and its output is copied. It
// returns a *StuckError, once, when a process does not die although it was
// killed; the run is then still alive, and Wait may be called again. ErrGone
// and ErrSilent mean that the outcome is unknown.
func (p *Process) Wait(ctx context.Context) (Exit, error) {
	select {
	case <-p.ended:
		return p.exit, p.err
	default:
	}
	select {
	case <-p.ended:
		return p.exit, p.err
	case err := <-p.trap:
		return Exit{Code: -1}, err
	case <-ctx.Done():
		return Exit{Code: -1}, context.Cause(ctx)
	}
}

// Signal asks the whole tree to stop (SIGTERM) or kills it (SIGKILL). A run
// that has ended does not mind.
func (p *Process) Signal(sig syscall.Signal) error {
	if sig != syscall.SIGTERM && sig != syscall.SIGKILL {
		return fmt.Errorf("signal run %s: %v is neither SIGTERM nor SIGKILL", p.ID, sig)
	}
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	if p.c.procs[p.ID] != p {
		return nil
	}
	p.c.queue = append(p.c.queue, outgoing{m: message{Op: opSignal, ID: p.ID, Signal: sig}})
	p.c.rouse()
	return nil
}
