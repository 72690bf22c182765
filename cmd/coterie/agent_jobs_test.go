package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/coterie-ha/coterie/coordinator/supervisor"
)

// waiting is a run of which is said, one after the other, what errs say, and then
// that it has ended.
type waiting struct {
	errs  []error
	calls int
}

func (w *waiting) wait(context.Context) (supervisor.Exit, error) {
	w.calls++
	if w.calls <= len(w.errs) {
		return supervisor.Exit{Code: -1}, w.errs[w.calls-1]
	}
	return supervisor.Exit{Code: 7}, nil
}

func TestARunWhoseProcessesDoNotDieIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := &supervisor.StuckError{ID: "a"}
		w := &waiting{errs: []error{stuck, stuck, stuck}}
		told := 0
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // its authority has ended long ago
		exit, err := outlast(ctx, w.wait, func(error) { told++ })
		if err != nil || exit.Code != 7 || told != 3 {
			t.Errorf("got %+v, %v, told %d times", exit, err, told)
		}
	})
}

// It would be asked for ever otherwise, and its node would never give the lease back.
func TestALostSupervisorIsNotAskedForEver(t *testing.T) {
	stuck := &supervisor.StuckError{ID: "a"}
	for name, lost := range map[string]error{
		"gone": supervisor.ErrGone, "silent": supervisor.ErrSilent,
		"gone, and something lives": errors.Join(supervisor.ErrGone, stuck), "silent, and something lives": errors.Join(stuck, supervisor.ErrSilent),
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &waiting{errs: []error{stuck, lost, lost, lost}}
			_, err := outlast(t.Context(), w.wait, func(error) {})
			if !errors.Is(err, lost) || w.calls != 2 {
				t.Errorf("%s: got %v after %d calls, want it after the second", name, err, w.calls)
			}
		})
	}
}

func sha256Of(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func TestAProgramThatIsCheckedIsTheOneThatRuns(t *testing.T) {
	file := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(file, []byte("checked"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := openChecked(file, sha256Of("another")); err == nil {
		t.Error("a wrong digest was taken")
	}
	f, err := openChecked(file, sha256Of("checked"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// Somebody puts another program in its place between the check and the start.
	other := file + ".new"
	if err := os.WriteFile(other, []byte("another"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, file); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 7)
	if _, err := f.ReadAt(got, 0); err != nil || string(got) != "checked" {
		t.Errorf("got %q, %v", got, err)
	}
}
