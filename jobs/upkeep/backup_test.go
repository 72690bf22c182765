package upkeep

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// pretended is a backup by programs that only seem to be pg_dump and pg_restore.
func pretended(t *testing.T, dump string) Backups {
	t.Helper()
	dir := t.TempDir()
	script := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
		return file
	}
	return Backups{
		Folder: filepath.Join(dir, "backups"), Database: "deploy", Keep: 2,
		Program: script("pg_dump", `[ "$1" = --version ] && { echo "pg_dump 15"; exit; }`+"\n"+dump),
		Restore: script("pg_restore", "echo '; a comment'; echo '1; table one'; echo; echo '2; table two'"),
		Fence:   func(context.Context) error { return nil },
	}
}

func at(hour int) Note {
	return Note{DueAt: time.Date(2026, 11, 21, hour, 0, 0, 0, time.UTC), Node: "a", Token: int64(hour)}
}

func left(t *testing.T, b Backups) []string {
	t.Helper()
	found, err := os.ReadDir(b.Folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range found {
		names = append(names, d.Name())
	}
	return names
}

func TestABackupIsReadBackNotedAndTheOldestGo(t *testing.T) {
	b := pretended(t, "echo content")
	for hour := 1; hour <= 3; hour++ {
		n, err := b.Take(t.Context(), at(hour))
		if err != nil {
			t.Fatal(err)
		}
		if n.Size != 8 || n.Objects != 2 || n.SHA256 != "434728a410a78f56fc1b5899c3593436e61ab0c731e9072d95e96db290205e53" || n.Program != "pg_dump 15" {
			t.Errorf("the note is %+v", n)
		}
	}
	if err := os.WriteFile(filepath.Join(b.Folder, "other-20200101T000000Z-1.dump.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	gone, err := b.Expire(t.Context())
	if err != nil || !slices.Equal(gone, []string{"deploy-20261121T010000Z-1.dump"}) {
		t.Errorf("deleted: %v, %v", gone, err)
	}
	if got := strings.Join(left(t, b), " "); got != "deploy-20261121T020000Z-2.dump deploy-20261121T020000Z-2.dump.json deploy-20261121T030000Z-3.dump deploy-20261121T030000Z-3.dump.json other-20200101T000000Z-1.dump.json" {
		t.Errorf("left: %s", got)
	}
	again := at(3)
	again.Token = 9
	if n, err := b.Take(t.Context(), again); err != nil || n.Token != 3 {
		t.Errorf("the slot is backed up once more: %+v, %v", n, err)
	}
}

func TestWhatIsNotWholeIsNoBackup(t *testing.T) {
	for name, dump := range map[string]string{
		"it fails half way": "echo half; echo 'permission denied for table t' >&2; exit 1",
		"it is killed":      "echo half; kill -9 $$",
	} {
		t.Run(name, func(t *testing.T) {
			b := pretended(t, dump)
			if _, err := b.Take(t.Context(), at(1)); err == nil || name == "it fails half way" && !strings.Contains(err.Error(), "permission denied for table t") {
				t.Errorf("the error is %v", err)
			}
			if got := left(t, b); len(got) != 0 {
				t.Errorf("left: %v", got)
			}
		})
	}
}

func TestWithoutTheLeaseNothingIsNamedOrDeleted(t *testing.T) {
	b := pretended(t, "echo content")
	lost := errors.New("the lease is lost")
	for _, allowed := range []int{0, 1} { // before it has its name, and before its note
		asked := 0
		b.Fence = func(context.Context) error {
			if asked++; asked > allowed {
				return lost
			}
			return nil
		}
		if _, err := b.Take(t.Context(), at(5)); !errors.Is(err, lost) {
			t.Errorf("after %d: %v", allowed, err)
		}
		if got := left(t, b); len(got) != 0 {
			t.Errorf("after %d left: %v", allowed, got)
		}
	}
	b.Fence = func(context.Context) error { return nil }
	for hour := range 4 {
		if _, err := b.Take(t.Context(), at(hour)); err != nil {
			t.Fatal(err)
		}
	}
	b.Fence = func(context.Context) error { return lost }
	if gone, err := b.Expire(t.Context()); !errors.Is(err, lost) || len(gone) > 0 {
		t.Errorf("deleted %v, %v", gone, err)
	}
}

func TestAShareThatGivesBackOtherBytesIsNoticed(t *testing.T) {
	b := pretended(t, "echo content")
	calls := 0
	b.Fence = func(context.Context) error {
		calls++
		found, err := filepath.Glob(filepath.Join(b.Folder, ".deploy-*"))
		if err != nil || len(found) != 1 {
			return fmt.Errorf("%v, %w", found, err)
		}
		return os.WriteFile(found[0], []byte("kontent\n"), 0o600)
	}
	if _, err := b.Take(t.Context(), at(1)); err == nil || !strings.Contains(err.Error(), "was written with") {
		t.Errorf("the error is %v", err)
	}
	if got := left(t, b); len(got) != 0 || calls != 1 {
		t.Errorf("left after %d calls: %v", calls, got)
	}
}

// What an attempt left that was killed is in nobody's way.
func TestHalvesOfFormerAttemptsAreRemoved(t *testing.T) {
	b := pretended(t, "echo content")
	if err := os.MkdirAll(b.Folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".deploy-20261121T000000Z-1.dump.tmp-77", "deploy-20261121T000000Z-1.dump", "deploy-of-mine.dump", "notes"} {
		if err := os.WriteFile(filepath.Join(b.Folder, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Take(t.Context(), at(1)); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(left(t, b), " "); got != "deploy-20261121T010000Z-1.dump deploy-20261121T010000Z-1.dump.json deploy-of-mine.dump notes" {
		t.Errorf("left: %s", got)
	}
}

func TestTwoRequestsOfOneSecondAreTwoBackups(t *testing.T) {
	whole := time.Date(2026, 11, 21, 1, 0, 0, 0, time.UTC)
	for _, at := range []time.Time{whole, whole.Add(250001 * time.Microsecond)} {
		name := "deploy-" + at.Format(layout) + "-7" + extension
		if !(Backups{Database: "deploy"}).ours(name) {
			t.Errorf("%s is not known again", name)
		}
	}
	if whole.Format(layout) == whole.Add(time.Microsecond).Format(layout) {
		t.Error("two instants have one name")
	}
	if got := whole.Format(layout); got != "20261121T010000Z" {
		t.Errorf("a slot is named %s", got)
	}
}
