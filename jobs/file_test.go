package jobs

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAFileOfJobsIsReadWithItsDefaults(t *testing.T) {
	got, err := ParseFile([]byte(`
# all of it
jobs:
  - name: audit-purge
    schedule: "@every 15m"
    action: audit-purge
    timeout: 10m
    misfire: once
    overlap: skip
  - {name: report, schedule: "30 2 * * *", time_zone: Europe/Paris, action: report, misfire: all, enabled: false}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Definition{
		{Name: "audit-purge", Gap: GapAuto, Fold: FoldAuto, OnLost: LostRecord, WhileAway: AwayStop, Schedule: "@every 15m", TimeZone: "UTC", Action: "audit-purge", Timeout: 10 * time.Minute, Overlap: OverlapSkip, Misfire: MisfireOnce},
		{Name: "report", Gap: GapAuto, Fold: FoldAuto, OnLost: LostRecord, WhileAway: AwayStop, Schedule: "30 2 * * *", TimeZone: "Europe/Paris", Action: "report", Overlap: OverlapSkip, Misfire: MisfireAll, Disabled: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEverythingThatIsWrongWithAFileIsToldAtOnce(t *testing.T) {
	_, err := ParseFile([]byte(`jobs:
  - name: Audit Purge
    shedule: "@every 15m"
    action: audit-purge
    timeout: 10
    misfire: onec
  - name: report
    schedule: "30 2 30 2 *"
    time_zone: Europe/Paris
    action: report
    enabled: maybe
    overlap: allow
  - name: report
    schedule: "TZ=UTC 0 0 * * *"
    action:
    timeout: -5m
    timeout: 5m
  - name: night
    schedule: "0 0 * * *"
    time_zone: Europe/Pariss
    action: [a, b]
  - just a word
job: {}
`))
	if err == nil {
		t.Fatal("no error")
	}
	want := strings.TrimSpace(`
2:5: the job has no schedule
2:11: the name "Audit Purge" must be lower-case letters, digits, dot, dash and underscore, at most 63, beginning with a letter or digit
3:5: unknown key "shedule"; did you mean schedule?
5:14: the timeout "10" must be a duration such as 90s or 10m
6:14: misfire must be once or skip or all, not "onec"; did you mean once?
8:15: schedule "30 2 30 2 *": it never comes: no month it names has such a day
11:14: enabled must be true or false, not "maybe"
12:14: overlap must be skip or queue or cancel, not "allow"
13:11: job "report" is there before, in line 7
14:15: schedule "TZ=UTC 0 0 * * *" carries a time zone; name it in time_zone instead
15:12: action must have a value
16:14: the timeout "-5m" must be a duration such as 90s or 10m
17:5: timeout is said before, in line 16
20:16: time zone "Europe/Pariss" is not known; use a name such as UTC or Europe/Paris
21:13: action must have a value
22:5: a job is a set of keys: name, schedule, action and others
23:1: unknown key "job"; did you mean jobs?`)
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
}

func TestAFileThatIsNoListOfJobsIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                        `1:1: the file is empty; it begins with "jobs:"`,
		"- name: x":               `1:1: the file must begin with "jobs:"`,
		"jobs: 5":                 `1:7: jobs must be a list: each job begins with "- name:"`,
		"{}":                      `1:1: there is no "jobs:"`,
		"jobs:\n  - name: [":      `2:1: did not find expected node content`,
		"jobs: []\n---\njobs: []": `2:1: a file holds one document; what follows the second --- would be lost`,
		"jobs: []\n---\n{":        `3:1: did not find expected node content`,
	} {
		_, err := ParseFile([]byte(text))
		if err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	if jobs, err := ParseFile([]byte("jobs: []")); err != nil || len(jobs) != 0 {
		t.Errorf("an empty list: got %v, %v", jobs, err)
	}
}

func TestAnActionThatNoNodeDefinesIsNamed(t *testing.T) {
	err := CheckActions([]Definition{{Name: "a", Action: "report"}, {Name: "b", Action: "repport"}, {Name: "c", Action: "x"}}, []string{"report", "purge"})
	want := "job b: no node defines the action \"repport\"; did you mean report?\njob c: no node defines the action \"x\""
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestADifferenceIsToldInLines(t *testing.T) {
	current := []Definition{
		{Name: "same", Schedule: "0 0 * * *", Action: "a"},
		{Name: "gone", Schedule: "@daily", Action: "a"},
		{Name: "other", Schedule: "@daily", Action: "a", Timeout: time.Minute},
	}
	wanted := []Definition{
		{Name: "other", Schedule: "@weekly", TimeZone: "Europe/Paris", Action: "a", Disabled: true},
		{Name: "new", Schedule: "@every 5s", Action: "b"},
		{Name: "same", Schedule: "0  0 * * *", TimeZone: "UTC", Action: "a", Misfire: MisfireOnce},
	}
	want := `- gone: removed; its history stays
+ new: "@every 5s", action b
~ other: schedule "@daily" -> "@weekly", time_zone UTC -> Europe/Paris, timeout 1m0s -> none, enabled true -> false
`
	if diff := cmp.Diff(want, Diff(current, wanted).String()); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add([]byte("jobs:\n  - name: a\n    schedule: \"@every 15m\"\n    action: b\n"))
	f.Add([]byte("jobs: &x\n  - *x\n"))
	f.Add([]byte("? [a]\n: b\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		found, err := ParseFile(text)
		if err != nil && err.Error() == "" {
			t.Fatal("an error without words")
		}
		for _, d := range found {
			if err := d.Validate(); err != nil {
				t.Fatalf("what was read is not valid: %v", err)
			}
		}
	})
}
