package jobs

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Misfire says what becomes of slots that nobody could run when they were due:
// no node held the lease, or its holder was cut off.
type Misfire string

const (
	// MisfireOnce runs the latest of them and records the others as missed.
	MisfireOnce Misfire = "once"
	// MisfireSkip records them as missed, unless the latest is hardly late.
	MisfireSkip Misfire = "skip"
	// MisfireAll runs them one after another, the latest MisfireLimit at most.
	MisfireAll Misfire = "all"
)

// Overlap says what becomes of slots that fall due while a run is open.
type Overlap string

const (
	// OverlapSkip records them as skipped.
	OverlapSkip Overlap = "skip"
	// OverlapQueue runs the latest of them when the run has ended.
	OverlapQueue Overlap = "queue"
	// OverlapCancel stops the run, and runs the slot when it has ended.
	OverlapCancel Overlap = "cancel"
)

// OnLost says what becomes of a run whose node was lost, or gave it up.
type OnLost string

const (
	// LostRecord leaves it at the row that says so.
	LostRecord OnLost = "record"
	// LostRestart has the next holder run the slot again, as its next attempt.
	LostRestart OnLost = "restart"
	// LostResume does that too, and a node that drains stops the run for it: the
	// action can go on where it was.
	LostResume OnLost = "resume"
)

// WhileAway says what becomes of a run whose node loses its lease because it cannot
// reach the database.
type WhileAway string

const (
	// AwayStop stops it before another may begin.
	AwayStop WhileAway = "stop"
	// AwayFinish lets it run on beside whoever follows: only for actions whose every
	// effect is refused when it carries an old token. How it ended is recorded under
	// its own token when the database is back, unless another holder has closed it.
	AwayFinish WhileAway = "finish_fenced"
)

// Outcome says what became of a slot.
type Outcome string

const (
	Running   Outcome = "running"
	Succeeded Outcome = "succeeded"
	Failed    Outcome = "failed"
	TimedOut  Outcome = "timed_out"
	Skipped   Outcome = "skipped"   // it fell due while a run was open
	Missed    Outcome = "missed"    // nobody could run it when it was due
	Lost      Outcome = "lost"      // its node lost the lease before it could tell how it ended
	Cancelled Outcome = "cancelled" // it was stopped on purpose
)

// Definition is a job as operators describe it. Generation and Since come from
// the database; a definition from a file has neither.
type Definition struct {
	Name string

	Schedule string
	TimeZone string // UTC if empty
	Gap      Gap    // GapAuto if empty
	Fold     Fold   // FoldAuto if empty
	Starts   time.Time
	Ends     time.Time     // slots are due before it
	Jitter   time.Duration // slots are that much later at most, by the job's name
	Except   []string      // when it is not due

	Action    string
	Timeout   time.Duration // none if 0
	StopGrace time.Duration // between TERM and KILL; the node's own if 0

	Overlap      Overlap       // OverlapSkip if empty
	Misfire      Misfire       // MisfireOnce if empty
	MisfireLimit int           // of MisfireAll; madeUp if 0
	CatchUp      time.Duration // older slots are not made up for; all are if 0
	Retries      int           // attempts after the first one that failed
	RetryAfter   time.Duration // the first of them; the pauses double
	RetryMax     time.Duration // longest pause
	OnLost       OnLost        // LostRecord if empty
	WhileAway    WhileAway     // AwayStop if empty

	Priority   int    // who comes first when not all can run
	Group      string // of jobs of which not all may run at once
	GroupLimit int    // how many of them may

	Requires []string // tags that a node must have
	Prefers  []string // tags that a node had better have
	Apart    string   // group of jobs that had better be with different nodes

	Params Params        // what its runs hand to the action
	Keep   time.Duration // how long its runs are kept; 0: as the cluster's setting says
	Long   time.Duration // from when on a run is called long-running; never if 0
	Queue  bool          // no schedule: each request is a run for any node that has room

	Disabled   bool
	Since      time.Time // slots before it are not owed
	Generation int64     // number of the change that made it so
}

// outlasts tells whether a run of an action goes on when the lease is lost. What
// this process or the database does by itself is at an end then in any case.
func (d Definition) outlasts(action Action) bool {
	switch action.(type) {
	case Exec, HTTP:
		return d.WhileAway == AwayFinish
	}
	return false
}

// Lease is the name of the lease whose holder runs the job.
func (d Definition) Lease() string { return leasePrefix + d.Name }

const leasePrefix = "job/"

// Class is the class of leases that a node takes which defines an action and has
// these tags.
func Class(action string, requires ...string) string {
	var class strings.Builder
	class.WriteString("action/" + action)
	for _, tag := range slices.Compact(slices.Sorted(slices.Values(requires))) {
		class.WriteString("+" + tag)
	}
	return class.String()
}

// Class is the class of the job's lease.
func (d Definition) Class() string { return Class(d.Action, d.Requires...) }

// names is what jobs and actions may be called; the database holds the same rule.
// It is compiled when first asked, like every rule of this program with a count in
// it: the step between a fork and a job's program is this program too, and was a
// quarter longer when it compiled them all.
var names = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`) })

// tags is what tags of nodes look like; a plus would join two.
var tags = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[^\s+[:cntrl:]]{1,63}$`) })

const tagsRule = "at most 63 characters without blanks and plus"

const namesRule = "lower-case letters, digits, dot, dash and underscore, at most 63, beginning with a letter or digit"

const (
	firstRetry, longestRetry = 10 * time.Second, time.Hour
	mostRetries              = 100
	mostPriority             = 100
	longestJitter            = 24 * time.Hour
	longestStopGrace         = time.Hour
)

// withDefaults fills in what was left out.
func (d Definition) withDefaults() Definition {
	d.TimeZone = cmp.Or(d.TimeZone, "UTC")
	d.Gap = cmp.Or(d.Gap, GapAuto)
	d.Fold = cmp.Or(d.Fold, FoldAuto)
	d.Overlap = cmp.Or(d.Overlap, OverlapSkip)
	d.Misfire = cmp.Or(d.Misfire, MisfireOnce)
	d.OnLost = cmp.Or(d.OnLost, LostRecord)
	d.WhileAway = cmp.Or(d.WhileAway, AwayStop)
	if d.Queue {
		d.Schedule = cmp.Or(d.Schedule, OnRequest)
	}
	return d
}

// Timetable is the schedule with all rules of the job for when it is due.
func (d Definition) Timetable() (Schedule, error) {
	d = d.withDefaults()
	s, err := Parse(d.Schedule, d.TimeZone)
	if err != nil {
		return Schedule{}, err
	}
	s.turns, s.starts, s.ends = turns{d.Gap, d.Fold}, d.Starts, d.Ends
	if d.Jitter > 0 {
		s.shift = time.Duration(hash(d.Name)%uint64(d.Jitter.Milliseconds())) * time.Millisecond
	}
	if s.except, err = parseExceptions(d.Except); err != nil {
		return Schedule{}, err
	}
	if len(s.except) > 0 && s.starts.IsZero() && s.ends.IsZero() && s.Next(someDay).IsZero() {
		return Schedule{}, errors.New("its exceptions leave no slot")
	}
	return s, nil
}

// someDay is from when on a job with exceptions must have a slot.
var someDay = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// hash is a number that every node makes of the same words.
func hash(words ...string) uint64 {
	h := fnv.New64a()
	for _, word := range words {
		h.Write([]byte(word))
		h.Write([]byte{0})
	}
	x := h.Sum64() // FNV leaves like names close together; mix (splitmix64's finaliser)
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// Validate returns everything that is wrong with a definition, joined.
func (d Definition) Validate() error {
	d = d.withDefaults()
	var errs []error
	wrong := func(is bool, format string, args ...any) {
		if is {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	wrong(!names().MatchString(d.Name), "the name %q must be %s", d.Name, namesRule)
	wrong(!names().MatchString(d.Action), "the action %q must be %s", d.Action, namesRule)
	if _, err := d.Timetable(); err != nil {
		errs = append(errs, err)
	}
	for _, t := range []struct {
		name string
		d    time.Duration
		most time.Duration
	}{
		{"timeout", d.Timeout, 0}, {"stop_grace", d.StopGrace, longestStopGrace}, {"jitter", d.Jitter, longestJitter},
		{"catch_up", d.CatchUp, 0}, {"retry_after", d.RetryAfter, 0}, {"retry_max", d.RetryMax, 0}, {"keep", d.Keep, 0}, {"long_after", d.Long, 0},
	} {
		wrong(t.d < 0 || t.d%time.Millisecond != 0, "the %s %v must be positive and whole milliseconds", t.name, t.d)
		wrong(t.most > 0 && t.d > t.most, "the %s %v must be at most %v", t.name, t.d, t.most)
	}
	for _, word := range []struct {
		key, is string
		words   []string
	}{
		{"gap", string(d.Gap), gaps}, {"fold", string(d.Fold), folds}, {"overlap", string(d.Overlap), overlaps},
		{"misfire", string(d.Misfire), misfires}, {"on_lost", string(d.OnLost), losses},
		{"while_away", string(d.WhileAway), aways},
	} {
		wrong(!slices.Contains(word.words, word.is), "%s %q must be %s", word.key, word.is, strings.Join(word.words, " or "))
	}
	wrong(!d.Ends.IsZero() && !d.Ends.After(d.Starts), "it ends at %s, before it starts", stamp(d.Ends))
	wrong(d.MisfireLimit < 0 || d.MisfireLimit > rowsAtOnce, "misfire_limit %d must be 1 to %d", d.MisfireLimit, rowsAtOnce)
	wrong(d.Retries < 0 || d.Retries > mostRetries, "retries %d must be 0 to %d", d.Retries, mostRetries)
	wrong(d.Priority < -mostPriority || d.Priority > mostPriority, "priority %d must be %d to %d", d.Priority, -mostPriority, mostPriority)
	wrong(d.Group != "" && !names().MatchString(d.Group), "the group %q must be %s", d.Group, namesRule)
	wrong(d.Apart != "" && !names().MatchString(d.Apart), "apart %q must be %s", d.Apart, namesRule)
	wrong((d.Group == "") != (d.GroupLimit == 0) || d.GroupLimit < 0, "the group %q must have a limit of at least 1", d.Group)
	wrong((d.Schedule == OnRequest) != d.Queue, "a job with queue: true has no schedule, and one without has one")
	wrong(d.Keep != 0 && d.Keep < time.Hour, "keep %v must be at least an hour", d.Keep)
	errs = append(errs, d.Params.check()...)
	for _, tag := range slices.Concat(d.Requires, d.Prefers) {
		wrong(!tags().MatchString(tag), "the tag %q must be %s", tag, tagsRule)
	}
	return errors.Join(errs...)
}

// The words of each rule.
var (
	gaps     = []string{string(GapAuto), string(GapShift), string(GapSkip)}
	folds    = []string{string(FoldAuto), string(FoldFirst), string(FoldLast), string(FoldBoth)}
	overlaps = []string{string(OverlapSkip), string(OverlapQueue), string(OverlapCancel)}
	misfires = []string{string(MisfireOnce), string(MisfireSkip), string(MisfireAll)}
	aways    = []string{string(AwayStop), string(AwayFinish)}
	losses   = []string{string(LostRecord), string(LostRestart), string(LostResume)}
)
