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

// errLeaving: the caller of Run wants it to end.
var errLeaving = errors.New("leaving")

// A Client is the agent's side of the line. It works while Run runs.
type Client struct {
	conn  *net.UnixConn
	line  *line
	hello hello

	wake  chan struct{} // something to send
	ended chan struct{} // Run has returned, or is about to
	pumps sync.WaitGroup

	mu      sync.Mutex // guards what follows
	cause   error      // of the end
	procs   map[string]*Process
	extend  *message   // the latest, not yet sent
	waiting bool       // an extension waits for its answer
	queue   []outgoing // the rest, in its order
	told    int
	notes   map[int]chan struct{}
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
		conn: conn, line: overConn(conn), procs: make(map[string]*Process), notes: make(map[int]chan struct{}),
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
	received := make(chan struct{})
	go func() { // ends below at the latest, with the line
		defer close(received)
		c.pumpIn()
	}()
	cause := c.watch(ctx, received)
	if errors.Is(cause, errLeaving) {
		cause = c.leave(ctx, received)
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

// watch returns why the client must end: errLeaving when ctx has.
func (c *Client) watch(ctx context.Context, received <-chan struct{}) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	missed, looked := 0, BootTime()
	for missed < patience {
		select {
		case <-ctx.Done():
			return errLeaving
		case <-received:
			return ErrGone
		case <-tick.C:
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
		}
	}
	return ErrSilent
}

// leave makes sure that the supervisor lives to end what still runs. Often ctx
// has ended only because a dying supervisor's last act was to send us TERM,
// which arrives before the line ends.
func (c *Client) leave(ctx context.Context, received <-chan struct{}) error {
	limited, cancel := context.WithTimeout(context.Background(), patience*time.Second)
	defer cancel()
	left := make(chan error, 1)
	c.pumps.Go(func() { left <- c.tell(limited, message{Op: opLeave}) })
	select {
	case err := <-left:
		if err != nil {
			return errors.Join(ErrSilent, context.Cause(ctx))
		}
		return context.Cause(ctx)
	case <-received:
		return errors.Join(ErrGone, context.Cause(ctx))
	}
}

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
	// A supervisor that sleeps must not wake up to commands of the past. Its
	// death also kills the programs that it started.
	if errors.Is(cause, ErrSilent) && os.Getppid() == c.hello.PID {
		if err := syscall.Kill(c.hello.PID, syscall.SIGKILL); err != nil {
			return fmt.Errorf("kill the supervisor: %w", err)
		}
	}
	return c.killByHand()
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
			syscall.Kill(-pid, syscall.SIGKILL) // nothing tells more than that it is gone
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

// Extend tells the supervisor that the agent has authority until an instant of
// BootTime. If no later one arrives before, every tree is asked to stop then,
// and killed after grace; so the caller names the end of its trust less grace.
// An instant that has passed ends all authority at once. Extend never blocks,
// and only the latest call counts.
func (c *Client) Extend(until, grace time.Duration) {
	c.mu.Lock()
	c.extend = &message{Op: opExtend, Deadline: until, Grace: grace}
	c.waiting = true
	c.mu.Unlock()
	c.rouse()
}

// Session tells the supervisor whom the agent stands for and what to say when
// it is dead; a new incarnation replaces the former. It returns when the
// supervisor knows.
func (c *Client) Session(ctx context.Context, s Session) error {
	return c.tell(ctx, message{Op: opSession, Session: &s})
}

// Farewell tells the supervisor that the agent has ended its session itself:
// no last will is to be spoken. It returns when the supervisor knows.
func (c *Client) Farewell(ctx context.Context) error {
	return c.tell(ctx, message{Op: opFarewell})
}

// tell sends a message and waits until it is noted.
func (c *Client) tell(ctx context.Context, m message) error {
	noted := make(chan struct{})
	c.mu.Lock()
	c.told++
	m.N = c.told
	c.notes[m.N] = noted
	c.queue = append(c.queue, outgoing{m: m})
	c.mu.Unlock()
	c.rouse()
	select {
	case <-noted:
		return nil
	case <-c.ended:
		return fmt.Errorf("%s: %w", m.Op, c.why())
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", m.Op, context.Cause(ctx))
	}
}

// noted lets tell return.
func (c *Client) noted(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if note := c.notes[n]; note != nil {
		close(note)
		delete(c.notes, n)
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
	return c.waiting
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
	if m := c.extend; m != nil {
		c.extend = nil
		return outgoing{m: *m}, true
	}
	if len(c.queue) == 0 {
		return outgoing{}, false
	}
	o := c.queue[0]
	c.queue = c.queue[1:]
	return o, true
}

// pumpIn does what the supervisor says until the line ends.
func (c *Client) pumpIn() {
	for {
		m, fds, err := c.line.receive()
		closeAll(fds)
		if err != nil {
			return // however it ended, there is nobody to speak to
		}
		switch m.Op {
		case opExtended:
			c.mu.Lock()
			c.waiting = c.extend != nil
			c.mu.Unlock()
		case opNoted:
			c.noted(m.N)
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
