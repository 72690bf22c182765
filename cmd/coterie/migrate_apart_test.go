//go:build unix

package main

import (
	"errors"
	"os/exec"
	"testing"
)

// A command that was terminated has not succeeded, though whoever waited for it listens
// to that signal and lives.
func TestACommandApartThatIsTerminatedHasNotSucceeded(t *testing.T) {
	for script, want := range map[string]outcome{"exit 0": 0, "exit 7": 7, "kill -TERM $$": 143, "kill -INT $$": 130} {
		cmd := exec.Command("/bin/sh", "-c", script)
		err := cmd.Run()
		if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
			t.Fatal(err)
		}
		if got := sameEnd(cmd.ProcessState); !errors.Is(got, want) {
			t.Errorf("%s: %v, want code %d", script, got, int(want))
		}
	}
}
