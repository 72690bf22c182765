package mutants

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	run  = flag.Bool("mutants", false, "run the tests over each mutant; each is compiled anew")
	only = flag.String("mutant", "", "only the mutants whose name contains this")
)

// most is how long a test may take to catch a mutant. One that waits for ever is
// caught by then.
const most = 50 * time.Second

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestEachMutantFitsTheCodeAndTheManual(t *testing.T) {
	var all []Mutant
	for _, m := range tried {
		all = append(all, m.Mutant)
	}
	for _, err := range Fit(root(t), all) {
		t.Error(err)
	}
}

// The rules for a list of mutants, each broken once.
func TestAMutantThatDoesNotFitIsTold(t *testing.T) {
	for what, m := range map[string]Mutant{
		"no edit":            {"x", "y", nil},
		"nothing it is like": {"x", "", []Edit{{"go.mod", "module ", "modul "}}},
		"no such file":       {"x", "y", []Edit{{"gone.mod", "module ", "modul "}}},
		"no place":           {"x", "y", []Edit{{"go.mod", "modul ", "module "}}},
		"many places":        {"x", "y", []Edit{{"go.mod", "github", "gitlab"}}},
		"no change":          {"x", "y", []Edit{{"go.mod", "module ", "module "}}},
		"no line":            {"no such name", "y", []Edit{{"go.mod", "module ", "modul "}}},
	} {
		if len(Fit(root(t), []Mutant{m})) == 0 {
			t.Errorf("%s, and nothing is told", what)
		}
	}
}

func TestEachMutantIsCaught(t *testing.T) {
	if !*run {
		t.Skip("NOT RUN: each mutant is compiled and tested, which takes minutes: -mutants")
	}
	for _, m := range tried {
		if strings.Contains(m.Name, *only) {
			t.Run(m.Name, m.caught)
		}
	}
}

// failed is what go test says of a package whose test failed, or hung until its
// time was over; something that does not compile has no time.
var failed = regexp.MustCompile(`(?m)^FAIL\t\S+\t([0-9.]+)s`)

// caught runs the test over the right program, where it must pass, and over the
// mutant, where it must fail.
func (m trial) caught(t *testing.T) {
	if out, err := m.test(t, ""); err != nil {
		t.Fatalf("%s fails over the right program: %v\n%s", m.by, err, out)
	}
	overlay, err := m.Overlay(root(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.test(t, overlay)
	if err == nil {
		t.Fatalf("not caught by %s", m.by)
	}
	said := failed.FindStringSubmatch(out)
	if exit := new(exec.ExitError); !errors.As(err, &exit) || said == nil {
		t.Fatalf("the test did not run: %v\n%s", err, out)
	}
	took, err := strconv.ParseFloat(said[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", m.Row("`"+m.by+"`", took))
}

func (m trial) test(t *testing.T, overlay string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	args := []string{"test", "-count=1", "-short", fmt.Sprint("-timeout=", most), "-run", "^" + m.by + "$"}
	cmd := exec.CommandContext(ctx, "go", append(args, m.in)...)
	cmd.Dir = root(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if overlay != "" {
		// Tests that build programs build the mutant.
		cmd.Env = append(cmd.Env, "GOFLAGS=-overlay="+overlay)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}
