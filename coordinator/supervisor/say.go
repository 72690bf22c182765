//go:build linux || darwin

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Extend tells the supervisor that the agent has authority until an instant of
// BootTime. If no later one arrives before, every tree is asked to stop then,
// and killed after grace; so the caller names the end of its trust less grace.
// An instant that has passed ends all authority at once. Extend never blocks,
// and only the latest call counts.
func (c *Client) Extend(until, grace time.Duration) {
	c.mu.Lock()
	c.latest = message{Op: opExtend, Deadline: until, Grace: grace}
	c.asked = false
	c.due.Reset(max(until-BootTime(), 0))
	c.sayAuthority()
	c.mu.Unlock()
	c.rouse()
}

// sayAuthority sends the latest extension. The caller holds c.mu.
func (c *Client) sayAuthority() {
	m := c.latest
	c.extend, c.waiting = &m, true
}

// overdue is called when the deadline has passed. Runs must end now, and a
// supervisor that stands still ends none; so it is told again, which changes
// nothing, and is silent if it has not answered when its grace is over.
func (c *Client) overdue() (silent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked || !c.anyBound() {
		return c.asked && c.waiting
	}
	c.asked = true
	c.due.Reset(max(c.latest.Grace, wakeful))
	c.sayAuthority()
	c.rouse()
	return false
}

// anyBound tells whether a run must end with the authority. The caller holds c.mu.
func (c *Client) anyBound() bool {
	for _, p := range c.procs {
		if !p.outlasts {
			return true
		}
	}
	return false
}

// Session tells the supervisor whom the agent stands for and what to say when
// it is dead; a new incarnation replaces the former. It returns when the
// supervisor knows.
func (c *Client) Session(ctx context.Context, s Session) error {
	size := len(s.Node)
	for _, arg := range s.Will {
		size += len(arg)
	}
	if size > maxWill {
		return fmt.Errorf("session of %s: a last will of %d bytes: %w", s.Node, size, ErrTooLarge)
	}
	return c.tell(ctx, message{Op: opSession, Session: &session{s.Node, s.Incarnation, toRaw(s.Will)}})
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
