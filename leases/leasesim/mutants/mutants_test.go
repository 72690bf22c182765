package mutants

import (
	"context"
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

	mutation "github.com/coterie-ha/coterie/test/mutants"
)

var (
	run  = flag.Bool("mutants", false, "simulate over each mutant; each is compiled anew")
	only = flag.String("mutant", "", "only the mutants whose name contains this")
)

// hours are simulated over a mutant before it counts as not caught: some ten
// seconds on two processors.
const hours = 200

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestEveryMutantFitsTheCodeAndTheManual(t *testing.T) {
	var all []mutation.Mutant
	for _, m := range mutants {
		all = append(all, m.as())
	}
	for _, err := range mutation.Fit(root(t), all) {
		t.Error(err)
	}
}

func TestEveryMutantIsCaught(t *testing.T) {
	if !*run {
		t.Skip("NOT RUN: each mutant is compiled and simulated, which takes minutes: -mutants")
	}
	for _, m := range mutants {
		if strings.Contains(m.name, *only) {
			t.Run(m.name, m.caught)
		}
	}
}

var (
	violation = regexp.MustCompile(`seed \d+: .*`)
	duration  = regexp.MustCompile(`--- FAIL: TestStormsBreakNoPromise \(([0-9.]+)s\)`)
)

func (m mutant) caught(t *testing.T) {
	out, err := m.simulate(t)
	if err == nil {
		t.Fatalf("not caught in %d hours", hours)
	}
	what, took := violation.FindString(out), duration.FindStringSubmatch(out)
	if what == "" || took == nil {
		t.Fatalf("the simulation did not run: %v\n%s", err, out)
	}
	seconds, err := strconv.ParseFloat(took[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s\n%s", what, m.as().Row("simulation", seconds))
}

// simulate runs the simulation over the mutant.
func (m mutant) simulate(t *testing.T) (string, error) {
	overlay, err := m.as().Overlay(root(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-overlay="+overlay, "-count=1", "-v", "-run=TestStorms",
		"./leases/leasesim", fmt.Sprint("-sim.hours=", hours))
	cmd.Dir = root(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	return string(out), err
}
