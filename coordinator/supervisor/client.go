//go:build linux || darwin

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"strconv"
	"sync"
	"time"
)

const (
	// patience is how many seconds in a row the supervisor may leave an
	// extension unanswered. It answers within a millisecond.
	patience = 5
	// wakeful is how soon a supervisor that is awake answers for sure.
	wakeful = 100 * time.Millisecond
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
	latest  message     // extension
	due     *time.Timer // when it ends
	asked   bool        // whether the supervisor is awake, after that
	extend  *message    // the latest, not yet sent
	waiting bool        // an extension waits for its answer
	queue   []outgoing  // the rest, in its order
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
		wake: make(chan struct{}, 1), ended: make(chan struct{}), due: time.NewTimer(math.MaxInt64),
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
		case <-c.due.C:
			if c.overdue() {
				return ErrSilent
			}
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
