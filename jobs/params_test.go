package jobs

import (
	"errors"
	"regexp"
	"strings"
	"testing"
)

var taken = []Param{
	{Name: "days", Type: IntParam, Min: 1, Max: 365, Default: "90", Optional: true},
	{Name: "mode", Type: WordParam, Words: []string{"full", "quick"}},
	{Name: "dry", Type: BoolParam, Words: []string{"true", "false"}, Default: "false", Optional: true},
	{Name: "repo", Type: TextParam, Min: 1, Max: 40, Pattern: regexp.MustCompile(`^[a-z -]+$`), Default: "main", Optional: true},
	{Name: "note", Type: TextParam, Max: 200, Optional: true},
}

func TestAParameterIsRefusedUnlessTheActionTakesIt(t *testing.T) {
	for name, c := range map[string]struct {
		given Params
		want  string
	}{
		"defaults":             {Params{"mode": "full"}, ""},
		"all":                  {Params{"mode": "quick", "days": "1", "dry": "true", "repo": "a-b", "note": "it's; $(rm) `x` \"y\" {days}"}, ""},
		"not given":            {Params{}, "the parameter mode is not given"},
		"unknown":              {Params{"mode": "full", "evil": "1"}, `the action takes no parameter "evil"`},
		"out of bounds":        {Params{"mode": "full", "days": "366"}, "the parameter days is 366, and must be 1 to 365"},
		"negative":             {Params{"mode": "full", "days": "-1"}, "the parameter days is -1, and must be 1 to 365"},
		"no number":            {Params{"mode": "full", "days": "9 0"}, `the parameter days is no whole number: "9 0"`},
		"a number in disguise": {Params{"mode": "full", "days": "+9"}, `the parameter days is no whole number: "+9"`},
		"another word":         {Params{"mode": "--full"}, `the parameter mode is "--full", and must be full or quick`},
		"a leading dash":       {Params{"mode": "full", "note": "--rm"}, "the parameter note begins with a dash"},
		"one dash":             {Params{"mode": "full", "repo": "-"}, "the parameter repo begins with a dash"},
		"another pattern":      {Params{"mode": "full", "repo": "A"}, "the parameter repo is \"A\", which does not match"},
		"a new line":           {Params{"mode": "full", "note": "a\nb"}, "the parameter note has a control character"},
		"a NUL":                {Params{"mode": "full", "note": "a\x00b"}, "the parameter note has a control character"},
		"an escape":            {Params{"mode": "full", "note": "a\x1b[2J"}, "the parameter note has a control character"},
		"no text":              {Params{"mode": "full", "note": "\xff"}, "the parameter note is no valid text"},
		"too long":             {Params{"mode": "full", "note": strings.Repeat("x", 201)}, "the parameter note has 201 bytes, and must have 0 to 200"},
		"a megabyte":           {Params{"mode": "full", "note": strings.Repeat("x", 1<<20)}, "the parameter note has 1048576 bytes, and at most 1000"},
	} {
		got, err := fill(taken, c.given)
		if c.want == "" {
			if err != nil || len(got) != len(taken) {
				t.Errorf("%s: got %v, %v", name, got, err)
			}
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), "refused: "+c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

func TestAValueNeverBecomesMoreThanOneArgument(t *testing.T) {
	values := Params{"note": "a b; $(rm -rf /) {days} 'q'", "days": "90"}
	for text, want := range map[string]string{
		"{note}":             "a b; $(rm -rf /) {days} 'q'",
		"--days={days}":      "--days=90",
		"{days}{days}":       "9090",
		"{unknown} {} {Day}": "{unknown} {} {Day}",
	} {
		if got := values.expand(text, asIs); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	if got := values.expand(`{"note": "{note}"}`, inJSON); got != `{"note": "a b; $(rm -rf /) {days} 'q'"}` {
		t.Errorf("in JSON: %s", got)
	}
	quoted := Params{"note": "a\"},\\ \u2028"}
	if got := quoted.expand(`"{note}"`, inJSON); got != `"a\"},\\ \u2028"` {
		t.Errorf("in JSON: %s", got)
	}
}

func TestTheDatabaseBoundsParametersToo(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.define(Definition{Name: "tidy", Params: Params{"days": "90"}})
	for name, params := range map[string]string{
		"no object":         `[1]`,
		"a number":          `{"days": 90}`,
		"an object":         `{"days": {"a": "b"}}`,
		"a name":            `{"Days": "90"}`,
		"an option as name": `{"--days": "90"}`,
		"a new line":        `{"days": "9\n0"}`,
		"a long value":      `{"days": "` + strings.Repeat("9", 1001) + `"}`,
		"many":              `{` + strings.TrimSuffix(manyParams(33), ",") + `}`,
	} {
		_, err := l.db.Exec(`UPDATE coterie.job SET params = $1::jsonb`, params)
		if code := state(t, err); code != "23514" {
			t.Errorf("%s: got %q, want 23514", name, code)
		}
	}
	if got := l.current()[0].Params.String(); got != "days=90" {
		t.Errorf("got %s", got)
	}
}

func manyParams(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`"p` + strings.Repeat("x", i%10) + string(rune('a'+i/10)) + `": "1",`)
	}
	return b.String()
}

func TestAFileOfJobsSaysWhatTheyAreGiven(t *testing.T) {
	jobs, err := ParseFile([]byte(`
jobs:
  - name: tidy
    schedule: "@every 1m"
    action: tidy
    params: {days: 90, dry: true, note: "x y"}
    keep: 30d
    long_after: 10m
  - name: asked
    action: report
    queue: true
`))
	if err != nil {
		t.Fatal(err)
	}
	if got := jobs[0].Params.String(); got != "days=90 dry=true note=x y" || jobs[0].Keep.Hours() != 720 || jobs[0].Long.Minutes() != 10 {
		t.Errorf("got %+v", jobs[0])
	}
	if !jobs[1].Queue || jobs[1].Schedule != OnRequest {
		t.Errorf("got %+v", jobs[1])
	}
	_, err = ParseFile([]byte(`
jobs:
  - name: tidy
    schedule: "@every 1m"
    action: tidy
    params: {Days: 90, list: [1], note: "a\nb"}
    keep: 5
    long_after: -1s
    queue: true
`))
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != 6 {
		t.Errorf("got %d faults, want 6:\n%v", len(faults), err)
	}
}
