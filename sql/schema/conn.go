package schema

import (
	"context"
	"net"
	"sync"
	"time"
)

// dialer makes connections that cannot wait for ever.
type dialer struct {
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	budget  time.Duration
	listens time.Duration // for a listener: how long silence is no sign of trouble; 0 for a pool's connections
}

func (o Options) dialer() dialer {
	d := dialer{dial: o.Dial, budget: o.budget()}
	if d.dial == nil {
		nd := net.Dialer{
			KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3},
			Control:         userTimeout(o.budget()),
		}
		d.dial = nd.DialContext
	}
	return d
}

// Dial and DialTimeout are what lib/pq's interface asks for; it calls
// DialContext where there is one.
func (d dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

func (d dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

func (d dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := d.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	limit, _ := ctx.Deadline()
	if d.listens > 0 {
		return &listening{bounded: bounded{Conn: c, budget: d.budget, limit: limit}, quiet: d.listens}, nil
	}
	return &bounded{Conn: c, budget: d.budget, limit: limit}, nil
}

// bounded is a connection whose every write starts the time within which it
// and the reads that follow must be done.
type bounded struct {
	net.Conn
	budget time.Duration

	mu    sync.Mutex // guards limit
	limit time.Time  // no deadline may be later; zero once the connection is made
}

func (c *bounded) Write(b []byte) (int, error) {
	if err := c.Conn.SetDeadline(c.deadline()); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

func (c *bounded) deadline() time.Time {
	at := time.Now().Add(c.budget)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.limit.IsZero() && c.limit.Before(at) {
		return c.limit
	}
	return at
}

// SetDeadline is how lib/pq limits the making of a connection, and lifts the
// limit when it is made.
func (c *bounded) SetDeadline(t time.Time) error {
	c.mu.Lock()
	if t.IsZero() || c.limit.IsZero() || t.Before(c.limit) {
		c.limit = t
	}
	t = c.limit
	c.mu.Unlock()
	return c.Conn.SetDeadline(t)
}

// listening is a listener's connection: it may hear nothing as long as nobody
// asked anything, but what it asks (a ping) must be answered in time.
type listening struct {
	bounded
	quiet time.Duration
}

func (c *listening) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	made := c.limit.IsZero()
	c.mu.Unlock()
	if err == nil && made {
		err = c.Conn.SetReadDeadline(time.Now().Add(c.quiet))
	}
	return n, err
}
