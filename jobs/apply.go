package jobs

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// What the database refuses to do to definitions.
var (
	// ErrChangedMeanwhile means that somebody else has changed a job since it was read.
	ErrChangedMeanwhile = errors.New("it was changed meanwhile")
	// ErrNoJob means that there is no such job.
	ErrNoJob = errors.New("there is no such job")
	// ErrDisabled means that the job is disabled.
	ErrDisabled = errors.New("the job is disabled")
	// ErrTooMany means that more requests wait than anybody will look through.
	ErrTooMany = errors.New("too many requests wait")
	// ErrNoRequest means that no request of this number waits.
	ErrNoRequest = errors.New("no such request waits")
	// ErrBegun means that the run of a request has begun.
	ErrBegun = errors.New("its run has begun")
)

// refusals are the SQLSTATEs of job_apply and run_request.
var refusals = map[string]error{"CT020": ErrChangedMeanwhile, "CT022": ErrNoJob, "CT023": ErrDisabled, "CT024": ErrTooMany}

// refused turns what the database refuses by a code of ours into what callers
// can ask for.
func refused(err error) error {
	var told *pq.Error
	if errors.As(err, &told) {
		if known, ok := refusals[string(told.Code)]; ok {
			return fmt.Errorf("%w: %s", known, told.Message)
		}
	}
	return err
}

type wishes struct {
	Set    []wire `json:"set"`
	Remove []wire `json:"remove"`
	Reason string `json:"reason,omitempty"`
}

// owes lists the slots that a job owes which is to be another or no more, after the
// last that has its row.
func (d Definition) owes(after, now time.Time) []owedWire {
	s, err := d.Timetable()
	if d.Disabled || err != nil {
		return nil // it owes nothing, or nobody could tell what
	}
	after = latest(after, d.Since.Add(-time.Microsecond))
	// Whoever applies it waits perhaps for a lock; the database knows what has fallen due by then.
	due, older := s.Slots(after, now.Add(settleWithin), rowsAtOnce)
	owed := make([]owedWire, len(due))
	for i, at := range due {
		owed[i].Due = at.UTC()
	}
	if older > 0 && len(owed) > 0 {
		owed[0].More = s.alsoFor(older, after)
	}
	return owed
}

// settleWithin is how long it may take to apply a change.
const settleWithin = 10 * time.Second

// another tells whether the slots that a job owes are no slots any more after the
// change.
func (c Change) another() bool {
	if c.Old == nil || c.New == nil || c.New.Disabled {
		return c.Old != nil
	}
	a, b := c.Old.withDefaults(), c.New.withDefaults()
	return quoted(a.Schedule) != quoted(b.Schedule) || a.TimeZone != b.TimeZone || a.Gap != b.Gap || a.Fold != b.Fold || a.Jitter != b.Jitter ||
		!a.Starts.Equal(b.Starts) || !a.Ends.Equal(b.Ends) || !slices.Equal(a.Except, b.Except)
}

// accounted asks for the last slots that have their rows, of the jobs that need it.
func (c Changes) accounted(ctx context.Context, db *sqlx.DB) (map[string]time.Time, error) {
	var names pq.StringArray
	for _, one := range c {
		if one.another() && !one.Old.Disabled {
			names = append(names, one.Name())
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	var rows []struct {
		Job string
		At  sql.NullTime
	}
	err := on(ctx, db, func(conn *sqlx.Conn) error {
		return conn.SelectContext(ctx, &rows, `SELECT job, nullif(coterie.run_accounted(job), '-infinity') AS at FROM unnest($1::text[]) AS job`, names)
	})
	if err != nil {
		return nil, fmt.Errorf("ask for the last slots: %w", err)
	}
	found := make(map[string]time.Time, len(rows))
	for _, r := range rows {
		found[r.Job] = r.At.Time
	}
	return found, nil
}

// wishes says the changes to the database, whose time is now. Of jobs whose slots
// are to be others it knows the last one that has its row.
func (c Changes) wishes(now time.Time, accounted map[string]time.Time, reason string) (wishes, error) {
	doc := wishes{Set: []wire{}, Remove: []wire{}, Reason: oneLine(reason, reasonSize)}
	now = now.UTC().Truncate(time.Microsecond)
	for _, one := range c {
		var was int64
		if one.Old != nil {
			was = one.Old.Generation
		}
		if one.New == nil {
			doc.Remove = append(doc.Remove, wire{Name: one.Old.Name, Generation: was, Owed: one.Old.owes(accounted[one.Old.Name], now)})
			continue
		}
		d := one.New.withDefaults()
		if err := d.Validate(); err != nil {
			return wishes{}, fmt.Errorf("job %s: %w", d.Name, err)
		}
		s, err := d.Timetable()
		if err != nil {
			return wishes{}, fmt.Errorf("job %s: %w", d.Name, err)
		}
		d.Schedule, d.Generation = s.String(), was
		w := toWire(d)
		w.Since, w.FirstDueAt = &now, instant(s.Next(now.Add(-time.Microsecond)))
		if one.another() {
			w.Owed = one.Old.owes(accounted[d.Name], now)
		}
		if s.Plain() {
			w.EveryMS = s.Every().Milliseconds()
		}
		doc.Set = append(doc.Set, w)
	}
	return doc, nil
}

// Current reads the definitions, in the order of names.
func Current(ctx context.Context, db *sqlx.DB) ([]Definition, error) {
	found, err := readDefinitions(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("read the jobs: %w", err)
	}
	list := make([]Definition, 0, len(found))
	for _, j := range found {
		list = append(list, j.Definition)
	}
	slices.SortFunc(list, func(a, b Definition) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// Find reads one definition.
func Find(ctx context.Context, db *sqlx.DB, job string) (d Definition, found bool, err error) {
	all, err := readDefinitions(ctx, db)
	if err != nil {
		return d, false, fmt.Errorf("read the jobs: %w", err)
	}
	if j := all[job]; j != nil {
		return j.Definition, true, nil
	}
	return d, false, nil
}

// PauseJobs pauses a job, or all of them if none is named: nothing is begun any
// more. It tells whether it was not paused before.
func PauseJobs(ctx context.Context, db *sqlx.DB, job, by, reason string) (changed bool, err error) {
	return pauseJobs(ctx, db, `SELECT coterie.job_pause($1, $2, $3)`, job, by, reason)
}

// UnpauseJobs ends what PauseJobs began.
func UnpauseJobs(ctx context.Context, db *sqlx.DB, job, by, reason string) (changed bool, err error) {
	return pauseJobs(ctx, db, `SELECT coterie.job_unpause($1, $2, $3)`, job, by, reason)
}

func pauseJobs(ctx context.Context, db *sqlx.DB, statement, job, by, reason string) (changed bool, err error) {
	named := sql.NullString{String: job, Valid: job != ""}
	if changed, err = ask[bool](ctx, db, statement, named, oneLine(by, 200), oneLine(reason, reasonSize)); err != nil {
		return false, fmt.Errorf("pause or unpause %s: %w", cmp.Or(job, "all jobs"), refused(err))
	}
	return changed, nil
}

// Apply makes the changes, all or none, and returns the number of the change.
// Making them twice is harmless.
func Apply(ctx context.Context, db *sqlx.DB, c Changes, reason string) (generation int64, err error) {
	now, err := ask[time.Time](ctx, db, `SELECT coterie.clock()`)
	if err != nil {
		return 0, fmt.Errorf("apply jobs: %w", err)
	}
	accounted, err := c.accounted(ctx, db)
	if err != nil {
		return 0, fmt.Errorf("apply jobs: %w", err)
	}
	doc, err := c.wishes(now, accounted, reason)
	if err != nil {
		return 0, fmt.Errorf("apply jobs: %w", err)
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return 0, fmt.Errorf("apply jobs: %w", err)
	}
	generation, err = ask[int64](ctx, db, `SELECT coterie.job_apply($1::jsonb)`, string(text))
	if err != nil {
		return 0, fmt.Errorf("apply jobs: %w", refused(err))
	}
	return generation, nil
}

// AddBuiltins makes those jobs of our own that a cluster does not have yet.
func AddBuiltins(ctx context.Context, db *sqlx.DB) error {
	current, err := Current(ctx, db)
	if err != nil {
		return err
	}
	if changes := missingBuiltins(current); len(changes) > 0 {
		_, err = Apply(ctx, db, changes, "every cluster has it")
	}
	return err
}

// LacksBuiltins tells whether AddBuiltins has something to do.
func LacksBuiltins(ctx context.Context, db *sqlx.DB) (bool, error) {
	current, err := Current(ctx, db)
	return err == nil && len(missingBuiltins(current)) > 0, err
}

func missingBuiltins(current []Definition) Changes {
	var missing Changes
	for _, d := range Builtins() {
		if !slices.ContainsFunc(current, func(is Definition) bool { return is.Name == d.Name }) {
			missing = append(missing, Change{New: &d})
		}
	}
	return missing
}
