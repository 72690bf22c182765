package appdata

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestContentIsReadOnlyWhenTheStatChanged(t *testing.T) {
	dir := tree(t, map[string]string{"a": "aaa", "b/c": "ccc", "b/d": "ddd"})
	future := time.Now().Add(time.Hour) // of the share's clock: everything has long settled
	read := func(known *Manifest) (*Manifest, int64) {
		var p Progress
		m := scan(t, Scanner{Root: dir, Clock: future, Known: known.Dir, Progress: &p})
		return m, p.Read.Load()
	}
	first, n := read(nil)
	if n != 9 {
		t.Errorf("the first scan read %d bytes, want 9", n)
	}
	second, n := read(first)
	if n != 0 || second.Root().Exact != first.Root().Exact {
		t.Errorf("the second scan read %d bytes, want none", n)
	}
	if second.Dir("b") != first.Dir("b") {
		t.Error("an unchanged folder was made anew")
	}
	plant(t, dir, "b/c", "CCC")
	third, n := read(second)
	if n != 3 {
		t.Errorf("after a change of 3 bytes %d were read", n)
	}
	wantLines(t, "changes", changes(second, third), []string{`modified "b/c"`})
}

func TestRacyFilesAreReadAgain(t *testing.T) {
	dir := tree(t, map[string]string{"a": "aaa"})
	info, err := os.Stat(dir + "/a")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		clock time.Time
		racy  bool
	}{
		"no clock":                    {time.Time{}, true},
		"written in the same moment":  {info.ModTime(), true},
		"written a second ago":        {info.ModTime().Add(time.Second), true},
		"written some time ago":       {info.ModTime().Add(settled + time.Second), false},
		"the share's clock goes late": {info.ModTime().Add(-time.Hour), true},
	} {
		m := scan(t, Scanner{Root: dir, Clock: c.clock})
		if got := m.Entry("a").Racy; got != c.racy {
			t.Errorf("%s: racy is %v, want %v", name, got, c.racy)
		}
		var p Progress
		again := scan(t, Scanner{Root: dir, Clock: info.ModTime().Add(time.Hour), Known: m.Dir, Progress: &p})
		if read := p.Read.Load() > 0; read != c.racy || again.Entry("a").Racy {
			t.Errorf("%s: read again is %v, want %v; then racy is %v", name, read, c.racy, again.Entry("a").Racy)
		}
	}
}

// TestChangeInTheSameMomentIsFound plays the race itself: a file changes after
// it was read and looks the same from outside.
func TestChangeInTheSameMomentIsFound(t *testing.T) {
	dir := tree(t, map[string]string{"a": "old!"})
	share := Share{Path: dir, Cluster: "c", Node: "n"}
	if err := CreateMarker(dir, Marker{Cluster: "c", ID: "x", Generation: 1}); err != nil {
		t.Fatal(err)
	}
	clock, err := share.Clock()
	if err != nil {
		t.Fatal(err)
	}
	before := scan(t, Scanner{Root: dir, Clock: clock, Check: share.Present, Skip: generic(t).Skips})
	forged := *before.Entry("a")
	plant(t, dir, "a", "new!")
	// What a coarse clock would have left: the new file's stat, with the old content's digest.
	now, err := openRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer now.close()
	stat, err := now.stat("a", false)
	if err != nil {
		t.Fatal(err)
	}
	stat.Name, stat.Digest, stat.Racy = "a", forged.Digest, forged.Racy
	*before.Entry("a") = stat
	after := scan(t, Scanner{Root: dir, Clock: clock, Known: before.Dir, Skip: generic(t).Skips})
	wantLines(t, "changes", changes(before, after), []string{`modified "a"`})
}

func TestFileThatKeepsChangingHasNoDigest(t *testing.T) {
	dir := tree(t, map[string]string{"log": strings.Repeat("x", 1<<20)})
	f, err := os.OpenFile(dir+"/log", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// Reading takes 50 ms, while another writes.
	w := newWalk(Scanner{Root: dir, BytesPerSec: 20 << 20}, nil)
	r := reader{walk: w, buf: make([]byte, 4096)}
	h, err := openRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	e, err := h.stat("log", false)
	if err != nil {
		t.Fatal(err)
	}
	e.Name = "log"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := f.WriteString("y"); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	err = r.digest(ctx, h, &e)
	close(stop)
	<-stopped
	if err != nil || e.Digest != (Digest{}) || !e.Racy || e.Size <= 1<<20 || e.Name != "log" {
		t.Errorf("got %+v, %v", e, err)
	}
}

// TestWhatTurnsIntoSomethingElseIsNotFollowed plays somebody who puts a link
// or a FIFO in the place of what was just a folder or a file.
func TestWhatTurnsIntoSomethingElseIsNotFollowed(t *testing.T) {
	outside := tree(t, map[string]string{"secret": "must not be seen"})
	dir := tree(t, map[string]string{"folder/x": "1", "file": "2", "pipe": "3", "z": ""})
	h, err := openRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	entries := map[string]Entry{}
	for _, name := range []string{"file", "pipe"} {
		e, err := h.stat(name, false)
		if err != nil {
			t.Fatal(err)
		}
		e.Name = name
		entries[name] = e
	}
	err = errors.Join(os.RemoveAll(dir+"/folder"), os.Symlink(outside, dir+"/folder"), os.Remove(dir+"/file"), os.Symlink(outside+"/secret", dir+"/file"),
		os.Remove(dir+"/pipe"), syscall.Mkfifo(dir+"/pipe", 0o600))
	if err != nil {
		t.Fatal(err)
	}
	if sub, err := h.sub("folder"); err == nil {
		sub.close()
		t.Error("a link to a folder was followed")
	}
	r := reader{walk: newWalk(Scanner{Root: dir}, nil)}
	for name, e := range entries {
		if err := r.digest(t.Context(), h, &e); err == nil || e.Digest != (Digest{}) {
			t.Errorf("%s became something else and was read: %v", name, e)
		}
	}
}

func TestSparseFileOf100GBDoesNoHarm(t *testing.T) {
	dir := tree(t, map[string]string{"small": "x", "huge": ""})
	if err := os.Truncate(dir+"/huge", 100<<30); err != nil {
		t.Fatal(err)
	}
	m := scan(t, Scanner{Root: dir, MaxContent: 1 << 30})
	if e := m.Entry("huge"); e.Size != 100<<30 || e.Digest != (Digest{}) || e.Err != "" {
		t.Errorf("got %+v", e)
	}
	var p Progress
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, err := Scanner{Root: dir, Progress: &p}.Scan(ctx)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, context.DeadlineExceeded) || p.Read.Load() == 0 || m.Entry("small") == nil && p.Entries.Load() == 0 {
		t.Errorf("got %v after %d bytes", err, p.Read.Load())
	}
	if spent := after.TotalAlloc - before.TotalAlloc; spent > 8<<20 {
		t.Errorf("it cost %d bytes", spent)
	}
}
