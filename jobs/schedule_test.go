package jobs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/robfig/cron/v3"
	"pgregory.net/rapid"
)

func mustParse(t testing.TB, schedule, zone string) Schedule {
	t.Helper()
	s, err := Parse(schedule, zone)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999", "2006-01-02 15:04"} {
		if v, err := time.Parse(layout, text); err == nil {
			return v
		}
	}
	t.Fatalf("no time: %q", text)
	return time.Time{}
}

// next lists the first n slots after an instant, by the zone's wall clock.
func next(t testing.TB, schedule, zone, after string, n int) []string {
	t.Helper()
	s := mustParse(t, schedule, zone)
	var got []string
	for at := s.Next(at(t, after)); len(got) < n; at = s.Next(at) {
		got = append(got, at.In(s.zone).Format("01-02 15:04 MST"))
	}
	return got
}

func TestTheGridOfEveryDoesNotDependOnWhoAsksWhen(t *testing.T) {
	for _, c := range []struct{ every, after, want string }{
		{"15m", "2026-11-21 10:00:00", "2026-11-21 10:15:00"},
		{"15m", "2026-11-21 10:14:59.999999", "2026-11-21 10:15:00"},
		{"7s", "1970-01-01 00:00:00", "1970-01-01 00:00:07"},
		{"7s", "1969-12-31 23:59:59", "1970-01-01 00:00:00"},
		{"7s", "1969-12-31 23:59:50", "1969-12-31 23:59:53"},
		{"100ms", "2026-11-21 10:00:00.1", "2026-11-21 10:00:00.2"},
		{"24h", "2026-11-21 10:00:00", "2026-11-22 00:00:00"},
	} {
		s := mustParse(t, "@every "+c.every, "Europe/Paris")
		if got, want := s.Next(at(t, c.after)), at(t, c.want); !got.Equal(want) {
			t.Errorf("@every %s after %s: got %v, want %v", c.every, c.after, got, want)
		}
	}
}

func TestASlotInTheSkippedHourRunsOnceAfterTheGap(t *testing.T) {
	for _, c := range []struct {
		schedule, zone, after string
		want                  []string
	}{
		{"30 2 * * *", "Europe/Paris", "2026-03-27T12:00:00Z", []string{"03-28 02:30 CET", "03-29 03:00 CEST", "03-30 02:30 CEST"}},
		{"30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", []string{"03-08 03:00 EDT", "03-09 02:30 EDT"}},
		{"0 0 * * *", "Africa/Cairo", "2026-04-22T22:00:00Z", []string{"04-24 01:00 EEST", "04-25 00:00 EEST"}},
		{"15 2 * * *", "Australia/Lord_Howe", "2026-10-02T20:00:00Z", []string{"10-04 02:30 +11", "10-05 02:15 +11"}},
		{"0 */2 * * *", "Europe/Paris", "2026-03-29T00:00:00Z", []string{"03-29 03:00 CEST", "03-29 04:00 CEST"}},
		// Twelve slots of the skipped hour fall together; the one at 03:00 is theirs too.
		{"*/5 2,3 * * *", "Europe/Paris", "2026-03-29T00:59:00Z", []string{"03-29 03:00 CEST", "03-29 03:05 CEST"}},
		// Samoa skipped the whole of 30 December 2011.
		{"0 12 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", []string{"12-29 12:00 -10", "12-31 00:00 +14", "12-31 12:00 +14"}},
	} {
		got := next(t, c.schedule, c.zone, c.after, len(c.want))
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s in %s (-want +got):\n%s", c.schedule, c.zone, diff)
		}
	}
}

func TestASlotInTheRepeatedHourRunsInTheFirst(t *testing.T) {
	for _, c := range []struct {
		schedule, zone, after string
		want                  []string
	}{
		{"30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", []string{"11-01 01:30 EDT", "11-02 01:30 EST"}},
		{"30 2 * * *", "Europe/Paris", "2026-10-24T12:00:00Z", []string{"10-25 02:30 CEST", "10-26 02:30 CET"}},
		{"45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", []string{"04-05 01:45 +11", "04-06 01:45 +1030"}},
		{"*/20 1 * * *", "America/New_York", "2026-11-01T05:10:00Z", []string{"11-01 01:20 EDT", "11-01 01:40 EDT", "11-02 01:00 EST"}},
	} {
		got := next(t, c.schedule, c.zone, c.after, len(c.want))
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s in %s (-want +got):\n%s", c.schedule, c.zone, diff)
		}
	}
}

func TestTheSecondOfTheRepeatedHoursIsPassedOver(t *testing.T) {
	got := next(t, "*/20 1 * * *", "America/New_York", "2026-11-01T06:10:00Z", 1)
	if diff := cmp.Diff([]string{"11-02 01:00 EST"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAScheduleOfEveryHourFollowsElapsedTime(t *testing.T) {
	want := []string{"11-01 00:30 EDT", "11-01 01:30 EDT", "11-01 01:30 EST", "11-01 02:30 EST"}
	if diff := cmp.Diff(want, next(t, "30 * * * *", "America/New_York", "2026-11-01T04:00:00Z", 4)); diff != "" {
		t.Errorf("change back (-want +got):\n%s", diff)
	}
	want = []string{"03-08 01:30 EST", "03-08 03:30 EDT"}
	if diff := cmp.Diff(want, next(t, "30 * * * *", "America/New_York", "2026-03-08T06:00:00Z", 2)); diff != "" {
		t.Errorf("change to summer time (-want +got):\n%s", diff)
	}
}

func TestDaysOfMonthAndWeekAreAlternativesWhenBothAreNamed(t *testing.T) {
	want := []string{"11-23 00:00 UTC", "11-30 00:00 UTC", "12-01 00:00 UTC", "12-07 00:00 UTC"}
	if diff := cmp.Diff(want, next(t, "0 0 1 * MON", "", "2026-11-21T00:00:00Z", 4)); diff != "" {
		t.Error(diff)
	}
	want = []string{"02-29 06:00 UTC", "02-29 06:00 UTC"}
	if diff := cmp.Diff(want, next(t, "0 6 29 2 *", "", "2096-03-01T00:00:00Z", 2)); diff != "" {
		t.Error(diff)
	}
}

func TestScheduleThatMeansNothingIsRefusedWithARemedy(t *testing.T) {
	for _, c := range []struct{ schedule, zone, want string }{
		{"", "", "is empty"},
		{"TZ=", "", "time_zone"},
		{"TZ=0", "", "time_zone"},
		{"CRON_TZ=UTC", "", "time_zone"},
		{"  CRON_TZ=Europe/Paris 30 2 * * *", "", "time_zone"},
		{"0 0 30 2 *", "", "never comes"},
		{"0 0 31 4,6,9,11 *", "", "never comes"},
		{"@every 0s", "", "at least 100ms"},
		{"@every -5m", "", "at least 100ms"},
		{"@every 1ns", "", "at least 100ms"},
		{"@every 1500us", "", "at least 100ms"},
		{"@every 100500us", "", "whole milliseconds"},
		{"@every 1d", "", "24h"},
		{"@every", "", "@every 15m"},
		{"@everyday", "", "@every 15m"},
		{"*/90 * * * *", "", "never be taken"},
		{"0 */24 * * *", "", "never be taken"},
		{"10-20/15 * * * *", "", "never be taken"},
		{"0 0 * * 7", "", "Sunday is 0"},
		{"60 * * * *", "", "above maximum"},
		{"* * * *", "", "expected 5 to 6 fields"},
		{"0 * * * * * *", "", "expected 5 to 6 fields"},
		{"*/90 * * * * *", "", "never be taken"},
		{"60 * * * * *", "", "above maximum"},
		{"@reboot", "", "unrecognized descriptor"},
		{"0 0 * * *", "Europe/Pariss", `time zone "Europe/Pariss" is not known`},
		{"0 0 * * *", "Local", "differs from node to node"},
		{"0 0 * * *", "../../etc/passwd", "is not known"},
	} {
		_, err := Parse(c.schedule, c.zone)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Parse(%q, %q): got %v, want an error that says %q", c.schedule, c.zone, err, c.want)
		}
	}
}

func TestSlotsGivesTheLatestAndCountsTheRest(t *testing.T) {
	year := 365 * 24 * time.Hour
	until := at(t, "2026-11-21 10:00:00")
	for _, c := range []struct {
		schedule string
		after    time.Time
		limit    int
		earlier  int
		latest   int
	}{
		{"@every 1s", until.Add(-year), 1000, 365*86400 - 1000, 1000},
		{"@every 1s", until.Add(-3 * time.Second), 1000, 0, 3},
		{"@every 1h", until.Add(-time.Nanosecond), 1, 0, 1},
		{"@every 1h", until, 10, 0, 0},
		{"* * * * *", until.Add(-24 * time.Hour), 100, 1340, 100},
		{"0 * * * *", until.Add(-24 * time.Hour), 100, 0, 24},
	} {
		latest, earlier := mustParse(t, c.schedule, "").Slots(c.after, until, c.limit)
		if len(latest) != c.latest || earlier != c.earlier {
			t.Errorf("%s since %v: got %d slots and %d earlier, want %d and %d", c.schedule, c.after, len(latest), earlier, c.latest, c.earlier)
		}
		if n := len(latest); n > 0 && (!latest[n-1].Equal(until) || latest[0].After(latest[n-1])) {
			t.Errorf("%s since %v: the latest slots are %v to %v", c.schedule, c.after, latest[0], latest[n-1])
		}
	}
}

// zones are places whose changes are unlike each other, with years of changes.
var zones = []struct {
	name string
	from string
}{
	{"UTC", "2026-01-01 00:00"},
	{"Europe/Paris", "2026-03-28 00:00"}, {"Europe/Paris", "2026-10-24 00:00"},
	{"America/New_York", "2026-03-07 00:00"}, {"America/New_York", "2026-10-31 00:00"},
	{"Australia/Lord_Howe", "2026-04-04 00:00"}, {"Australia/Lord_Howe", "2026-10-03 00:00"},
	{"Africa/Cairo", "2026-04-23 00:00"}, {"Africa/Cairo", "2026-10-29 00:00"},
	{"America/Sao_Paulo", "2018-11-03 00:00"}, {"Africa/Casablanca", "2026-02-14 00:00"},
	{"Asia/Kathmandu", "2026-05-01 00:00"}, {"Pacific/Apia", "2011-12-29 00:00"},
	{"Africa/Monrovia", "1972-01-06 00:00"}, {"Antarctica/Troll", "2026-03-28 00:00"},
}

// field draws one cron field.
func field(low, high int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		n := rapid.IntRange(low, high)
		switch rapid.IntRange(0, 5).Draw(t, "form") {
		case 0, 1:
			return "*"
		case 2:
			return fmt.Sprint(n.Draw(t, "n"))
		case 3:
			return fmt.Sprintf("*/%d", rapid.IntRange(1, high-low).Draw(t, "step"))
		case 4:
			a, b := n.Draw(t, "a"), n.Draw(t, "b")
			return fmt.Sprintf("%d-%d", min(a, b), max(a, b))
		default:
			return fmt.Sprintf("%d,%d", n.Draw(t, "a"), n.Draw(t, "b"))
		}
	})
}

// TestCronAgreesWithCountingMinutes compares Next with an oracle that walks
// every minute of three days around a change and knows only the rule.
func TestCronAgreesWithCountingMinutes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z := rapid.SampledFrom(zones).Draw(t, "zone")
		text := strings.Join([]string{
			field(0, 59).Draw(t, "minute"), field(0, 23).Draw(t, "hour"),
			field(1, 31).Draw(t, "dom"), field(1, 12).Draw(t, "month"), field(0, 6).Draw(t, "dow"),
		}, " ")
		s, err := Parse(text, z.name)
		if err != nil {
			t.Skip(err)
		}
		from, err := time.Parse("2006-01-02 15:04", z.from)
		if err != nil {
			t.Fatal(err)
		}
		until := from.Add(72 * time.Hour)
		want := count(text, s.zone, from, until)
		got, earlier := s.Slots(from, until, 5000)
		if earlier != 0 || len(got) != len(want) {
			t.Fatalf("%s in %s: got %d slots, want %d\n got %v\nwant %v", text, z.name, len(got), len(want), got, want)
		}
		for i := range got {
			if !got[i].Equal(want[i]) {
				t.Fatalf("%s in %s: slot %d is %v, want %v", text, z.name, i, got[i].In(s.zone), want[i].In(s.zone))
			}
		}
		// Asked at any instant, also within a repeated hour, it gives the first that follows.
		after := from.Add(time.Duration(rapid.IntRange(0, 72*3600).Draw(t, "after")) * time.Second)
		i, _ := slices.BinarySearchFunc(want, after.Add(1), time.Time.Compare)
		if got := s.Next(after); i < len(want) && !got.Equal(want[i]) {
			t.Fatalf("%s in %s after %v: got %v, want %v", text, z.name, after.In(s.zone), got.In(s.zone), want[i].In(s.zone))
		}
	})
}

// count is the oracle: every minute the wall clock reads for the first time, or
// jumps over, is due if the fields name it; with every hour named, every minute
// that the wall clock reads is.
func count(text string, zone *time.Location, from, until time.Time) []time.Time {
	parsed, err := cron.ParseStandard(text)
	if err != nil {
		panic(err)
	}
	f := parsed.(*cron.SpecSchedule)
	named := func(r time.Time) bool {
		dom, dow := f.Dom>>uint(r.Day())&1 == 1, f.Dow>>uint(r.Weekday())&1 == 1
		day := dom || dow
		if f.Dom>>63 == 1 || f.Dow>>63 == 1 {
			day = dom && dow
		}
		return day && f.Minute>>uint(r.Minute())&1 == 1 && f.Hour>>uint(r.Hour())&1 == 1 && f.Month>>uint(r.Month())&1 == 1
	}
	reading := func(t time.Time) time.Time { // of the wall clock, as if it were UTC
		_, offset := t.In(zone).Zone()
		return t.Add(time.Duration(offset) * time.Second).UTC()
	}
	hourly := f.Hour&(1<<24-1) == 1<<24-1
	var due []time.Time
	read := reading(from.Add(-26 * time.Hour)).Truncate(time.Minute)
	for t := from.Add(-26 * time.Hour); !t.After(until); t = t.Add(time.Second) {
		r := reading(t)
		if hourly {
			if r.Second() == 0 && named(r) && t.After(from) {
				due = append(due, t)
			}
			continue
		}
		hit := false
		for ; !read.Add(time.Minute).After(r); read = read.Add(time.Minute) {
			hit = hit || named(read.Add(time.Minute))
		}
		if hit && t.After(from) {
			due = append(due, t)
		}
	}
	return due
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"TZ=", "TZ=0", "CRON_TZ=UTC", "TZ=UTC ", "@every 1h", "@every -1h", "*/90 * * * *", "0 0 30 2 *",
		"30 2 * * *", "0-59/7 1,2 */3 JAN-MAR ?", "@yearly", "@every 9223372036s"} {
		f.Add(s, "Europe/Paris")
	}
	f.Add("@daily", "Africa/Cairo")
	start := time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, schedule, zone string) {
		s, err := Parse(schedule, zone)
		if err != nil {
			return
		}
		a := s.Next(start)
		if b := s.Next(a); !a.After(start) || !b.After(a) {
			t.Fatalf("%q in %q: %v, then %v after %v", schedule, zone, b, a, start)
		}
	})
}

func BenchmarkNextOfADailySchedule(b *testing.B) {
	s := mustParse(b, "30 2 * * *", "Europe/Paris")
	at := time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)
	for b.Loop() {
		at = s.Next(at)
		if at.Year() > 2040 {
			at = time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)
		}
	}
}
