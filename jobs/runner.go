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

var _ leases.Keeper = (*Runner)(nil)

// Runner runs the jobs whose leases this node holds. Set the exported fields,
// give Takes to the session and the Runner as its Keeper, call Refresh whenever the
// ledger moved, and Close at the end.
type Runner struct {
	DB      *sqlx.DB         // a pool of its own, so that runs wait for nothing else
	Now     func() time.Time // the database's time
	Actions map[string]Action
	Node    string
	Tags    []string // what jobs may require of a node
	Most    int      // how many runs may be open here at once; 0 for any number
	Log     *slog.Logger
	Told    Told

	once    sync.Once
	begins  desk[beginning, Answer]
	ends    desk[ending, Outcome]
	seats   seats
	minder  minder
	reading sync.Mutex // held while definitions are read, so that many who want them read once

	mu         sync.Mutex // guards the fields below
	complained time.Time  // when it was last said that the database does not answer
	read       time.Time  // when the last reading began, on this process's monotonic clock
	generation int64
	jobs       map[string]*job
	begun      window                  // how long it took to begin runs
	watched    map[leases.Token]*watch // runs that go on
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
// jobs that are held.
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

// install replaces the definitions and wakes the jobs that are concerned.
func (r *Runner) install(found map[string]*job) {
	old := r.jobs
	r.jobs = found
	r.minder.changed(func(name string) bool { return !found[name].same(old[name]) })
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

func (r *Runner) prepare() {
	r.minder.mu.Lock() // definitions may be read before anything is held
	defer r.minder.mu.Unlock()
	r.begins.send, r.ends.send, r.seats.most = r.sendBegins, r.sendEnds, r.Most
	r.seats.wake = func(h *held) { h.hear(sawVacancy) }
	r.minder.kept = map[string]*kept{}
	r.minder.alarm.timer = time.AfterFunc(wakeAtLeast, r.ring)
	r.minder.alarm.timer.Stop()
}
