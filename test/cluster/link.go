//go:build linux

package cluster

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Link is the network between one node and the database: a TCP proxy that can
// misbehave.
type Link struct {
	Port int

	listener net.Listener

	mu      sync.Mutex // guards the fields below
	target  int        // port of the server
	weather Weather
	changed chan struct{} // closed at each change of weather
	wires   map[*wire]bool
	closed  bool
	wait    sync.WaitGroup
}

// Weather is what the network does. The zero value delivers everything.
type Weather struct {
	HoldUp   bool          // what the node sends stays on the way until the weather changes
	HoldDown bool          // what the database answers does
	Delay    time.Duration // each packet takes so much longer
}

// wire is one connection.
type wire struct{ near, far net.Conn }

func newLink(port int) (*Link, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open a link: %w", err)
	}
	l := &Link{
		Port: listener.Addr().(*net.TCPAddr).Port, listener: listener, target: port,
		changed: make(chan struct{}), wires: map[*wire]bool{},
	}
	l.wait.Go(l.accept)
	return l, nil
}

// Set changes the weather. What was held back arrives when it clears up, as it
// does when TCP sends again.
func (l *Link) Set(w Weather) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.weather = w
	close(l.changed)
	l.changed = make(chan struct{})
}

// Lead makes the link lead to another server, as the address of a database does
// that has failed over. Connections to the former one are torn.
func (l *Link) Lead(port int) {
	l.mu.Lock()
	l.target = port
	l.mu.Unlock()
	l.Reset()
}

// Reset tears all connections, with everything that is on the way.
func (l *Link) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range l.wires {
		w.tear()
		delete(l.wires, w)
	}
}

func (w *wire) tear() {
	for _, c := range []net.Conn{w.near, w.far} {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // only how, not whether
		}
		_ = c.Close() // the other direction may have been faster
	}
}

func (l *Link) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return // closed
		}
		l.wait.Go(func() { l.connect(near) })
	}
}

func (l *Link) connect(near net.Conn) {
	l.mu.Lock()
	target := l.target
	l.mu.Unlock()
	far, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", target))
	if err != nil {
		_ = near.Close() // the database is down: so is the connection
		return
	}
	w := &wire{near, far}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		w.tear()
		return
	}
	l.wires[w] = true
	l.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { l.carry(w, far, near, func(w Weather) bool { return w.HoldUp }) })
	both.Go(func() { l.carry(w, near, far, func(w Weather) bool { return w.HoldDown }) })
	both.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.wires, w)
}

// carry copies one direction until an end closes or the wire is torn.
func (l *Link) carry(w *wire, to, from net.Conn, held func(Weather) bool) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !l.pass(w, held) {
			break
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				break
			}
		}
		if errors.Is(err, io.EOF) {
			if tcp, ok := to.(*net.TCPConn); ok && l.pass(w, held) {
				_ = tcp.CloseWrite() // the peer may have closed already
			}
			return
		}
		if err != nil {
			break
		}
	}
	w.tear()
}

// pass waits until the weather lets a packet through; false when its wire was torn.
func (l *Link) pass(w *wire, held func(Weather) bool) bool {
	delayed := false
	for {
		l.mu.Lock()
		weather, changed, there := l.weather, l.changed, l.wires[w] && !l.closed
		l.mu.Unlock()
		switch {
		case !there:
			return false
		case held(weather):
			<-changed
		case weather.Delay > 0 && !delayed:
			time.Sleep(weather.Delay)
			delayed = true
		default:
			return true
		}
	}
}

func (l *Link) close() {
	_ = l.listener.Close() // at the end nobody minds
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.Set(Weather{})
	l.Reset()
	l.wait.Wait()
}
