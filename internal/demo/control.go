package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const controlName = "control.sock"

// Order is what another terminal asks of a running demo.
type Order struct {
	Do   string        `json:"do"` // kill, freeze, thaw, cut-db, load
	Node string        `json:"node,omitempty"`
	Only string        `json:"only,omitempty"` // kill: agent or supervisor
	For  time.Duration `json:"for,omitempty"`  // cut-db, load
	Jobs int           `json:"jobs,omitempty"` // load
	How  string        `json:"how,omitempty"`  // cut-db: silent or refuse
}

// answer is one line of what the demo says to an order.
type answer struct {
	Say     string `json:"say,omitempty"`
	Refused string `json:"refused,omitempty"`
	None    string `json:"none,omitempty"`
}

// Refusals of an order.
type (
	// RefusedError says that the demo cannot do that now.
	RefusedError struct{ Why string }
	// NoNodeError says that the demo has no such node.
	NoNodeError struct{ Node string }
	// NoDemoError says that no demo runs where one was looked for.
	NoDemoError struct{ Dir string }
	// SeveralError says that it is not clear which demo is meant.
	SeveralError struct{ Dirs []string }
)

func (e *RefusedError) Error() string { return e.Why }
func (e *NoNodeError) Error() string  { return fmt.Sprintf("the demo has no node %q", e.Node) }
func (e *NoDemoError) Error() string {
	if e.Dir == "" {
		return "no demo of yours is running"
	}
	return "no demo is running in " + e.Dir
}
func (e *SeveralError) Error() string {
	return "several demos are running: " + strings.Join(e.Dirs, ", ")
}

// Send gives an order to the demo in a folder, or to the only one that there is,
// and passes on what it says until it is carried out.
func Send(ctx context.Context, dir string, o Order, say func(string)) error {
	conn, err := reach(ctx, dir)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := json.NewEncoder(conn).Encode(o); err != nil {
		return fmt.Errorf("order %s: %w", o.Do, err)
	}
	for lines := json.NewDecoder(conn); ; {
		var a answer
		switch err := lines.Decode(&a); {
		case err != nil:
			return fmt.Errorf("the demo ended meanwhile: %w", err)
		case a.Refused != "":
			return &RefusedError{a.Refused}
		case a.None != "":
			return &NoNodeError{a.None}
		case a.Say == "":
			return nil
		}
		say(a.Say)
	}
}

func reach(ctx context.Context, dir string) (net.Conn, error) {
	dirs := []string{dir}
	if dir == "" {
		dirs = places()
	}
	var alive []string
	var found net.Conn
	for _, at := range dirs {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", filepath.Join(at, controlName))
		if err != nil {
			continue // dead, or not a demo's
		}
		alive = append(alive, at)
		if found != nil {
			return nil, errors.Join(&SeveralError{alive}, conn.Close(), found.Close())
		}
		found = conn
	}
	if found == nil {
		return nil, &NoDemoError{dir}
	}
	return found, nil
}

// control takes orders until ctx ends.
func (d *demo) control(ctx context.Context) error {
	socket, err := new(net.ListenConfig).Listen(ctx, "unix", d.place.path(controlName))
	if err != nil {
		return fmt.Errorf("listen for orders: %w", err)
	}
	if err := os.Chmod(d.place.path(controlName), 0o600); err != nil {
		return errors.Join(err, socket.Close())
	}
	var serving sync.WaitGroup
	defer serving.Wait()
	defer context.AfterFunc(ctx, func() { socket.Close() })()
	for {
		conn, err := socket.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("listen for orders: %w", err)
		}
		serving.Go(func() { d.serve(ctx, conn) })
	}
}

// serve carries out the order of one connection.
func (d *demo) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	in := bufio.NewReader(conn)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return
	}
	// An answer that nobody reads any more does not stop what was begun.
	out := json.NewEncoder(conn)
	say := func(text string) { _ = out.Encode(answer{Say: text}) }
	var o Order
	if err = json.Unmarshal(line, &o); err == nil {
		err = d.obey(ctx, o, say)
	}
	last := answer{}
	if none, ok := errors.AsType[*NoNodeError](err); ok {
		last.None = none.Node
	} else if err != nil {
		last.Refused = err.Error()
	}
	_ = out.Encode(last)
}

// obey carries out an order. It says what it does to who asked and on the stage.
func (d *demo) obey(ctx context.Context, o Order, say func(string)) error {
	d.order.Do(func() { close(d.ordered) })
	both := func(format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		d.show.say("%s", text)
		say(text)
	}
	switch o.Do {
	case "cut-db":
		return d.cut(ctx, o, both)
	case "load":
		return d.load(ctx, o, both)
	}
	n := d.node(o.Node)
	if n == nil {
		return &NoNodeError{o.Node}
	}
	switch o.Do {
	case "kill":
		return d.killShown(ctx, n, victimOf(o.Only), restAfterKill, both)
	case "freeze":
		return d.freezeShown(ctx, n, both)
	case "thaw":
		return d.thawShown(ctx, n, both)
	}
	return &RefusedError{fmt.Sprintf("no order %q", o.Do)}
}

func victimOf(only string) victim {
	if only == "" {
		return victimAll
	}
	return victim(only)
}

func (d *demo) node(name string) *node {
	for _, n := range d.nodes {
		if n.name == name {
			return n
		}
	}
	return nil
}

// wait waits, or returns why it was not done.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
