package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/coterie-ha/coterie/leases"
)

// Runner runs the jobs whose leases this node holds. Set the exported fields,
// give Takes to the session, Hold as its holder of leases named job/NAME, and
// call Refresh whenever the ledger moved.
type Runner struct {
	DB      *sqlx.DB         // a pool of its own, so that runs wait for nothing else
	Now     func() time.Time // the database's time
	Actions map[string]Action
	Node    string
	Tags    []string // what jobs may require of a node
	Most    int      // how many runs may be open here at once; 0 for any number
	Log     *slog.Logger

	once    sync.Once
	begins  desk[beginning, Answer]
	ends    desk[ending, Outcome]
	seats   seats
	entry   chan struct{} // bounds how many jobs are taken up at once
	reading sync.Mutex    // held while definitions are read, so that many who want them read once

	mu         sync.Mutex // guards the fields below
	complained time.Time  // when it was last said that the database does not answer
	read       time.Time  // when the last reading began, on this process's monotonic clock
	generation int64
	jobs       map[string]*job
	changed    map[string]chan struct{} // of held jobs: to be told that their definition is another
	begun      window                   // how long it took to begin runs
	watched    map[leases.Token]*watch  // runs that go on
}

// job is a definition as the database has it, ready for use.
type job struct {
	Definition
	schedule    Schedule
	asked       time.Time // due_at of the run that was asked for and waits
	askedParams Params    // that it was asked for with
	pauses      []Pause
	bad         error // why it cannot be used
}

// Takes lists the classes of leases that this node can act for: its actions, and
// of the jobs that want tags of a node those that want what it has. It grows and
// shrinks as definitions change.
func (r *Runner) Takes() []string {
	var classes []string
	for name := range r.Actions {
		classes = append(classes, Class(name))
	}
	r.mu.Lock()
	for _, j := range r.jobs {
		if _, able := r.Actions[j.Action]; able && len(j.Requires) > 0 && r.has(j.Requires) {
			classes = append(classes, j.Class())
		}
	}
	r.mu.Unlock()
	slices.Sort(classes)
	return slices.Compact(classes)
}

// has tells whether this node has all of some tags.
func (r *Runner) has(tags []string) bool {
	return !slices.ContainsFunc(tags, func(tag string) bool { return !slices.Contains(r.Tags, tag) })
}

// Refresh reads the definitions and requests if they changed, and tells the
// loops of held jobs.
func (r *Runner) Refresh(ctx context.Context) error { return r.refresh(ctx, time.Now()) }

// refresh is done when a reading has ended that began after an instant.
func (r *Runner) refresh(ctx context.Context, after time.Time) error {
	r.reading.Lock()
	defer r.reading.Unlock()
	r.mu.Lock()
	known, empty, done := r.generation, r.jobs == nil, r.read.After(after)
	r.mu.Unlock()
	if done {
		return nil
	}
	begun := time.Now()
	generation, err := ask[int64](ctx, r.DB, `SELECT coterie.job_generation()`)
	if err != nil {
		return fmt.Errorf("read the jobs: %w", err)
	}
	var found map[string]*job
	if generation != known || empty {
		// Read after the number: what is newer than it is read once more, never missed.
		if found, err = readDefinitions(ctx, r.DB); err != nil {
			return fmt.Errorf("read the jobs: %w", err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read, r.generation = begun, generation
	if found != nil {
		r.install(found)
	}
	return nil
}

// install replaces the definitions and wakes the loops that are concerned.
func (r *Runner) install(found map[string]*job) {
	old := r.jobs
	r.jobs = found
	for name, changed := range r.changed {
		if !found[name].same(old[name]) {
			select {
			case changed <- struct{}{}:
			default: // told already
			}
		}
	}
	for name, j := range found {
		if j.bad != nil && !j.same(old[name]) {
			r.log().Warn("job cannot be run", "job", name, "err", j.bad)
		}
	}
}

// same tells whether two readings of a job, nil where there is none, are of one
// definition and one request.
func (j *job) same(other *job) bool {
	if j == nil || other == nil {
		return j == other
	}
	return j.Generation == other.Generation && j.asked.Equal(other.asked) && slices.Equal(j.pauses, other.pauses)
}

// job is the definition as it was last read, nil if there is none.
func (r *Runner) job(name string) *job {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.jobs[name]
}

// watch lets a held job be told of changes until unwatch.
func (r *Runner) watch(name string, changed chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changed == nil {
		r.changed = make(map[string]chan struct{})
	}
	r.changed[name] = changed
}

func (r *Runner) unwatch(name string, changed chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changed[name] == changed {
		delete(r.changed, name)
	}
}

func (r *Runner) log() *slog.Logger {
	if r.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return r.Log
}

// complain says that a call is being repeated: now and then, since all jobs meet
// the same trouble at once.
func (r *Runner) complain(err error) {
	r.mu.Lock()
	again := time.Since(r.complained) < complainEvery
	if !again {
		r.complained = time.Now()
	}
	r.mu.Unlock()
	if !again {
		r.log().Warn("a call to the database is being repeated", "err", err)
	}
}

const complainEvery = 10 * time.Second

// entries is how many jobs are taken up at once.
const entries = 64

func (r *Runner) prepare() {
	r.begins.send, r.ends.send, r.seats.most = r.sendBegins, r.sendEnds, r.Most
	r.entry = make(chan struct{}, entries)
}

// Hold runs a job while its lease is held. It returns when ctx ends, after the
// run it had open has been stopped, or between runs when it is asked to yield.
func (r *Runner) Hold(ctx context.Context, g leases.Grant) {
	var h *held
	aside(func() { h = r.newHeld(g) })
	if h == nil {
		return
	}
	h.loop(ctx)
}
