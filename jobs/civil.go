package jobs

import (
	"math/bits"
	"time"
)

// fields are the cron fields as sets of bits, as the parser gives them.
type fields struct {
	second, minute, hour, dom, month, dow uint64
}

// star is the bit by which the parser marks a field that was left open.
const star = 1 << 63

// everyHour are the 24 hours of a day.
const everyHour = 1<<24 - 1

// A civil second is a reading of a wall clock: seconds since 1970-01-01 00:00:00
// as if there were no zones. Cron fields name civil seconds; a zone's periods of
// equal offset map them to instants.
type civil int64

const (
	civilHour civil = 3600
	civilDay        = 24 * civilHour
)

// date returns the date that a civil second falls on, at midnight UTC.
func (c civil) date() time.Time { return time.Unix(int64(c), 0).UTC() }

// next returns the first civil second at or after c that the fields name. No
// calendar lets more than eight years pass without a 29 February.
func (f *fields) next(c civil) (civil, bool) {
	second := c % civilDay
	if second < 0 {
		second += civilDay
	}
	day := c - second
	for limit := day + (8*366+1)*civilDay; day <= limit; {
		date := day.date()
		if f.month&(1<<uint(date.Month())) == 0 {
			first := time.Date(date.Year(), date.Month()+1, 1, 0, 0, 0, 0, time.UTC)
			day, second = civil(first.Unix()), 0
			continue
		}
		if f.day(date) {
			if s, ok := f.inDay(second); ok {
				return day + s, true
			}
		}
		day, second = day+civilDay, 0
	}
	return 0, false
}

// day tells whether the fields name a date: one of the two fields for days is
// enough when both are restricted, as cron has it.
func (f *fields) day(date time.Time) bool {
	dom := f.dom&(1<<uint(date.Day())) != 0
	dow := f.dow&(1<<uint(date.Weekday())) != 0
	if f.dom&star != 0 || f.dow&star != 0 {
		return dom && dow
	}
	return dom || dow
}

// inDay returns the first second of a day, from one on, that the fields name.
func (f *fields) inDay(from civil) (civil, bool) {
	hour, minute, second := uint(from/civilHour), uint(from/60%60), uint(from%60)
	if f.hour&(1<<hour) != 0 {
		if f.minute&(1<<minute) != 0 {
			if s, ok := lowest(f.second, second); ok {
				return civil(hour)*civilHour + civil(minute)*60 + s, true
			}
		}
		if m, ok := lowest(f.minute, minute+1); ok {
			return civil(hour)*civilHour + m*60 + f.firstSecond(), true
		}
	}
	h, ok := lowest(f.hour, hour+1)
	if !ok {
		return 0, false
	}
	m, _ := lowest(f.minute, 0)
	return h*civilHour + m*60 + f.firstSecond(), true
}

func (f *fields) firstSecond() civil {
	s, _ := lowest(f.second, 0)
	return s
}

// lowest is the lowest value of a field from one on.
func lowest(field uint64, from uint) (civil, bool) {
	rest := field &^ star >> from << from
	return civil(bits.TrailingZeros64(rest)), rest != 0
}

// turns say what becomes of what is named in hours that a zone skips or repeats.
type turns struct {
	gap  Gap
	fold Fold
}

// resolved makes an explicit rule of auto: a schedule of every hour follows elapsed
// time, others run what they name once.
func (r turns) resolved(f *fields) turns {
	hourly := f.hour&everyHour == everyHour
	if r.gap == "" || r.gap == GapAuto {
		r.gap = GapShift
		if hourly {
			r.gap = GapSkip
		}
	}
	if r.fold == "" || r.fold == FoldAuto {
		r.fold = FoldFirst
		if hourly {
			r.fold = FoldBoth
		}
	}
	return r
}

// opens is the first civil second that belongs to a period of a zone, which
// begins at start with another offset than before.
func (r turns) opens(start time.Time, before, offset int) civil {
	if offset > before && r.gap == GapSkip || offset < before && r.fold != FoldFirst {
		return ceilReading(start, offset)
	}
	return ceilReading(start, before) // the wall clock goes on where it stopped
}

// closed tells whether a civil second of a period that ends, when another offset
// follows, belongs to the next one.
func (r turns) closed(c civil, end time.Time, offset int) bool {
	_, next := end.Zone()
	return r.fold == FoldLast && next < offset && c >= ceilReading(end, next)
}

// after returns the first instant after t that the fields name in a zone. It
// walks the zone's periods: within one, the wall clock and time run alike.
//
//	wall clock   1:59 | 2:00 ... 2:59 | 3:00          gap:  [2:00, 3:00) maps to the instant of the change, or to none
//	wall clock   1:59 | 1:00 ... 1:59 | 2:00          fold: [1:00, 2:00) counts the first time, the last, or both
func (f *fields) after(t time.Time, zone *time.Location, r turns) time.Time {
	t, r = t.In(zone), r.resolved(f)
	limit := t.AddDate(9, 0, 0)
	for first := true; t.Before(limit); first = false {
		start, end := t.ZoneBounds()
		_, offset := t.Zone()
		var from civil
		if first {
			from = readingOf(t, offset) + 1
		}
		if !start.IsZero() {
			_, before := start.Add(-1).Zone()
			if c := r.opens(start, before, offset); first {
				from = max(from, c)
			} else {
				from = c
			}
		}
		if c, ok := f.next(from); ok && (end.IsZero() || !r.closed(c, end, offset)) {
			at := instantOf(c, offset)
			if !start.IsZero() && at.Before(start) {
				at = start
			}
			if end.IsZero() || at.Before(end) {
				return at.UTC()
			}
		}
		if end.IsZero() {
			break
		}
		t = end
	}
	return time.Time{}
}

// readingOf is the civil second that a wall clock shows at an instant.
func readingOf(t time.Time, offset int) civil { return civil(t.Unix() + int64(offset)) }

// ceilReading is the first civil second that begins at or after an instant.
func ceilReading(t time.Time, offset int) civil {
	return readingOf(t.Add(time.Second-1), offset)
}

func instantOf(c civil, offset int) time.Time { return time.Unix(int64(c)-int64(offset), 0) }
