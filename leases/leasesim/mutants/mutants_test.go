package mutants

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var (
	run  = flag.Bool("mutants", false, "simulate over each mutant; each is compiled anew")
	only = flag.String("mutant", "", "only the mutants whose name contains this")
)

// hours are simulated over a mutant before it counts as not caught: some ten
// seconds on one processor.
const hours = 100

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// mutate is the file with the mutant's edit.
func (m mutant) mutate(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), m.file))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		t.Fatalf("%s has %d places for the edit, want one: %q", m.file, n, m.old)
	}
	return strings.Replace(string(text), m.old, m.new, 1)
}

func TestEveryMutantFitsTheCode(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			m.mutate(t)
			if seen[m.name] || m.old == m.new || m.like == "" {
				t.Error("a mutant has a name of its own, an edit, and something that it stands for")
			}
			seen[m.name] = true
		})
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
	t.Logf("caught in %ss: %s", took[1], what)
}

// simulate runs the simulation over the mutant, on one processor.
func (m mutant) simulate(t *testing.T) (string, error) {
	dir := t.TempDir()
	file, overlay := filepath.Join(dir, "mutant.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(root(t), m.file): file}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{file: m.mutate(t), overlay: string(replace)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-overlay="+overlay, "-count=1", "-v", "-run=TestStorms",
		"./leases/leasesim", fmt.Sprint("-sim.hours=", hours))
	cmd.Dir = root(t)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	return string(out), err
}
