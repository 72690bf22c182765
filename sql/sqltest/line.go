package sqltest

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
)

// state of a line.
type state int

const (
	whole state = iota
	cut
	stalled
)

// line is the network between one pool and the database.
type line struct {
	mu      sync.Mutex // guards the fields below
	state   state
	changed chan struct{} // closed at each change of state
	cables  map[*cable]bool
}

func newLine() *line {
	return &line{changed: make(chan struct{}), cables: make(map[*cable]bool)}
}

func (l *line) now() (state, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state, l.changed
}

// set changes the state and makes those notice who wait for the network. A
// mended cable is put right before anybody may use it again.
func (l *line) set(s state) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s == whole {
		for c := range l.cables {
			if c.resume() {
				delete(l.cables, c)
			}
		}
	}
	l.state = s
	close(l.changed)
	l.changed = make(chan struct{})
	for c := range l.cables {
		switch s {
		case cut:
			c.reset()
			delete(l.cables, c)
		case stalled:
			c.interrupt()
		}
	}
}

func (l *line) dial(ctx context.Context, network, address string) (net.Conn, error) {
	for {
		s, changed := l.now()
		switch s {
		case cut:
			return nil, refused(network)
		case stalled:
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return nil, &net.OpError{Op: "dial", Net: network, Err: os.ErrDeadlineExceeded}
			}
		}
		inner, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return l.connect(inner)
	}
}

func (l *line) connect(inner net.Conn) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == cut { // meanwhile
		return nil, errors.Join(refused(inner.RemoteAddr().Network()), inner.Close())
	}
	c := &cable{Conn: inner, line: l, closed: make(chan struct{})}
	l.cables[c] = true
	return c, nil
}

func (l *line) forget(c *cable) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.cables, c)
}

func refused(network string) error {
	return &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
}
