package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Bounds on what one client, and all of them together, may take.
const (
	readTime    = 5 * time.Second // for the headers; nobody reads bodies
	writeTime   = 10 * time.Second
	idleTime    = 60 * time.Second
	partingTime = 2 * time.Second
	headerBytes = 8 << 10
	connections = 256 // of each listener; the agent needs its descriptors for the database
)

// Run listens and answers until ctx ends; then it finishes the answers under
// way and returns the context's cause. Any other error means that it could not
// listen, or can no longer.
func (c *Console) Run(ctx context.Context) error {
	listeners, err := c.listen(ctx)
	if err != nil {
		return err
	}
	log := c.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	server := &http.Server{
		Handler:                      c.Handler(),
		ReadTimeout:                  readTime,
		WriteTimeout:                 writeTime,
		IdleTimeout:                  idleTime,
		MaxHeaderBytes:               headerBytes,
		DisableGeneralOptionsHandler: true,
		ConnContext:                  withPeer,
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var serving sync.WaitGroup
	for _, l := range listeners {
		serving.Go(func() {
			// Serve returns only when it cannot go on, or after Shutdown.
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				stop(fmt.Errorf("serve %s: %w", l.Addr(), err))
			}
		})
		if c.Listening != nil {
			c.Listening(l.Addr())
		}
	}
	<-ctx.Done()
	parting, cancel := context.WithTimeout(context.WithoutCancel(ctx), partingTime)
	defer cancel()
	if err := server.Shutdown(parting); err != nil {
		server.Close() // somebody is slow; closing cuts them off and reports nothing new
	}
	serving.Wait()
	return context.Cause(ctx)
}

// listen opens what is asked for, all or nothing.
func (c *Console) listen(ctx context.Context) ([]net.Listener, error) {
	var open []net.Listener
	fail := func(err error) ([]net.Listener, error) {
		for _, l := range open {
			err = errors.Join(err, l.Close())
		}
		return nil, err
	}
	if c.Listen != "" {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
		if err != nil {
			return fail(fmt.Errorf("listen on %s: %w", c.Listen, err))
		}
		open = append(open, bound(l))
	}
	if c.Socket != "" {
		l, err := listenSocket(ctx, c.Socket)
		if err != nil {
			return fail(fmt.Errorf("listen on %s: %w", c.Socket, err))
		}
		open = append(open, bound(l))
	}
	if len(open) == 0 {
		return nil, errors.New("listen: neither an address nor a socket is given")
	}
	return open, nil
}

// bounded lets so many connections be open at once; the next ones wait in the
// kernel's queue.
type bounded struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
}

func bound(l net.Listener) *bounded {
	return &bounded{Listener: l, slots: make(chan struct{}, connections), closed: make(chan struct{})}
}

func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.slots <- struct{}{}:
	case <-b.closed:
		return nil, net.ErrClosed
	}
	conn, err := b.Listener.Accept()
	if err != nil {
		<-b.slots
		return nil, err
	}
	return &boundedConn{Conn: conn, free: sync.OnceFunc(func() { <-b.slots })}, nil
}

func (b *bounded) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Listener.Close()
}

type boundedConn struct {
	net.Conn
	free func()
}

func (c *boundedConn) Close() error {
	defer c.free()
	return c.Conn.Close()
}
