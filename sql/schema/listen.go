package schema

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/lib/pq"
)

// DefaultPing is how often a silent listener asks whether its line is alive.
const DefaultPing = 15 * time.Second

// reconnect is how long a listener waits before it tries again; the end of Run
// waits for it too, when it comes during such a rest.
const reconnect = time.Second

// parting is how long closing may wait for the network.
const parting = 100 * time.Millisecond

// Listener hears the notifications of one channel on a connection of its own.
type Listener struct {
	Options
	Channel string
	Ping    time.Duration // DefaultPing if 0
	Trouble func(error)   // told of each lost connection and failed attempt, may be nil

	// Told hears what a notification says, and whether it has seen to it, so that no
	// hint is needed; may be nil. It must not wait.
	Told func(text string) bool
}

// Run puts a hint into hints for each notification, and each time that one may
// have been missed, until ctx ends. A hint is dropped when hints is full, so a
// capacity of one loses nothing.
func (l Listener) Run(ctx context.Context, hints chan<- struct{}) error {
	for {
		if err := l.listen(ctx, hints); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		// The login was refused: perhaps the password file has a new one.
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(reconnect):
		}
	}
}

// listen returns nil when ctx ended or the login was refused.
func (l Listener) listen(ctx context.Context, hints chan<- struct{}) error {
	cfg, err := l.config()
	if err != nil {
		return err
	}
	if l.PasswordFile != "" {
		if cfg.Password, err = readPassword(l.PasswordFile); err != nil {
			return fmt.Errorf("listen on %s: %w", l.Channel, err)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	trouble := func(err error) {
		if l.Trouble != nil {
			l.Trouble(fmt.Errorf("listen on %s: %w", l.Channel, err))
		}
	}
	events := func(what pq.ListenerEventType, err error) {
		if err == nil || ctx.Err() != nil {
			return
		}
		if what == pq.ListenerEventConnectionAttemptFailed {
			err = connectError(cfg, err)
		}
		trouble(err)
		if errors.Is(err, ErrLogin) {
			cancel()
		}
	}
	lines, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	inner := pq.NewDialListener(l.dialer(lines), render(cfg), reconnect, reconnect, events)
	defer func() {
		for range inner.Notify { // closed when its goroutines are done
		}
	}()
	stop := context.AfterFunc(ctx, func() {
		// A listener whose line is cut before it is closed would still try to
		// reconnect, and rest; one that waits for a silent network closes only then.
		late := time.AfterFunc(parting, cut)
		defer late.Stop()
		if err := inner.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			trouble(err)
		}
		cut()
	})
	defer stop()
	defer cancel()
	return l.pump(ctx, inner, hints)
}

func (l Listener) pump(ctx context.Context, inner *pq.Listener, hints chan<- struct{}) error {
	// Blocks until there is a connection, or the listener is closed.
	if err := inner.Listen(l.Channel); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("listen on %s: %w", l.Channel, err)
	}
	hint := func() {
		select {
		case hints <- struct{}{}:
		default:
		}
	}
	hint() // what happened before is not told again
	ping := time.NewTicker(l.ping())
	defer ping.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case n := <-inner.Notify: // nil after a reconnect
			if n == nil || l.Told == nil || !l.Told(n.Extra) {
				hint()
			}
		case <-ping.C:
			// An error means that there is no connection, which inner knows.
			_ = inner.Ping()
		}
	}
}

func (l Listener) ping() time.Duration {
	if l.Ping > 0 {
		return l.Ping
	}
	return DefaultPing
}

// dialer makes connections that may be silent from ping to ping, and that end
// with ctx wherever they wait.
func (l Listener) dialer(ctx context.Context) dialer {
	d := l.Options.dialer()
	d.listens = 2*l.ping() + d.budget
	dial := d.dial
	d.dial = func(attempt context.Context, network, address string) (net.Conn, error) {
		attempt, cancel := context.WithCancel(attempt)
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		c, err := dial(attempt, network, address)
		if err != nil {
			return nil, err
		}
		return &tied{Conn: c, release: context.AfterFunc(ctx, func() { _ = c.Close() })}, nil
	}
	return d
}

// tied is a connection that a context closes.
type tied struct {
	net.Conn
	release func() bool
}

func (c *tied) Close() error {
	c.release()
	return c.Conn.Close()
}
