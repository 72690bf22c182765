package problem

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/problems.md anew")

func TestEveryCodeIsUniqueAndComplete(t *testing.T) {
	shape := regexp.MustCompile(`^COT-[1-9]\d\d$`)
	exits := []int{ExitFailed, ExitUsage, ExitDegraded, ExitNone, ExitRefused, ExitUnreachable, ExitTimedOut, ExitPartly}
	seen := map[string]bool{}
	titles := map[string]bool{}
	for _, e := range Table() {
		if !shape.MatchString(e.Code) || seen[e.Code] {
			t.Errorf("%s is malformed or there twice", e.Code)
		}
		if e.Title == "" || titles[e.Title] || strings.HasSuffix(e.Title, ".") {
			t.Errorf("%s: title %q", e.Code, e.Title)
		}
		if e.Remedy == "" || strings.HasSuffix(e.Remedy, ".") {
			t.Errorf("%s: remedy %q", e.Code, e.Remedy)
		}
		if !strings.HasSuffix(e.Explain, ".") {
			t.Errorf("%s: explanation %q", e.Code, e.Explain)
		}
		for line := range strings.SplitSeq(e.Explain, "\n") {
			if len(line) > 80 {
				t.Errorf("%s: line of %d columns", e.Code, len(line))
			}
		}
		if !slices.Contains(exits, e.Exit) {
			t.Errorf("%s: exit %d", e.Code, e.Exit)
		}
		seen[e.Code], titles[e.Title] = true, true

		p := New(e.Code, nil, "x")
		if p.Remedy == "" || p.Exit != e.Exit {
			t.Errorf("%s: made %+v", e.Code, p)
		}
	}
}

// Whoever uses a code adds its entry; this finds those who forgot.
func TestEveryCodeInUseHasAnEntry(t *testing.T) {
	used := regexp.MustCompile(`"COT-\d+"`)
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, quoted := range used.FindAllString(string(source), -1) {
			if _, ok := Lookup(strings.Trim(quoted, `"`)); !ok {
				t.Errorf("%s uses %s, which has no entry", path, quoted)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAProblemSaysWhatWhyAndTheRemedy(t *testing.T) {
	cause := errors.New("dial tcp 10.0.0.5:5432: refused")
	p := New("COT-201", cause, "database unreachable for %d s", 42)
	want := `COT-201 database unreachable for 42 s: dial tcp 10.0.0.5:5432: refused
    remedy  coterie doctor
    more    coterie doctor --explain COT-201`
	if diff := cmp.Diff(want, p.Text()); diff != "" {
		t.Error(diff)
	}
	if !errors.Is(p, cause) {
		t.Error("the cause is not unwrapped")
	}
}

func TestTheExitCodeIsTheProblemsOwn(t *testing.T) {
	refused := fmt.Errorf("drain: %w", New("COT-120", nil, "app-b is the last ready node"))
	for _, c := range []struct {
		err  error
		want int
	}{{nil, 0}, {errors.New("x"), 1}, {refused, 5}} {
		if got := Exit(c.err); got != c.want {
			t.Errorf("exit of %v = %d, want %d", c.err, got, c.want)
		}
	}
}

func TestACodeIsFoundHoweverItIsWritten(t *testing.T) {
	for _, code := range []string{"COT-310", "cot-310", "310"} {
		if e, ok := Lookup(code); !ok || e.Title != "file differs" {
			t.Errorf("%s: %+v", code, e)
		}
	}
	if e, ok := Lookup("COT-999"); ok {
		t.Errorf("COT-999: %+v", e)
	}
}

func TestThePageOfProblemsIsCurrent(t *testing.T) {
	const page = "../../docs/problems.md"
	got := markdown()
	if *update {
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/problems.md is not current (go test ./internal/problem -update):\n%s", diff)
	}
}

func markdown() string {
	var b strings.Builder
	b.WriteString(`<!-- Generated from internal/problem by its test; do not edit. -->

# Problems

What the command line and the agent report has a code. ` + "`coterie doctor --explain CODE`" + `
prints what is written here.

| code | problem | exit code |
|---|---|---|
`)
	for _, e := range Table() {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %d |\n", e.Code, strings.ToLower(e.Code), e.Title, e.Exit)
	}
	for _, e := range Table() {
		fmt.Fprintf(&b, "\n## %s\n\n**%s**\n\n%s\n\nRemedy: %s\n", e.Code, e.Title, e.Explain, e.Remedy)
	}
	return b.String()
}
