package jobs

import (
	"math/bits"
	"time"
)

// fields are the cron fields as sets of bits, as the parser gives them.
type fields struct {
	minute, hour, dom, month, dow uint64
}

// star is the bit by which the parser marks a field that was left open.
const star = 1 << 63

// everyHour are the 24 hours of a day.
const everyHour = 1<<24 - 1

// A civil minute is a reading of a wall clock: minutes since 1970-01-01 00:00 as
// if there were no zones. Cron fields name civil minutes; a zone's periods of
// equal offset map them to instants.
type civil int64

const civilDay civil = 24 * 60

// day returns the date that a civil minute falls on, at midnight UTC.
func (c civil) date() time.Time { return time.Unix(int64(c)*60, 0).UTC() }

// next returns the first civil minute at or after c that the fields name. No
// calendar lets more than eight years pass without a 29 February.
func (f *fields) next(c civil) (civil, bool) {
	minute := c % civilDay
	if minute < 0 {
		minute += civilDay
	}
	day := c - minute
	for limit := day + (8*366+1)*civilDay; day <= limit; {
		date := day.date()
		if f.month&(1<<uint(date.Month())) == 0 {
			first := time.Date(date.Year(), date.Month()+1, 1, 0, 0, 0, 0, time.UTC)
			day, minute = civil(first.Unix()/60), 0
			continue
		}
		if f.day(date) {
			if m, ok := f.inDay(minute); ok {
				return day + m, true
			}
		}
		day, minute = day+civilDay, 0
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

// inDay returns the first minute of a day, from one on, that the fields name.
func (f *fields) inDay(from civil) (civil, bool) {
	hour, minute := uint(from/60), uint(from%60)
	if f.hour&(1<<hour) != 0 {
		if rest := f.minute >> minute << minute &^ star; rest != 0 {
			return civil(hour)*60 + civil(bits.TrailingZeros64(rest)), true
		}
	}
	rest := f.hour &^ star >> (hour + 1) << (hour + 1)
	if rest == 0 {
		return 0, false
	}
	return civil(bits.TrailingZeros64(rest))*60 + civil(bits.TrailingZeros64(f.minute)), true
}

// after returns the first instant after t that the fields name in a zone. It
// walks the zone's periods: within one, the wall clock and time run alike.
//
//	wall clock   1:59 | 2:00 ... 2:59 | 3:00          gap:  [2:00, 3:00) maps to the instant of the change
//	wall clock   1:59 | 1:00 ... 1:59 | 2:00          fold: [1:00, 2:00) has been, unless every hour is named
func (f *fields) after(t time.Time, zone *time.Location) time.Time {
	t = t.In(zone)
	hourly := f.hour&everyHour == everyHour
	limit := t.AddDate(9, 0, 0)
	for first := true; t.Before(limit); first = false {
		start, end := t.ZoneBounds()
		_, offset := t.Zone()
		var from civil
		if first {
			from = readingOf(t, offset) + 1
		}
		// The wall clock of this period begins where that of the one before stopped.
		if !hourly && !start.IsZero() {
			_, before := start.Add(-1).Zone()
			if c := ceilReading(start, before); first {
				from = max(from, c)
			} else {
				from = c
			}
		} else if !first {
			from = ceilReading(start, offset)
		}
		if c, ok := f.next(from); ok {
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

// readingOf is the civil minute that a wall clock shows at an instant.
func readingOf(t time.Time, offset int) civil {
	s := t.Unix() + int64(offset)
	return civil((s - mod(s, 60)) / 60)
}

// ceilReading is the first civil minute that begins at or after an instant.
func ceilReading(t time.Time, offset int) civil {
	return readingOf(t.Add(time.Minute-1), offset)
}

func instantOf(c civil, offset int) time.Time { return time.Unix(int64(c)*60-int64(offset), 0) }
