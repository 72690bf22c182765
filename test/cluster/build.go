//go:build linux

package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// ProgramEnv names a coterie to run instead of building one.
const ProgramEnv = "COTERIE_TRIAL_PROGRAM"

// built is the program of this module, made for the first cluster that needs it
// and removed by Main.
var built struct {
	once    sync.Once
	dir     string
	program string
	err     error
}

// Program is the coterie to run; Main removes it.
func Program() (string, error) {
	if p := os.Getenv(ProgramEnv); p != "" {
		return p, nil
	}
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "coterie-trial-"); built.err == nil {
			built.program, built.err = Build(built.dir, "")
		}
	})
	return built.program, built.err
}

// Build builds the program of this module into a directory, with some files
// replaced when an overlay (see go help build) is given.
func Build(dir, overlay string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "coterie")
	args := []string{"build", "-buildvcs=false", "-o", program}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.Command("go", append(args, "./cmd/coterie")...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build coterie: %w\n%s", err, out)
	}
	return program, nil
}

// Root is the directory of this module.
func Root() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}

// Main is for TestMain: the test's program is also what the jobs run, and it
// cleans up.
func Main(m *testing.M) {
	if os.Getenv(witnessEnv) != "" {
		os.Exit(testify())
	}
	code := m.Run()
	if built.dir != "" {
		if err := os.RemoveAll(built.dir); err != nil {
			fmt.Fprintln(os.Stderr, errors.Join(errors.New("clean up"), err))
			code = 1
		}
	}
	os.Exit(code)
}
