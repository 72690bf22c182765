package appdata

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// watched runs a Watcher on a folder, and gives what it tells.
func watched(t *testing.T, dir string) <-chan Dirty {
	t.Helper()
	layout, err := LayoutOf("generic")
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan Dirty, 1000)
	ctx, cancel := context.WithCancelCause(context.Background())
	ended := make(chan error, 1)
	end := errors.New("the test is over")
	go func() {
		ended <- Watcher{Root: dir, Skip: layout.Skips, Settle: 40 * time.Millisecond, Most: 300 * time.Millisecond}.Run(ctx, func(d Dirty) error {
			told <- d
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel(end)
		if err := <-ended; !errors.Is(err, end) {
			t.Errorf("the watch ended: %v", err)
		}
	})
	if d := <-told; !d.Ready {
		t.Fatalf("got %+v", d)
	}
	return told
}

// until collects what is told until a folder is among it.
func until(t *testing.T, told <-chan Dirty, folders ...string) (all Dirty) {
	t.Helper()
	late := time.After(20 * time.Second)
	for slices.ContainsFunc(folders, func(f string) bool { return !slices.Contains(all.Folders, f) }) {
		select {
		case d := <-told:
			all.Folders, all.Busy = append(all.Folders, d.Folders...), append(all.Busy, d.Busy...)
			if d.Lost != "" {
				t.Fatal(d.Lost)
			}
		case <-late:
			t.Fatalf("told are %+v, want %q", all, folders)
		}
	}
	return all
}

func do(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestAWatchTellsWhereSomethingHappened(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	do(t, os.MkdirAll(in("a/b"), 0o755), os.MkdirAll(in("c"), 0o755), os.MkdirAll(in(".coterie/nodes"), 0o755))
	told := watched(t, dir)
	do(t, os.WriteFile(in("a/b/new"), nil, 0o600), os.WriteFile(in(".coterie/nodes/x"), nil, 0o600), os.WriteFile(in("c/x.tmp"), nil, 0o600))
	if d := until(t, told, "a/b"); len(d.Folders) != 1 {
		t.Errorf("told are %q", d.Folders)
	}
	do(t, os.Rename(in("a/b/new"), in("c/moved")))
	until(t, told, "a/b", "c")
	do(t, os.Chmod(in("c/moved"), 0o644))
	until(t, told, "c")
	do(t, os.Remove(in("c/moved")))
	until(t, told, "c")
	// What is made at once with all in it is watched before it is listed.
	do(t, os.MkdirAll(in("new/tree/deep"), 0o755), os.WriteFile(in("new/tree/deep/file"), nil, 0o600))
	until(t, told, ".", "new", "new/tree", "new/tree/deep")
	do(t, os.WriteFile(in("new/tree/deep/later"), nil, 0o600))
	until(t, told, "new/tree/deep")
	do(t, os.Rename(in("new/tree"), in("c/tree")))
	until(t, told, "new", "c", "c/tree", "c/tree/deep")
	do(t, os.WriteFile(in("c/tree/deep/after"), nil, 0o600))
	until(t, told, "c/tree/deep")
}

// A thousand changes of a moment are a few words, and what is still being written
// is named until it rests.
func TestBurstsAreGatheredAndHalfWrittenFilesNamed(t *testing.T) {
	dir := t.TempDir()
	told := watched(t, dir)
	for i := range 1000 {
		do(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o600))
	}
	times := len(until(t, told, ".").Folders)
	f, err := os.Create(filepath.Join(dir, "slow"))
	if err != nil {
		t.Fatal(err)
	}
	busy := 0
	for end := time.Now().Add(time.Second); time.Now().Before(end); <-time.After(5 * time.Millisecond) {
		_, err := f.WriteString("more")
		do(t, err)
		select {
		case d := <-told:
			if slices.Contains(d.Busy, "slow") {
				busy++
			}
			times++
		default:
		}
	}
	do(t, f.Close())
	if busy == 0 {
		t.Error("a file that was being written was not named")
	}
	for len(until(t, told, ".").Busy) > 0 { // what was told before it was closed; at last it rests
		times++
	}
	if times > 100 {
		t.Errorf("told %d times", times)
	}
}

func TestAWatchOfAFolderThatIsTakenAwayEnds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "share")
	do(t, os.Mkdir(dir, 0o755))
	ended := make(chan error, 1)
	ready := make(chan Dirty, 10)
	go func() {
		ended <- Watcher{Root: dir}.Run(context.Background(), func(d Dirty) error { ready <- d; return nil })
	}()
	<-ready
	do(t, os.Remove(dir))
	if err := <-ended; err == nil {
		t.Error("it goes on")
	}
}
