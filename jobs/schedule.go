package jobs

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // for hosts without zone files; a host's own files are asked first, as rules change faster than releases

	"github.com/robfig/cron/v3"
)

// minEvery is the narrowest grid. Below it the cost of a row per slot is out of
// proportion to the work, and a loop inside the application serves better.
const minEvery = 100 * time.Millisecond

// Schedule says at which instants a job is due. Two nodes that parse the same
// words agree on every slot, whenever each of them started.
type Schedule struct {
	text  string
	every time.Duration // width of the grid since the Unix epoch; 0 for cron
	cron  *fields
	zone  *time.Location
	turns turns

	shift        time.Duration // each slot is that much later than its words say
	starts, ends time.Time     // slots are due from the one and before the other; zero for no bound
	except       exceptions
}

// String returns the words that the schedule was parsed from.
func (s Schedule) String() string { return s.text }

// Every is the width of the grid of an @every schedule, and 0 for others.
func (s Schedule) Every() time.Duration { return s.every }

// Plain tells whether the schedule is a grid and nothing else, so that SQL can
// tell its next slot.
func (s Schedule) Plain() bool {
	return s.every > 0 && s.shift == 0 && s.starts.IsZero() && s.ends.IsZero() && len(s.except) == 0
}

// Gap says what becomes of what cron fields name in an hour that a change to
// summer time skips.
type Gap string

// Fold says in which of two equal hours something runs, when a change from
// summer time repeats one.
type Fold string

// Auto is shift and first, but for a schedule of every hour, which follows
// elapsed time: it knows no skipped hour, and runs in both of the repeated ones.
const (
	GapAuto  Gap = "auto"
	GapShift Gap = "shift" // it runs once, at the first instant after the gap
	GapSkip  Gap = "skip"  // it does not run

	FoldAuto  Fold = "auto"
	FoldFirst Fold = "first"
	FoldLast  Fold = "last"
	FoldBoth  Fold = "both"
)

// Parse reads a schedule: "@every 15m" (a fixed grid since 1970-01-01 UTC,
// whatever the time zone), five cron fields or six, the first of which are the
// seconds, or @hourly, @daily, @weekly, @monthly and @yearly, read in the time
// zone, which is UTC if empty.
//
// What a cron schedule names in the hour that a change to summer time skips
// runs once, at the first instant after the gap; what it names in the hour that
// the change back repeats runs in the first of the two. A schedule with every
// hour ("*/5 * * * *") follows elapsed time instead: it knows no skipped hour,
// and runs in both of the repeated ones. Definition.Timetable has other rules.
func Parse(schedule, timeZone string) (Schedule, error) {
	s := Schedule{text: strings.Join(strings.Fields(schedule), " ")}
	var err error
	if s.zone, err = loadZone(timeZone); err != nil {
		return Schedule{}, err
	}
	switch {
	case s.text == "":
		return Schedule{}, errors.New(`the schedule is empty; write "@every 15m" or cron fields such as "30 2 * * *"`)
	case strings.HasPrefix(s.text, "TZ=") || strings.HasPrefix(s.text, "CRON_TZ="):
		return Schedule{}, fmt.Errorf("schedule %q carries a time zone; name it in time_zone instead", s.text)
	case s.text == OnRequest:
		// None of its own.
	case strings.HasPrefix(s.text, "@every"):
		s.every, err = parseEvery(s.text)
	default:
		s.cron, err = parseCron(s.text)
	}
	if err != nil {
		return Schedule{}, fmt.Errorf("schedule %q: %w", s.text, err)
	}
	return s, nil
}

func loadZone(name string) (*time.Location, error) {
	if name == "Local" {
		return nil, errors.New("time zone Local differs from node to node; name it, for example Europe/Paris")
	}
	if zone, ok := loadedZones.Load(name); ok {
		return zone.(*time.Location), nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("time zone %q is not known; use a name such as UTC or Europe/Paris", name)
	}
	known, _ := loadedZones.LoadOrStore(name, zone)
	return known.(*time.Location), nil
}

// loadedZones are those that were loaded, by name: each is a file, and some kilobytes
// that ten thousand jobs may share.
var loadedZones sync.Map

func parseEvery(text string) (time.Duration, error) {
	word, rest, _ := strings.Cut(text, " ")
	if word != "@every" || rest == "" {
		return 0, errors.New("write it as @every 15m")
	}
	d, err := time.ParseDuration(rest)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is not a duration; write 30s, 15m, 1h30m or 24h", rest)
	case d < minEvery:
		return 0, fmt.Errorf("the interval must be at least %v", minEvery)
	case d%time.Millisecond != 0:
		return 0, errors.New("the interval must be whole milliseconds")
	}
	return d, nil
}

// parser is used for its reading of the fields only: its own search for the
// next instant loses what summer time skips and repeats what it repeats.
var parser = cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

func parseCron(text string) (f *fields, err error) {
	// The parser panics on some inputs; what is known of them is refused before,
	// but a schedule from the database must never take an agent down.
	defer func() {
		if p := recover(); p != nil {
			f, err = nil, fmt.Errorf("the cron fields cannot be read (%v)", p)
		}
	}()
	if err := checkSteps(text); err != nil {
		return nil, err
	}
	parsed, err := parser.Parse(text)
	if err != nil && strings.Contains(err.Error(), "(7) above maximum (6)") {
		return nil, fmt.Errorf("%w; Sunday is 0", err)
	}
	if err != nil {
		return nil, err
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, errors.New("it is neither cron fields nor @every")
	}
	f = &fields{second: spec.Second, minute: spec.Minute, hour: spec.Hour, dom: spec.Dom, month: spec.Month, dow: spec.Dow}
	if _, ok := f.next(0); !ok {
		return nil, errors.New("it never comes: no month it names has such a day")
	}
	return f, nil
}

// checkSteps refuses steps that never take effect, such as */90 minutes, which
// means once an hour and never what was meant.
func checkSteps(text string) error {
	columns := []struct {
		name string
		last int
	}{{"second", 59}, {"minute", 59}, {"hour", 23}, {"day of the month", 31}, {"month", 12}, {"day of the week", 6}}
	words := strings.Fields(text)
	if len(words) == len(columns)-1 {
		columns = columns[1:]
	}
	if len(words) != len(columns) {
		return nil // the parser says it better
	}
	for i, word := range words {
		for part := range strings.SplitSeq(word, ",") {
			over, step, stepped := strings.Cut(part, "/")
			n, err := strconv.Atoi(step)
			if !stepped || err != nil {
				continue
			}
			if width, known := width(over, columns[i].last); known && n > width {
				return fmt.Errorf("a step of %d is wider than %q in the field for the %s; it would never be taken", n, over, columns[i].name)
			}
		}
	}
	return nil
}

// width is how far a range of a field reaches, if it is written in numbers.
func width(over string, last int) (int, bool) {
	if strings.HasPrefix(over, "*") || over == "?" {
		return last, true
	}
	low, high, ranged := strings.Cut(over, "-")
	from, err := strconv.Atoi(low)
	if err != nil {
		return 0, false
	}
	if !ranged {
		return last - from, true
	}
	to, err := strconv.Atoi(high)
	return to - from, err == nil
}

// horizon is how far ahead a slot is looked for among exceptions.
const horizon = 9 * 366 * 24 * time.Hour

// Next returns the first slot after an instant; zero if there is none, as for
// the zero Schedule.
func (s Schedule) Next(after time.Time) time.Time {
	if !s.starts.IsZero() {
		after = latest(after, s.starts.Add(-1))
	}
	for limit := after.Add(horizon); !after.After(limit); {
		at := s.named(after.Add(-s.shift))
		if at.IsZero() {
			return at
		}
		at = at.Add(s.shift)
		if !s.ends.IsZero() && !at.Before(s.ends) {
			return time.Time{}
		}
		until, excepted := s.except.cover(at, s.zone)
		if !excepted {
			return at
		}
		after = latest(at, until.Add(-1))
	}
	return time.Time{}
}

// named returns the first instant after another one that the words name.
func (s Schedule) named(after time.Time) time.Time {
	switch {
	case s.every > 0:
		return s.slot(s.index(after) + 1)
	case s.cron != nil:
		return s.cron.after(after, s.zone, s.turns)
	}
	return time.Time{}
}

// countable is how many slots are counted one by one.
const countable = 100_000

// Slots returns the slots after one instant and up to another, in order: the
// latest of them if there are more than limit, and how many came before those.
// Of a schedule that is not a mere grid it counts countable at most.
func (s Schedule) Slots(after, until time.Time, limit int) (latest []time.Time, earlier int) {
	if !s.starts.IsZero() && after.Before(s.starts.Add(-1)) {
		after = s.starts.Add(-1)
	}
	if !s.ends.IsZero() && until.After(s.ends.Add(-1)) {
		until = s.ends.Add(-1)
	}
	if !after.Before(until) {
		return nil, 0
	}
	if s.every > 0 && len(s.except) == 0 {
		first, last := s.index(after.Add(-s.shift))+1, s.index(until.Add(-s.shift))
		from := max(first, last-int64(limit)+1)
		for i := from; i <= last; i++ {
			latest = append(latest, s.slot(i).Add(s.shift))
		}
		return latest, int(max(from-first, 0))
	}
	for at := s.Next(after); !at.IsZero() && !at.After(until); at = s.Next(at) {
		if latest = append(latest, at); len(latest) >= 2*limit {
			earlier += len(latest) - limit
			latest = append(latest[:0], latest[len(latest)-limit:]...)
		}
		if earlier >= countable {
			return s.latest(latest[len(latest)-1], until, limit, latest), earlier
		}
	}
	if n := len(latest) - limit; n > 0 {
		return latest[n:], earlier + n
	}
	return latest, earlier
}

// latest returns the last slots up to an instant, of which there are more after
// another one than can be counted: it looks back from the end, further and
// further. Known are some before.
func (s Schedule) latest(after, until time.Time, limit int, known []time.Time) []time.Time {
	for back := time.Duration(limit) * time.Second; ; back *= 4 {
		from := latest(after, until.Add(-back))
		var found []time.Time
		for at := s.Next(from); !at.IsZero() && !at.After(until); at = s.Next(at) {
			found = append(found, at)
		}
		if !from.After(after) {
			found = append(known, found...)
		} else if len(found) < limit {
			continue
		}
		return found[max(0, len(found)-limit):]
	}
}

// index is the number of the grid's slot at or before an instant.
func (s Schedule) index(t time.Time) int64 {
	width := s.every.Milliseconds()
	at := t.UnixMilli() // rounds down; slots fall on whole milliseconds
	return (at - mod(at, width)) / width
}

func mod(a, b int64) int64 { return ((a % b) + b) % b }

func (s Schedule) slot(i int64) time.Time { return time.UnixMilli(i * s.every.Milliseconds()).UTC() }
