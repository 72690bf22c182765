package main

import (
	"context"
	"net"
	"sync"
)

// line is a network that can be made to swallow everything: a host that is
// lost says nothing more, and hears nothing.
type line struct {
	mu    sync.Mutex // guards what follows
	quiet chan struct{}
}

// silent is closed once the line is.
func (l *line) silent() chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.quiet == nil {
		l.quiet = make(chan struct{})
	}
	return l.quiet
}

func (l *line) silence() { close(l.silent()) }

func (l *line) dial(ctx context.Context, network, address string) (net.Conn, error) {
	silent := l.silent()
	select {
	case <-silent:
		<-ctx.Done()
		return nil, context.Cause(ctx)
	default:
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &wire{Conn: c, silent: silent}, nil
}

// wire is a connection over a line.
type wire struct {
	net.Conn
	silent chan struct{}
}

func (w *wire) isSilent() bool { return isClosed(w.silent) }

// isSilent tells whether the line swallows everything.
func (l *line) isSilent() bool { return isClosed(l.silent()) }

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (w *wire) Write(b []byte) (int, error) {
	if w.isSilent() {
		return len(b), nil
	}
	return w.Conn.Write(b)
}

// Read lets the deadline of the connection end it, also in silence.
func (w *wire) Read(b []byte) (int, error) {
	for {
		n, err := w.Conn.Read(b)
		if err != nil || !w.isSilent() {
			return n, err
		}
	}
}
