package appdata

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestScanOfAnUnmountedShareIsVoid(t *testing.T) {
	s := ours(t)
	plant(t, s.Path, "var/a", "1")
	plant(t, s.Path, "var/b", "1")
	gone := errors.New("gone")
	checks := 0
	for failAt := 1; failAt <= 2; failAt++ {
		checks = 0
		m, err := Scanner{Root: s.Path, Check: func() error {
			if checks++; checks == failAt {
				return gone
			}
			return nil
		}}.Scan(t.Context())
		if !errors.Is(err, gone) || m.Root() != nil || m.Dir("var") != nil {
			t.Errorf("check %d failed: got %v and %q", failAt, err, text(m))
		}
	}
	if err := os.Rename(s.Path+"/.coterie", s.Path+"/.x"); err != nil {
		t.Fatal(err)
	}
	if _, err := (Scanner{Root: s.Path, Check: s.Present}).Scan(t.Context()); !errors.Is(err, ErrNoMarker) {
		t.Errorf("got %v, want ErrNoMarker", err)
	}
	var foreign *ForeignError
	s.Path = t.TempDir()
	mark(t, s.Path, theirID, 1)
	if err := s.Present(); !errors.As(err, &foreign) {
		t.Errorf("got %v, want a ForeignError", err)
	}
	if _, err := (Scanner{Root: s.Path + "/none"}).Scan(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestInterruptedScanIsTakenUp(t *testing.T) {
	files := map[string]string{}
	for i := range 300 {
		files[fmt.Sprintf("f%03d", i)] = "content"
		files[fmt.Sprintf("d%02d/f%03d", i%10, i)] = "content"
	}
	dir := tree(t, files)
	const all = 600 * 7
	future := time.Now().Add(time.Hour)
	var known func(string) *Dir
	read := int64(0)
	var last *Manifest
	for round := 0; ; round++ {
		if round > 300 {
			t.Fatal("the scan does not come to its end")
		}
		ctx, cancel := context.WithCancel(t.Context())
		var p Progress
		var seen atomic.Int64
		m, err := Scanner{Root: dir, Clock: future, Known: known, Progress: &p, Workers: 2, Skip: func(string) bool {
			if seen.Add(1) == 50*int64(round+1) { // each round comes further
				cancel()
			}
			return false
		}}.Scan(ctx)
		cancel()
		read += p.Read.Load()
		if err == nil {
			last = m
			break
		}
		if !errors.Is(err, context.Canceled) || m.Root() != nil {
			t.Fatalf("got %v, and a root: %v", err, m.Root() != nil)
		}
		known = m.Over(known)
	}
	if read > all+all/4 {
		t.Errorf("%d bytes were read for %d, want hardly any twice", read, all)
	}
	wantLines(t, "against a scan in one go", changes(last, scan(t, Scanner{Root: dir})), nil)
}

func TestUnfinishedFoldersAreKnownButNotTrusted(t *testing.T) {
	dir := tree(t, map[string]string{"a": "aaa", "b": "bbb"})
	future := time.Now().Add(time.Hour)
	whole := scan(t, Scanner{Root: dir, Clock: future})
	half := *whole.Root()
	half.unfinished, half.Sums, half.Entries = true, Sums{}, half.Entries[1:]
	older := *whole.Root()
	older.Entries = older.Entries[:1]
	m := &Manifest{dirs: map[string]*Dir{".": &half}}
	var p Progress
	again := scan(t, Scanner{Root: dir, Clock: future, Progress: &p, Known: m.Over(func(string) *Dir { return &older })})
	if n := p.Read.Load(); n != 0 {
		t.Errorf("%d bytes were read though both files are known", n)
	}
	if again.Root().Sums != whole.Root().Sums {
		t.Errorf("sums %v, want %v", again.Root().Sums, whole.Root().Sums)
	}
}

func TestScanKeepsItsPace(t *testing.T) {
	dir := tree(t, map[string]string{"a": strings.Repeat("x", 3000), "b": "", "c": ""})
	begun := time.Now()
	scan(t, Scanner{Root: dir, OpsPerSecond: 20, Workers: 4})
	if took := time.Since(begun); took < 100*time.Millisecond {
		t.Errorf("three names at 20 per second took %v", took)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("enough"))
	defer cancel()
	begun = time.Now()
	if _, err := (Scanner{Root: dir, OpsPerSecond: 1}).Scan(ctx); err == nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("a scan that was told to end took %v", took)
	}
}

func TestNoFileStaysOpen(t *testing.T) {
	files := map[string]string{}
	for i := range 2000 {
		files[fmt.Sprintf("d%d/e%d/f", i%40, i)] = "x"
	}
	dir := tree(t, files)
	before := len(openFiles(t))
	scan(t, Scanner{Root: dir})
	for _, n := range []int{1, 10, 100, 1000} {
		ctx, cancel := context.WithCancel(t.Context())
		seen := 0
		_, err := Scanner{Root: dir, Workers: 1, Skip: func(string) bool {
			if seen++; seen == n {
				cancel()
			}
			return false
		}}.Scan(ctx)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	own := errors.New("enough")
	if err := (Scanner{Root: dir}).Walk(t.Context(), func(*Dir) error { return own }); !errors.Is(err, own) {
		t.Errorf("got %v", err)
	}
	if after := len(openFiles(t)); after > before {
		t.Errorf("%d files open, %d before", after, before)
	}
}
