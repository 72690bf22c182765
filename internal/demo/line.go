package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
)

// line is the way of one node to PostgreSQL: a Unix socket of its own, whose
// bytes pass through this process. A cut line swallows nothing: what was under
// way arrives late, as on a network that comes back.
type line struct {
	server string // PostgreSQL's socket
	socket net.Listener

	mu    sync.Mutex    // guards the fields below
	gate  chan struct{} // closed while bytes may pass
	deaf  bool          // connections are refused
	conns map[net.Conn]bool
}

// cut is how a line is cut.
type cut string

const (
	cutSilent cut = "silent" // packets vanish: nobody is told
	cutRefuse cut = "refuse" // connections break and are refused
)

func openLine(ctx context.Context, path, server string) (*line, error) {
	socket, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("open a line to the database: %w", err)
	}
	l := &line{server: server, socket: socket, gate: make(chan struct{}), conns: map[net.Conn]bool{}}
	close(l.gate)
	return l, nil
}

// Run carries connections until ctx ends.
func (l *line) Run(ctx context.Context) error {
	var carried sync.WaitGroup
	defer carried.Wait()
	defer context.AfterFunc(ctx, func() { l.hangUp(); l.socket.Close() })()
	for {
		near, err := l.socket.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return context.Cause(ctx)
			}
			return fmt.Errorf("the line to the database: %w", err)
		}
		carried.Go(func() { l.carry(ctx, near) })
	}
}

// carry connects one connection through.
func (l *line) carry(ctx context.Context, near net.Conn) {
	defer near.Close()
	if !l.enter(near) || !l.pass(ctx) {
		return
	}
	defer l.leave(near)
	far, err := new(net.Dialer).DialContext(ctx, "unix", l.server)
	if err != nil {
		return // the node sees a connection that breaks
	}
	defer far.Close()
	if !l.enter(far) {
		return
	}
	defer l.leave(far)
	var ways sync.WaitGroup
	ways.Go(func() { l.pump(ctx, far, near) })
	l.pump(ctx, near, far)
	ways.Wait()
}

// pump carries one direction until it ends, and then says so.
func (l *line) pump(ctx context.Context, to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if !l.pass(ctx) {
			return
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				from.Close()
				return
			}
		}
		if err != nil {
			if half, ok := to.(*net.UnixConn); !ok || half.CloseWrite() != nil {
				to.Close()
			}
			return
		}
	}
}

// pass waits until bytes may pass.
func (l *line) pass(ctx context.Context) bool {
	l.mu.Lock()
	gate := l.gate
	l.mu.Unlock()
	select {
	case <-gate:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

func (l *line) enter(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deaf {
		return false
	}
	l.conns[c] = true
	return true
}

func (l *line) leave(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

// hangUp breaks all connections.
func (l *line) hangUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.Close()
	}
}

// Cut cuts the line until Mend.
func (l *line) Cut(how cut) {
	l.mu.Lock()
	select {
	case <-l.gate:
		l.gate = make(chan struct{})
	default: // cut already
	}
	l.deaf = how == cutRefuse
	l.mu.Unlock()
	if how == cutRefuse {
		l.hangUp()
	}
}

// Mend lets bytes pass again.
func (l *line) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deaf = false
	select {
	case <-l.gate:
	default:
		close(l.gate)
	}
}

// isCut tells whether nothing passes.
func (l *line) isCut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.gate:
		return false
	default:
		return true
	}
}
