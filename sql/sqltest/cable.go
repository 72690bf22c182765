package sqltest

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// cable is one connection over a line.
type cable struct {
	net.Conn
	line   *line
	closed chan struct{} // closed by Close

	mu         sync.Mutex // guards the fields below
	gone       bool       // Close was called
	torn       bool       // the line was cut
	interrupts int        // how often a stall has disturbed a read
	deadline   time.Time  // of reading
	held       []byte     // written during a stall
}

func (c *cable) Read(b []byte) (int, error) {
	for {
		before := c.disturbed()
		if s, changed := c.line.now(); s == stalled {
			if err := c.wait(changed); err != nil {
				return 0, err
			}
			continue
		}
		n, err := c.Conn.Read(b)
		if err != nil && c.isTorn() {
			return n, c.failed("read", syscall.ECONNRESET)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) && c.disturbed() != before {
			continue
		}
		return n, err
	}
}

// wait is what reading from a silent network is.
func (c *cable) wait(changed <-chan struct{}) error {
	c.mu.Lock()
	deadline := c.deadline
	c.mu.Unlock()
	var due <-chan time.Time
	if !deadline.IsZero() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-changed:
		return nil
	case <-due:
		return c.failed("read", os.ErrDeadlineExceeded)
	case <-c.closed:
		return c.failed("read", net.ErrClosed)
	}
}

func (c *cable) Write(b []byte) (int, error) {
	if s, _ := c.line.now(); s == stalled {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.held = append(c.held, b...)
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// Close during a stall is not noticed at the other end.
func (c *cable) Close() error {
	c.mu.Lock()
	again := c.gone
	c.gone = true
	c.mu.Unlock()
	if again {
		return net.ErrClosed
	}
	close(c.closed)
	if s, _ := c.line.now(); s == stalled {
		return nil
	}
	c.line.forget(c)
	return c.Conn.Close()
}

func (c *cable) SetDeadline(t time.Time) error {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	if s, _ := c.line.now(); s == stalled {
		return nil
	}
	return c.Conn.SetDeadline(t)
}

func (c *cable) disturbed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.interrupts
}

func (c *cable) isTorn() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.torn
}

// reset is the end of the cable: its line was cut. The other end sees it closed.
func (c *cable) reset() {
	c.mu.Lock()
	c.torn = true
	c.mu.Unlock()
	_ = c.Conn.Close() // its user may have been faster
}

// interrupt gets a pending read out of the network, to wait for the line.
func (c *cable) interrupt() {
	c.mu.Lock()
	c.interrupts++
	c.mu.Unlock()
	_ = c.Conn.SetReadDeadline(time.Unix(1, 0)) // fails only when closed, and then no read is pending
}

// resume delivers what was held back, and tells whether that was the end of a
// cable that its user has given up.
func (c *cable) resume() (done bool) {
	c.mu.Lock()
	held, deadline := c.held, c.deadline
	c.held = nil
	gone := c.gone
	c.mu.Unlock()
	if gone {
		_ = c.Conn.Close()
		return true
	}
	// A cable that cannot be revived fails at its next read.
	if c.Conn.SetDeadline(deadline) == nil && len(held) > 0 {
		_, _ = c.Conn.Write(held)
	}
	return false
}

func (c *cable) failed(op string, err error) error {
	return &net.OpError{Op: op, Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}
