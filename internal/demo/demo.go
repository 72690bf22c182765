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

// Result is what a demo came to.
type Result struct {
	Ready     time.Duration   // from the start until it was ready; 0 if it never was
	Slots     int             // of all schedules
	Outcomes  map[string]int  // of slots
	Latest    time.Duration   // that a run started after it was due
	Takeovers []time.Duration // from each kill to each lease's next holder
	Crashes   int             // leases that were taken over after a crash
	Heard     int             // words of the witness
	Refused   int             // effects under an old token that were not made
	Wrong     []string        // what must not be
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

	order   sync.Once
	ordered chan struct{} // closed by the first order

	loads  atomic.Int64 // jobs that loads have made so far
	result Result
}

// Run shows a cluster until ctx ends or its time is over, and judges what
// happened. It leaves nothing behind, but the logs of a demo that failed.
func Run(ctx context.Context, o Options) (r Result, err error) {
	if !supported {
		return r, ErrUnsupported
	}
	d := &demo{Options: o, begun: time.Now(), deaths: map[string]int{}, ordered: make(chan struct{}), show: newStage(o.Show)}
	dir, err := choosePlace(o.Dir)
	if err != nil {
		return r, err
	}
	reaper, err := startReaper(o.Program, dir)
	if err != nil {
		return r, err
	}
	if d.place, err = openPlace(dir); err != nil {
		return r, errors.Join(err, reaper.dismiss())
	}
	err = d.run(ctx)
	failed, wrong := errors.AsType[*FailedError](err)
	switch {
	case wrong:
		failed.Logs, err = d.place.path("log"), errors.Join(err, d.keepLogs())
	case err != nil && ctx.Err() != nil: // whatever broke, broke because it was stopped
		err = errors.Join(context.Cause(ctx), d.place.remove())
	case err != nil:
		err = errors.Join(&StartError{Err: err, Logs: d.place.path("log")}, d.keepLogs())
	default:
		err = d.place.remove()
	}
	return d.result, errors.Join(err, reaper.dismiss())
}

// keepLogs removes all but the logs.
func (d *demo) keepLogs() error {
	var errs []error
	for name, as := range map[string]string{filepath.Join("pg", "log"): "postgresql.log", filepath.Join("share", witnessName): witnessName} {
		if err := os.Rename(d.place.path(name), d.place.path("log", as)); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, d.place.removeBut("log"))...)
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
