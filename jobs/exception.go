package jobs

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// An exception is a time at which a job is not due, whatever its schedule says:
// days, hours of the day, or hours of some days, by the wall clock of the job's
// time zone.
//
//	2026-12-25                a day
//	2026-12-24..2027-01-02    days, both included
//	12-25, 12-24..01-02       the same every year
//	sat, mon-fri, sat,sun     days of the week
//	22:00-06:00               hours of every day; it ends on the next one
//	sat 22:00-06:00           hours of these days, by the day on which they begin
type exception struct {
	dated    bool
	yearly   bool
	from, to int  // dates as year*10000 + month*100 + day, without the year if yearly
	week     byte // bit per weekday, for what is not dated; all for hours alone
	starts   civil
	ends     civil // up to two days; equal to starts for none
}

const everyDay = 1<<7 - 1

var weekdays = map[string]time.Weekday{
	"sun": time.Sunday, "mon": time.Monday, "tue": time.Tuesday, "wed": time.Wednesday,
	"thu": time.Thursday, "fri": time.Friday, "sat": time.Saturday,
}

var errException = errors.New("write 2026-12-25, 12-25, 12-24..01-02, sat, mon-fri, 22:00-06:00 or sat 22:00-06:00")

func parseException(text string) (exception, error) {
	e := exception{week: everyDay, ends: civilDay}
	words := strings.Fields(strings.ToLower(text))
	if len(words) == 0 || len(words) > 2 {
		return e, errException
	}
	if last := words[len(words)-1]; strings.Contains(last, ":") {
		if err := e.hours(last); err != nil {
			return e, err
		}
		words = words[:len(words)-1]
	}
	for _, days := range words {
		if err := e.days(days); err != nil {
			return e, err
		}
		if len(words) > 1 {
			return e, errException
		}
	}
	return e, nil
}

// hours reads 22:00-06:00.
func (e *exception) hours(text string) error {
	from, to, ok := strings.Cut(text, "-")
	var err error
	if e.starts, err = clockOf(from); err != nil || !ok {
		return errException
	}
	if e.ends, err = clockOf(to); err != nil || e.starts == civilDay || e.starts == e.ends {
		return errException
	}
	if e.ends < e.starts {
		e.ends += civilDay
	}
	return nil
}

// clockOf reads a time of day; 24:00 is the end of it.
func clockOf(text string) (civil, error) {
	if text == "24:00" {
		return civilDay, nil
	}
	t, err := time.Parse("15:04", text)
	return civil(t.Hour())*civilHour + civil(t.Minute())*60, err
}

func (e *exception) days(text string) error {
	if strings.ContainsAny(text, "0123456789") {
		return e.dates(text)
	}
	e.week = 0
	for part := range strings.SplitSeq(text, ",") {
		low, high, ranged := strings.Cut(part, "-")
		from, ok := weekdays[low]
		to := from
		if ranged {
			to, ranged = weekdays[high]
			ok = ok && ranged
		}
		if !ok {
			return fmt.Errorf("%q names no days: %w", part, errException)
		}
		for d := from; ; d = (d + 1) % 7 {
			e.week |= 1 << d
			if d == to {
				break
			}
		}
	}
	return nil
}

// dates reads 2026-12-25, 12-25, or two of one kind with .. between.
func (e *exception) dates(text string) error {
	low, high, ranged := strings.Cut(text, "..")
	if !ranged {
		high = low
	}
	from, yearly, err := dateOf(low)
	if err != nil {
		return err
	}
	to, alike, err := dateOf(high)
	if err != nil {
		return err
	}
	if yearly != alike || !yearly && to < from {
		return fmt.Errorf("%q does not go forward: %w", text, errException)
	}
	e.dated, e.yearly, e.from, e.to = true, yearly, from, to
	return nil
}

func dateOf(text string) (date int, yearly bool, err error) {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return dateNumber(t), false, nil
	}
	// 2024 was a leap year, so that 29 February can be named.
	t, err := time.Parse(time.DateOnly, "2024-"+text)
	if err != nil {
		return 0, false, fmt.Errorf("%q is no date: %w", text, errException)
	}
	return dateNumber(t) % 10000, true, nil
}

func dateNumber(t time.Time) int { return t.Year()*10000 + int(t.Month())*100 + t.Day() }

// begins tells whether what is excepted begins on a date.
func (e exception) begins(date time.Time) bool {
	if !e.dated {
		return e.week&(1<<date.Weekday()) != 0
	}
	n := dateNumber(date)
	if e.yearly {
		n %= 10000
		if e.to < e.from { // over the turn of the year
			return n >= e.from || n <= e.to
		}
	}
	return e.from <= n && n <= e.to
}

// covers tells whether a civil second is excepted, and until when at least.
func (e exception) covers(c civil) (until civil, ok bool) {
	second := civil(mod(int64(c), int64(civilDay)))
	day := c - second
	for _, midnight := range []civil{day, day - civilDay} {
		if at := c - midnight; e.starts <= at && at < e.ends && e.begins(midnight.date()) {
			return midnight + e.ends, true
		}
	}
	return 0, false
}

// exceptions are those of one job.
type exceptions []exception

func parseExceptions(texts []string) (list exceptions, err error) {
	var errs []error
	for _, text := range texts {
		e, err := parseException(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("except %q: %w", text, err))
		}
		list = append(list, e)
	}
	return list, errors.Join(errs...)
}

// cover tells whether an instant is excepted, and an instant up to which nothing
// but excepted ones follow.
func (list exceptions) cover(t time.Time, zone *time.Location) (until time.Time, ok bool) {
	local := t.In(zone)
	_, offset := local.Zone()
	for _, e := range list {
		end, covered := e.covers(readingOf(t, offset))
		if !covered {
			continue
		}
		until := instantOf(end, offset)
		if _, change := local.ZoneBounds(); !change.IsZero() && until.After(change) {
			until = change // the wall clock is another from there on
		}
		return until, true
	}
	return time.Time{}, false
}
