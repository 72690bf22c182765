package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/schema"
)

// begin is a holder that began.
type begin struct {
	at    time.Time
	node  *node
	lease string
	token leases.Token
}

// node is a node as an agent makes it: a session, a pool of its own for its
// heartbeats, and a listener that wakes it.
type node struct {
	*leases.Session
	line   line
	began  chan<- begin // told of each holder, may be nil
	beaten chan leases.Tick
	lived  chan int64 // the incarnation, once
}

// plan says what a node is like.
type plan struct {
	name  string
	takes []string
	wants []string
	began chan<- begin
	pool  *sqlx.DB // shared with others; nil for one of its own
	deaf  bool     // has no listener

	ticked func(leases.Tick) // told of each heartbeat, may be nil
}

// start makes a node live until the cluster is closed.
func (c *cluster) start(ctx context.Context, p plan) (*node, error) {
	n := &node{began: p.began, beaten: make(chan leases.Tick, 1), lived: make(chan int64, 1)}
	o := schema.Options{DSN: c.lab.server.TCP(c.name), Application: "bench " + p.name, Dial: n.line.dial, MaxConns: 2}
	db := p.pool
	if db == nil {
		var err error
		if db, err = schema.Pool(o); err != nil {
			return nil, err
		}
	}
	n.Session = &leases.Session{DB: db, Node: p.name, Takes: p.takes, Wants: p.wants, Hold: n.hold}
	n.Began = func(incarnation int64, _ time.Time) { n.lived <- incarnation }
	n.Ticked = func(t leases.Tick) {
		if p.ticked != nil {
			p.ticked(t)
		}
		select {
		case n.beaten <- t:
		default:
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	c.stop = append(c.stop, cancel)
	c.wait.Go(func() {
		err := n.Run(ctx)
		if !errors.Is(err, context.Canceled) && !n.line.isSilent() && c.lost.Add(1) <= 3 {
			say("node %s: %v (told for the first three nodes)", p.name, err)
		}
		if p.pool == nil {
			if err := db.Close(); err != nil && !n.line.isSilent() {
				say("node %s: %v", p.name, err)
			}
		}
	})
	if !p.deaf {
		c.listen(ctx, n, o)
	}
	select {
	case <-n.lived:
		return n, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-time.After(time.Minute):
		return nil, fmt.Errorf("node %s does not begin", p.name)
	}
}

func (c *cluster) listen(ctx context.Context, n *node, o schema.Options) {
	hints := make(chan struct{}, 1)
	listener := schema.Listener{Options: o, Channel: "coterie"}
	c.wait.Go(func() {
		if err := listener.Run(ctx, hints); !errors.Is(err, context.Canceled) {
			say("listener of %s: %v", n.Node, err)
		}
		close(hints)
	})
	c.wait.Go(func() {
		for range hints {
			n.Wake()
		}
	})
}

// hold acts until it is asked to stop, or to hand over.
func (n *node) hold(ctx context.Context, g leases.Grant) {
	if n.began != nil {
		n.began <- begin{time.Now(), n, g.Lease, g.Token}
	}
	select {
	case <-ctx.Done():
	case <-g.Yield:
	}
}

// await is the next holder that began.
func await(ctx context.Context, began <-chan begin, patience time.Duration) (begin, error) {
	select {
	case b := <-began:
		return b, nil
	case <-ctx.Done():
		return begin{}, context.Cause(ctx)
	case <-time.After(patience):
		return begin{}, fmt.Errorf("no holder began within %v", patience)
	}
}
