package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"
	"golang.org/x/sync/errgroup"

	"github.com/coterie-ha/coterie/sql/pgserver"
)

// ErrUnsupported says that the demo cannot keep its processes together here.
var ErrUnsupported = errors.New("the demo runs on Linux only")

// Names of the demo's cluster and database.
const (
	clusterName  = "demo"
	databaseName = "demo"
)

// The terms of the demo: short, so that nobody has to wait.
const (
	sessionTTL = 3 * time.Second
	heartbeat  = 600 * time.Millisecond
	margin     = 600 * time.Millisecond
)

// readyWithin is when a demo that is not ready has failed.
const readyWithin = 30 * time.Second

// MaxNodes is how many nodes there may be: each takes about ten connections.
const MaxNodes = 9

// Options say what to show.
type Options struct {
	For     time.Duration // judge and end after this time; 0: when ctx ends
	Nodes   int
	Dir     string // "" for a new folder
	Program string // the path of coterie
	Show    Show
}

// FailedError is a demo that has shown what must not be, or too little.
type FailedError struct {
	Wrong []string
	Logs  string // where the processes' logs are
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("the demo found what must not be, the first of %d: %s", len(e.Wrong), e.Wrong[0])
}

// StartError is a demo that did not come up.
type StartError struct {
	Err  error
	Logs string
}

func (e *StartError) Error() string { return e.Err.Error() }
func (e *StartError) Unwrap() error { return e.Err }

// demo is a running demonstration.
type demo struct {
	Options
	begun  time.Time
	place  *place
	server *pgserver.Server
	db     *sqlx.DB
	nodes  []*node
	show   *stage

	mu     sync.Mutex // guards the fields below
	owed   []owed
	deaths map[string]int // ends of agents that nobody had caused
	moves  []takeover     // those that the demo caused, timed from the kill
	until  time.Time      // all slots up to it must have rows

	loads atomic.Int64 // jobs that loads have made so far
}

// Run shows a cluster until ctx ends or its time is over, and judges what
// happened. It leaves nothing behind, but the logs of a demo that failed.
func Run(ctx context.Context, o Options) (err error) {
	if !supported {
		return ErrUnsupported
	}
	d := &demo{Options: o, begun: time.Now(), deaths: map[string]int{}, show: newStage(o.Show)}
	if d.place, err = takePlace(o.Dir); err != nil {
		return err
	}
	reaper, err := startReaper(o.Program, d.place.dir)
	if err != nil {
		return errors.Join(err, d.place.remove())
	}
	err = d.run(ctx)
	if d.failed(err) {
		err = d.keepLogs(err)
	} else {
		err = errors.Join(err, d.place.remove())
	}
	return errors.Join(err, reaper.dismiss())
}

// failed tells whether the logs are worth keeping.
func (d *demo) failed(err error) bool {
	return err != nil && !errors.Is(err, context.Canceled)
}

// keepLogs removes all but the logs, and says where these are.
func (d *demo) keepLogs(err error) error {
	logs := d.place.path("log")
	if failed, ok := errors.AsType[*FailedError](err); ok {
		failed.Logs = logs
	} else {
		err = &StartError{Err: err, Logs: logs}
	}
	for name, as := range map[string]string{filepath.Join("pg", "log"): "postgresql.log", filepath.Join("share", witnessName): witnessName} {
		if moved := os.Rename(d.place.path(name), filepath.Join(logs, as)); moved != nil && !errors.Is(moved, os.ErrNotExist) {
			err = errors.Join(err, moved)
		}
	}
	return errors.Join(err, d.place.removeBut("log"))
}

// run is the demo within its folder.
func (d *demo) run(ctx context.Context) (err error) {
	if err := d.prepare(ctx); err != nil {
		return errors.Join(err, d.down())
	}
	all, life := errgroup.WithContext(context.WithoutCancel(ctx)) // ends when something failed
	life, end := context.WithCancelCause(life)
	defer end(nil)
	for _, n := range d.nodes {
		all.Go(func() error { return asEnd(n.line.Run(life)) })
		all.Go(func() error { return asEnd(application{d.place.path("share"), n.name, time.Second}.Run(life)) })
	}
	agents, work := errgroup.WithContext(life)
	work, leave := context.WithCancelCause(work)
	for _, n := range d.nodes {
		agents.Go(func() error { return asEnd(n.Run(work, d.died)) })
	}
	all.Go(func() error { return asEnd(d.control(life)) })
	err = d.perform(ctx, work)
	leave(errEnd)
	err = errors.Join(err, agents.Wait())
	if err == nil || errors.Is(err, context.Canceled) {
		err = errors.Join(err, d.judge(context.WithoutCancel(ctx)))
	}
	end(errEnd)
	return errors.Join(err, all.Wait(), d.down())
}

// errEnd is the ordinary end of the demo's loops.
var errEnd = errors.New("the demo ends")

func asEnd(err error) error {
	if errors.Is(err, errEnd) {
		return nil
	}
	return err
}
