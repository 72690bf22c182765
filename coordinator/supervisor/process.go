//go:build linux || darwin

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"time"
)

// drainFor bounds the wait for output after the last process of a run: only a
// descriptor that it gave to somebody else can hold the pipe open.
const drainFor = time.Second

// A Process is a run that was started.
type Process struct {
	ID  string
	PID int // of the program; also its process group and session

	c      *Client
	born   uint64
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
		ID: cmd.ID, c: c,
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
	if cmd.ID == "" || len(cmd.Argv) == 0 {
		return nil, nil, errors.New("a command needs an ID and a program")
	}
	who, err := lookUpUser(cmd.User)
	if err != nil {
		return nil, nil, err
	}
	s := &start{Argv: toRaw(cmd.Argv), Dir: raw(cmd.Dir), Env: toRaw(cmd.Env), User: who, Limits: cmd.Limits}
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
	if err == nil && cmd.Progress != nil {
		s.Progress = true
		err = add(p.copies.open(cmd.Progress))
	}
	if err == nil && cmd.Program != nil {
		s.Program = true
		err = add(duplicate(cmd.Program))
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

// lookUpUser is the client's work because it may ask a directory server; the
// supervisor waits for nobody.
func lookUpUser(name string) (*credential, error) {
	if name == "" {
		return nil, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		byID, errID := user.LookupId(name)
		if errID != nil {
			return nil, err
		}
		u = byID
	}
	if u.Uid == strconv.Itoa(os.Geteuid()) {
		return nil, nil
	}
	names, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of %s: %w", name, err)
	}
	who := &credential{}
	for _, number := range append([]string{u.Uid, u.Gid}, names...) {
		n, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("user %s: %w", name, err)
		}
		who.Groups = append(who.Groups, n)
	}
	who.UID, who.GID, who.Groups = who.Groups[0], who.Groups[1], who.Groups[2:]
	return who, nil
}

// duplicate gives the descriptor to the sender, who closes it.
func duplicate(f *os.File) (int, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd, dupErr := -1, error(nil)
	if err := raw.Control(func(from uintptr) { fd, dupErr = dupCloseOnExec(from) }); err != nil {
		return -1, err
	}
	return fd, dupErr
}

// copies carry a run's output to its writers.
type copies struct {
	list []*oneCopy
}

type oneCopy struct {
	from *os.File
	to   io.Writer
	done chan struct{}
}

// open makes a pipe and returns the end for the run, in blocking mode: most
// programs do not expect EAGAIN from their stdout.
func (cs *copies) open(to io.Writer) (int, error) {
	r, w, err := pipe()
	if err != nil {
		return -1, err
	}
	cs.list = append(cs.list, &oneCopy{from: r, to: to, done: make(chan struct{})})
	return w, nil
}

func (cs *copies) start(c *Client) {
	for _, one := range cs.list {
		c.pumps.Go(one.run)
	}
}

// run copies in bounded pieces. A writer that fails does not stop the run:
// what follows is read and thrown away, so that the program does not block.
func (o *oneCopy) run() {
	defer close(o.done)
	piece := make([]byte, 32<<10)
	for to := o.to; ; {
		n, err := o.from.Read(piece)
		if n > 0 {
			if _, bad := to.Write(piece[:n]); bad != nil {
				to = io.Discard
			}
		}
		if err != nil {
			return // the end of the pipe, or closed by us
		}
	}
}

// drain waits until all output is copied, but not for long.
func (cs *copies) drain(hurry <-chan struct{}) {
	limit := time.NewTimer(drainFor)
	defer limit.Stop()
	for _, one := range cs.list {
		select {
		case <-one.done:
		case <-hurry:
			return
		case <-limit.C:
			return
		}
	}
}

func (cs *copies) close() {
	for _, one := range cs.list {
		one.from.Close()
	}
}
