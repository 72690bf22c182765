//go:build linux || darwin

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	// patience is how many seconds in a row the supervisor may leave an
	// extension unanswered. It answers within a millisecond.
	patience = 5
	// ownHand bounds the client's own killing when there is no supervisor to do it.
	ownHand = 3 * time.Second
)

// A Client is the agent's side of the line. It works while Run runs.
type Client struct {
	conn  *net.UnixConn
	line  *line
	hello hello

	wake  chan struct{} // something to send
	ended chan struct{} // Run has returned, or is about to
	pumps sync.WaitGroup

	mu       sync.Mutex // guards what follows
	cause    error      // of the end
	procs    map[string]*Process
	extend   *message // the latest of its kind, not yet sent
	session  *message
	queue    []outgoing
	parting  chan struct{} // closed when the farewell is noted
	unanswer bool          // an extension waits for its answer
}

type outgoing struct {
	m   message
	fds []int // closed when sent, or when they cannot be
}

// FromEnv connects to the supervisor that started this process.
func FromEnv() (*Client, error) {
	value := os.Getenv(envFD)
	if value == "" {
		return nil, ErrNotSupervised
	}
	fd, err := strconv.Atoi(value)
	if err != nil {
		return nil, fmt.Errorf("%s=%q: %w", envFD, value, ErrNotSupervised)
	}
	if err := os.Unsetenv(envFD); err != nil { // our own children are not supervised
		return nil, err
	}
	return Dial(fd)
}

// Dial takes over the agent's end of a line, and waits for the supervisor to
// say who it is.
func Dial(fd int) (*Client, error) {
	conn, err := asConn(fd)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotSupervised, err)
	}
	c := &Client{
		conn: conn, line: overConn(conn), procs: make(map[string]*Process),
		wake: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	if err := c.greet(); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

func (c *Client) greet() error {
	if err := c.conn.SetReadDeadline(time.Now().Add(patience * time.Second)); err != nil {
		return err
	}
	m, _, err := c.line.receive()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotSupervised, err)
	}
	if m.Op != opHello || m.Hello == nil || m.Hello.Version != version {
		return fmt.Errorf("%w: the supervisor speaks another language", ErrNotSupervised)
	}
	c.hello = *m.Hello
	return c.conn.SetReadDeadline(time.Time{})
}

// HasCgroups tells whether runs live in cgroups of their own; see the package comment for what that adds.
func (c *Client) HasCgroups() bool { return c.hello.Cgroup != "" }

// Run carries messages until ctx ends or the supervisor is lost. Then whatever
// still runs is killed, by the supervisor if it lives, by the client itself if
// not: ErrGone or ErrSilent is returned after that. The agent must stop on any
// return.
func (c *Client) Run(ctx context.Context) error {
	stopSending := make(chan struct{})
	var sending sync.WaitGroup
	sending.Go(func() { c.pumpOut(stopSending) })
	received := make(chan error, 1)
	go func() { received <- c.pumpIn() }() // waited for below
	watch := time.NewTicker(time.Second)
	defer watch.Stop()
	var cause error
	for missed, looked := 0, BootTime(); cause == nil; {
		select {
		case <-ctx.Done():
			cause = context.Cause(ctx)
		case <-received:
			cause = ErrGone
			received <- nil
		case <-watch.C:
			// A late tick means that this process, or the host, stood still:
			// then the supervisor may have, too.
			now := BootTime()
			late := now-looked > 1500*time.Millisecond
			looked = now
			if c.unanswered() && !late {
				missed++
			} else {
				missed = 0
			}
			if missed >= patience {
				cause = ErrSilent
			}
		}
	}
	unkilled := c.finish(cause)
	close(stopSending)
	closed := c.conn.Close()
	<-received
	sending.Wait()
	c.line.drop()
	cause = errors.Join(cause, unkilled, closed)
	c.abandon(cause)
	c.pumps.Wait()
	return cause
}

// finish closes the client to newcomers, and takes the supervisor's place in
// killing where there is none any more.
func (c *Client) finish(cause error) error {
	c.mu.Lock()
	c.cause = cause
	close(c.ended)
	leaders := make(map[int]uint64)
	for _, p := range c.procs {
		leaders[p.PID] = p.born
	}
	c.mu.Unlock()
	if !errors.Is(cause, ErrGone) && !errors.Is(cause, ErrSilent) {
		return nil
	}
	// A supervisor that sleeps must not wake up to commands of the past. Its
	// death also kills the programs that it started.
	if errors.Is(cause, ErrSilent) && os.Getppid() == c.hello.PID {
		if err := syscall.Kill(c.hello.PID, syscall.SIGKILL); err != nil {
			return fmt.Errorf("kill the supervisor: %w", err)
		}
	}
	return c.killByHand(leaders)
}

// killByHand kills what the supervisor had started.
func (c *Client) killByHand(leaders map[int]uint64) error {
	var errs []error
	if c.hello.Cgroup != "" {
		if err := killCgroup(c.hello.Cgroup); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if !canSurvey {
		for pid := range leaders {
			syscall.Kill(-pid, syscall.SIGKILL) // nothing tells more than that it is gone
		}
	}
	left, _, err := hunt(ownHand, func(p process, env map[string]string) bool {
		if env[envGuard] == c.hello.Mark {
			return true
		}
		for _, pid := range []int{p.group, p.session} {
			if born, ours := leaders[pid]; ours && p.born >= born {
				return true
			}
		}
		return false
	})
	if left > 0 {
		errs = append(errs, fmt.Errorf("%d processes of runs cannot be killed", left))
	}
	return errors.Join(append(errs, err)...)
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

// Extend tells the supervisor that the agent has authority until an instant of
// BootTime. If no later one arrives before, every tree is asked to stop then,
// and killed after grace; so the caller names the end of its trust less grace.
// An instant that has passed ends all authority at once. Extend never blocks,
// and only the latest call counts.
func (c *Client) Extend(until, grace time.Duration) {
	c.mu.Lock()
	c.extend = &message{Op: opExtend, Deadline: until, Grace: grace}
	c.unanswer = true
	c.mu.Unlock()
	c.rouse()
}

// Session tells the supervisor whom the agent stands for and what to say when
// it is dead. A new incarnation replaces the former. It never blocks.
func (c *Client) Session(s Session) {
	c.mu.Lock()
	c.session = &message{Op: opSession, Session: &s}
	c.mu.Unlock()
	c.rouse()
}

// Farewell tells the supervisor that the agent has ended its session itself:
// no last will is to be spoken. It returns when the supervisor knows.
func (c *Client) Farewell(ctx context.Context) error {
	c.mu.Lock()
	if c.parting == nil {
		c.parting = make(chan struct{})
		c.queue = append(c.queue, outgoing{m: message{Op: opFarewell}})
	}
	noted := c.parting
	c.mu.Unlock()
	c.rouse()
	select {
	case <-noted:
		return nil
	case <-c.ended:
		return c.why()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *Client) why() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

func (c *Client) unanswered() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unanswer
}

func (c *Client) rouse() {
	select {
	case c.wake <- struct{}{}:
	default: // the pump has yet to take the former
	}
}

// pumpOut writes what there is to say. A frozen supervisor blocks it, until
// Run closes the line.
func (c *Client) pumpOut(stop <-chan struct{}) {
	for {
		select {
		case <-c.wake:
		case <-stop:
			return
		}
		for o, ok := c.next(); ok; o, ok = c.next() {
			err := c.line.send(o.m, o.fds...)
			closeAll(o.fds)
			if errors.Is(err, ErrTooLarge) {
				c.answer(o.m.ID, 0, 0, err)
			} else if err != nil {
				return // pumpIn sees the end of the line
			}
		}
	}
}

// next takes what is most urgent: authority first, since a start needs it.
func (c *Client) next() (outgoing, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, latest := range []**message{&c.extend, &c.session} {
		if m := *latest; m != nil {
			*latest = nil
			return outgoing{m: *m}, true
		}
	}
	if len(c.queue) == 0 {
		return outgoing{}, false
	}
	o := c.queue[0]
	c.queue = c.queue[1:]
	return o, true
}

// pumpIn does what the supervisor says until the line ends.
func (c *Client) pumpIn() error {
	for {
		m, fds, err := c.line.receive()
		closeAll(fds)
		if err != nil {
			return err
		}
		switch m.Op {
		case opExtended:
			c.mu.Lock()
			c.unanswer = c.extend != nil
			c.mu.Unlock()
		case opNoted:
			c.mu.Lock()
			if c.parting != nil {
				close(c.parting)
				c.parting = nil
			}
			c.mu.Unlock()
		case opStarted:
			c.answer(m.ID, m.PID, m.Born, nil)
		case opFailed:
			c.failed(m)
		case opStuck:
			c.stuck(m)
		case opExited:
			c.exited(m)
		}
	}
}
