package jobs

import (
	"fmt"
	"strings"
	"testing"
)

// hundred is a file of a hundred jobs, some of which have another schedule.
func hundred(wrong map[int]string) []byte {
	var b strings.Builder
	b.WriteString("calendars: {holidays: [12-25, sun]}\ngroups: {reports: 2}\njobs:\n")
	for i := range 100 {
		schedule := "30 2 * * *"
		if w, ok := wrong[i]; ok {
			schedule = w
		}
		fmt.Fprintf(&b, "  - {name: job-%02d, schedule: %q, action: report, except: [holidays], group: reports}\n", i, schedule)
	}
	return []byte(b.String())
}

func TestOneBadEntryInAHundredAppliesNothing(t *testing.T) {
	good, err := ParseFile(hundred(nil))
	if err != nil || len(good) != 100 {
		t.Fatalf("got %d jobs, %v", len(good), err)
	}
	some, err := ParseFile(hundred(map[int]string{56: "@every 15 m"}))
	want := `60:30: schedule "@every 15 m": "15 m" is not a duration; write 30s, 15m, 1h30m or 24h`
	if len(some) != 0 || err == nil || err.Error() != want {
		t.Errorf("got %d jobs, %v, want none and %s", len(some), err, want)
	}
	_, err = ParseFile(hundred(map[int]string{0: "TZ=0", 56: "@every 15 m", 99: "0 0 30 2 *"}))
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("got %v, want three faults", err)
	}
}

func TestWhatTheDatabaseRefusesLeavesAllAsItWas(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.apply(Definition{Name: "was", Schedule: "@every 1m", Action: "ok"})
	good, err := ParseFile(hundred(nil))
	if err != nil {
		t.Fatal(err)
	}
	changes := Diff(l.current(), good)
	doc, err := changes.wishes(l.clock(), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	doc.Set[56].Overlap = "allow" // as a program of another age might
	for _, w := range doc.Set[56:57] {
		if w.Name != "job-56" {
			t.Fatalf("the order is another: %s", w.Name)
		}
	}
	if err := l.applyWishes(doc); err == nil || !strings.Contains(err.Error(), "overlap_is_known") {
		t.Errorf("got %v", err)
	}
	if now := l.current(); len(now) != 1 || now[0].Name != "was" {
		t.Errorf("%d jobs are there", len(now))
	}
}
