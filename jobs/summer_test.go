package jobs

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// slotsOf lists the slots of a definition between two instants, by its own clock.
func slotsOf(t *testing.T, d Definition, from, until string) []string {
	t.Helper()
	d.Name, d.Action = "j", "a"
	s, err := d.Timetable()
	if err != nil {
		t.Fatal(err)
	}
	all, _ := s.Slots(at(t, from), at(t, until), 100)
	got := []string{}
	for _, due := range all {
		got = append(got, due.In(s.zone).Format("02 15:04:05 MST"))
	}
	return got
}

func TestBothChangesOfSummerTimeInThreeZones(t *testing.T) {
	gap, fold := []Gap{GapAuto, GapShift, GapSkip}, []Fold{FoldAuto, FoldFirst, FoldLast, FoldBoth}
	for _, c := range []struct {
		schedule, zone, from, until string
		want                        map[string][]string // by rule; the rest as auto
	}{
		{"30 2 * * *", "Europe/Paris", "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z", map[string][]string{
			"auto": {"29 03:00:00 CEST", "30 02:30:00 CEST"},
			"skip": {"30 02:30:00 CEST"},
		}},
		{"30 2 * * *", "Europe/Paris", "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z", map[string][]string{
			"auto": {"25 02:30:00 CEST", "26 02:30:00 CET"},
			"last": {"25 02:30:00 CET", "26 02:30:00 CET"},
			"both": {"25 02:30:00 CEST", "25 02:30:00 CET", "26 02:30:00 CET"},
		}},
		{"15,45 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", "2026-03-09T12:00:00Z", map[string][]string{
			"auto": {"08 03:00:00 EDT", "09 02:15:00 EDT", "09 02:45:00 EDT"},
			"skip": {"09 02:15:00 EDT", "09 02:45:00 EDT"},
		}},
		{"15,45 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", "2026-11-02T12:00:00Z", map[string][]string{
			"auto": {"01 01:15:00 EDT", "01 01:45:00 EDT", "02 01:15:00 EST", "02 01:45:00 EST"},
			"last": {"01 01:15:00 EST", "01 01:45:00 EST", "02 01:15:00 EST", "02 01:45:00 EST"},
			"both": {"01 01:15:00 EDT", "01 01:45:00 EDT", "01 01:15:00 EST", "01 01:45:00 EST", "02 01:15:00 EST", "02 01:45:00 EST"},
		}},
		{"20 15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-05T12:00:00Z", map[string][]string{ // half an hour
			"auto": {"04 02:30:00 +11", "05 02:15:20 +11"},
			"skip": {"05 02:15:20 +11"},
		}},
		{"20 45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z", "2026-04-06T12:00:00Z", map[string][]string{
			"auto": {"05 01:45:20 +11", "06 01:45:20 +1030"},
			"last": {"05 01:45:20 +1030", "06 01:45:20 +1030"},
			"both": {"05 01:45:20 +11", "05 01:45:20 +1030", "06 01:45:20 +1030"},
		}},
		// Of a schedule of every hour auto is another rule than of others.
		{"30 * * * *", "Europe/Paris", "2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z", map[string][]string{
			"auto":  {"29 01:30:00 CET", "29 03:30:00 CEST"},
			"shift": {"29 01:30:00 CET", "29 03:00:00 CEST", "29 03:30:00 CEST"},
		}},
		{"30 * * * *", "Europe/Paris", "2026-10-24T23:45:00Z", "2026-10-25T02:00:00Z", map[string][]string{
			"auto":  {"25 02:30:00 CEST", "25 02:30:00 CET"},
			"first": {"25 02:30:00 CEST"},
			"last":  {"25 02:30:00 CET"},
		}},
	} {
		for _, g := range gap {
			for _, f := range fold {
				want, ok := c.want[string(g)]
				if byFold, there := c.want[string(f)]; !ok || g == GapAuto {
					if want = c.want["auto"]; there {
						want = byFold
					}
				}
				got := slotsOf(t, Definition{Schedule: c.schedule, TimeZone: c.zone, Gap: g, Fold: f}, c.from, c.until)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s in %s, gap %s, fold %s (-want +got):\n%s", c.schedule, c.zone, g, f, diff)
				}
			}
		}
	}
}

// offset is how far the schedule's zone is from UTC at an instant, in seconds.
func offset(s Schedule, at time.Time) int {
	_, seconds := at.In(s.zone).Zone()
	return seconds
}

func TestAChangeOfSummerTimeMakesOneRowPerSlot(t *testing.T) {
	// The nights of a change and those beside them, whoever asks when: the slots that follow each other are those of the night.
	for _, zone := range []string{"Europe/Paris", "America/New_York", "Australia/Lord_Howe"} {
		for _, f := range []Fold{FoldAuto, FoldFirst, FoldLast, FoldBoth} {
			for _, g := range []Gap{GapAuto, GapShift, GapSkip} {
				d := Definition{Name: "j", Action: "a", Schedule: "*/10 1-3 * * *", TimeZone: zone, Gap: g, Fold: f}
				s, err := d.Timetable()
				if err != nil {
					t.Fatal(err)
				}
				from := at(t, "2026-03-01 00:00")
				until := from.AddDate(0, 10, 0)
				all, _ := s.Slots(from, until, 1<<20)
				for i, minute := 0, from; minute.Before(until); minute = minute.Add(7 * time.Minute) {
					for minute.Before(until) && offset(s, minute.AddDate(0, 0, -1)) == offset(s, minute.AddDate(0, 0, 1)) {
						minute = minute.AddDate(0, 0, 1) // nothing changes on that day
					}
					for i < len(all) && !all[i].After(minute) {
						i++
					}
					if i < len(all) && !s.Next(minute).Equal(all[i]) {
						t.Fatalf("%s, %s, %s: after %v comes %v, want %v", zone, g, f, minute, s.Next(minute), all[i])
					}
				}
			}
		}
	}
}

func TestExceptionsAreNoSlots(t *testing.T) {
	for _, c := range []struct {
		schedule string
		except   []string
		from     string
		want     []string
	}{
		{"0 12 * * *", []string{"2026-12-25"}, "2026-12-24 00:00", []string{"24 12:00", "26 12:00", "27 12:00"}},
		{"0 12 * * *", []string{"12-24..01-02"}, "2026-12-23 00:00", []string{"23 12:00", "03 12:00", "04 12:00"}},
		{"0 12 * * *", []string{"2026-12-24..2026-12-26", "sun"}, "2026-12-23 00:00", []string{"23 12:00", "28 12:00", "29 12:00"}},
		{"0 12 * * *", []string{"mon-fri"}, "2026-11-23 00:00", []string{"28 12:00", "29 12:00", "05 12:00"}},
		{"0 12 * * *", []string{"fri-mon"}, "2026-11-23 00:00", []string{"24 12:00", "25 12:00", "26 12:00"}},
		{"0 */6 * * *", []string{"18:00-06:00"}, "2026-11-23 01:00", []string{"23 06:00", "23 12:00", "24 06:00"}},
		{"0 */6 * * *", []string{"sat 11:00-24:00"}, "2026-11-28 01:00", []string{"28 06:00", "29 00:00", "29 06:00"}},
		{"0 0 * * *", []string{"sat 22:00-06:00"}, "2026-11-28 01:00", []string{"30 00:00", "01 00:00", "02 00:00"}}, // the night of Saturday to Sunday
		{"@every 1s", []string{"2026-11-28..2026-12-04"}, "2026-11-27 23:59:58", []string{"27 23:59", "05 00:00", "05 00:00"}},
	} {
		d := Definition{Name: "j", Action: "a", Schedule: c.schedule, Except: c.except}
		s, err := d.Timetable()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for due := s.Next(at(t, c.from)); len(got) < 3; due = s.Next(due) {
			got = append(got, due.Format("02 15:04"))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s except %v (-want +got):\n%s", c.schedule, c.except, diff)
		}
	}
}

func TestAnExceptionThatMeansNothingIsRefused(t *testing.T) {
	for _, text := range []string{"", "never", "2026-02-30", "13-01", "25:00-26:00", "10:00-10:00", "24:00-06:00", "mon-", "2026-12-26..2026-12-24",
		"2026-12-24..12-26", "sat sun", "mon 10:00", "10:00-12:00 mon", "sat,", "0-6"} {
		if e, err := parseException(text); err == nil {
			t.Errorf("%q is understood as %+v", text, e)
		}
	}
	_, err := Definition{Name: "j", Action: "a", Schedule: "0 0 * * 6", Except: []string{"fri-sun"}}.Timetable()
	if err == nil || err.Error() != "its exceptions leave no slot" {
		t.Errorf("got %v", err)
	}
}

func TestBoundsAndJitterMoveWithTheZoneAndTheName(t *testing.T) {
	got := slotsOf(t, Definition{Schedule: "0 12 * * *", TimeZone: "Europe/Paris", Starts: at(t, "2026-12-01T11:00:00Z"), Ends: at(t, "2026-12-03T11:00:00Z")},
		"2026-11-01T00:00:00Z", "2027-01-01T00:00:00Z")
	if diff := cmp.Diff([]string{"01 12:00:00 CET", "02 12:00:00 CET"}, got); diff != "" {
		t.Error(diff)
	}
	seen := map[time.Duration]bool{}
	for i := range 100 {
		d := Definition{Name: fmt.Sprintf("job-%d", i), Action: "a", Schedule: "0 12 * * *", Jitter: 10 * time.Minute}
		s, err := d.Timetable()
		if err != nil {
			t.Fatal(err)
		}
		first := s.Next(at(t, "2026-11-21 00:00")).Sub(at(t, "2026-11-21 12:00"))
		again := s.Next(at(t, "2027-05-01 00:00")).Sub(at(t, "2027-05-01 12:00"))
		if first < 0 || first >= 10*time.Minute || first != again {
			t.Errorf("%s: %v and %v", d.Name, first, again)
		}
		seen[first.Truncate(time.Minute)] = true
	}
	if len(seen) != 10 {
		t.Errorf("a hundred jobs fall into %d minutes of ten", len(seen))
	}
}

func TestAYearOfSecondsThatAreNoMereGridIsNotCounted(t *testing.T) {
	d := Definition{Name: "j", Action: "a", Schedule: "* * * * * *"}
	s, err := d.Timetable()
	if err != nil {
		t.Fatal(err)
	}
	until := at(t, "2026-11-21 10:00")
	begun := time.Now()
	got, earlier := s.Slots(until.AddDate(-1, 0, 0), until, 1000)
	if len(got) != 1000 || earlier < countable || !got[999].Equal(until) || !got[0].Equal(until.Add(-999*time.Second)) {
		t.Errorf("%d slots, %d earlier, from %v", len(got), earlier, got[0])
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}
