package slots

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/jobs"
	"github.com/coterie-ha/coterie/leases"
	"github.com/coterie-ha/coterie/sql/schema"
)

// wire is the network of one pool: what goes over it can be torn, and kept away.
type wire struct {
	mu    sync.Mutex // guards the fields below
	cut   bool
	conns []net.Conn
}

var errCut = errors.New("the network is cut")

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	cut := w.cut
	w.mu.Unlock()
	if cut {
		return nil, errCut
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return nil, errors.Join(errCut, conn.Close())
	}
	w.conns = append(w.conns, conn)
	return conn, nil
}

// set cuts the wire, or mends it.
func (w *wire) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	if cut {
		for _, c := range w.conns {
			_ = c.Close() // its user may have been faster
		}
		w.conns = nil
	}
}

// node is one of the cluster: it begins one session after another.
type node struct {
	name         string
	beats, works wire
	beat, work   *sqlx.DB
	keeper       leases.Keeper
	takes        func() []string
	session      atomic.Pointer[leases.Session]
	moved        chan struct{}
	head         atomic.Int64
	stop         context.CancelFunc
	gone         chan struct{}
}

// start makes a node live until it is ended.
func (l *lab) start(name string) (*node, error) {
	n := &node{name: name, moved: make(chan struct{}, 1), gone: make(chan struct{})}
	var err error
	if n.beat, err = l.pool(name, &n.beats, 2); err != nil {
		return nil, err
	}
	if n.work, err = l.pool(name, &n.works, 8); err != nil {
		return nil, errors.Join(err, n.beat.Close())
	}
	var loop, last func(context.Context)
	if l.driven {
		d := &driver{node: n, witness: l.witness, owed: l.owed, held: map[string]*lease{}}
		n.keeper, n.takes = d, func() []string { return []string{jobs.Class(driveAction)} }
		loop, last = d.drive, func(context.Context) {}
	} else {
		r := &jobs.Runner{
			DB: n.work, Node: name, Actions: map[string]jobs.Action{action: l.witness.by(name)},
			Now: func() time.Time { return n.session.Load().Clock.Now() },
		}
		n.keeper, n.takes = r, r.Takes
		loop, last = func(ctx context.Context) { n.read(ctx, r) }, func(context.Context) { r.Close() }
	}
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	go n.live(ctx, loop, last)
	return n, nil
}

func (l *lab) pool(name string, w *wire, size int) (*sqlx.DB, error) {
	return schema.Pool(schema.Options{DSN: l.dsn(name), Application: name, Dial: w.dial, MaxConns: size, Budget: budget})
}

// budget is how long a statement may take: shorter than trust lasts.
const budget = time.Second

// live begins one session after another beside a loop, until ctx ends.
func (n *node) live(ctx context.Context, loop, last func(context.Context)) {
	defer close(n.gone)
	defer last(ctx)
	var looping sync.WaitGroup
	defer looping.Wait()
	looping.Go(func() { loop(ctx) })
	var former int64
	for ctx.Err() == nil {
		s := &leases.Session{
			DB: n.beat, Node: n.name, Takes: n.takes(), Keep: n.keeper, Former: former,
			Hold: func(ctx context.Context, _ leases.Grant) { <-ctx.Done() }, Ticked: n.ticked,
		}
		n.session.Store(s)
		_ = s.Run(ctx) // it ends when it is lost, or ctx is over
		former = s.View().Incarnation
		if err := rest(ctx, 50*time.Millisecond); err != nil {
			return
		}
	}
}

func (n *node) ticked(t leases.Tick) {
	if t.Err != nil || !t.Alive || n.head.Swap(t.Head) == t.Head {
		return
	}
	select {
	case n.moved <- struct{}{}:
	default:
	}
}

// read keeps the definitions current.
func (n *node) read(ctx context.Context, r *jobs.Runner) {
	for {
		if err := r.Refresh(ctx); err != nil {
			n.head.Store(0) // once more after the next heartbeat
		}
		select {
		case <-ctx.Done():
			return
		case <-n.moved:
		}
	}
}

// end ends a node in order.
func (n *node) end() error {
	n.beats.set(false)
	n.works.set(false)
	n.stop()
	select {
	case <-n.gone:
	case <-time.After(30 * time.Second):
		return fmt.Errorf("node %s does not end", n.name)
	}
	return errors.Join(n.beat.Close(), n.work.Close())
}

func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
