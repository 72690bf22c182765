package appdata

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// lookedOut runs a Lookout on paths of a folder, and gives what it tells.
func lookedOut(t *testing.T, dir string, paths ...string) <-chan Dirty {
	t.Helper()
	told := make(chan Dirty, 1000)
	ctx, cancel := context.WithCancelCause(context.Background())
	ended := make(chan error, 1)
	end := errors.New("the test is over")
	go func() {
		ended <- Lookout{Root: dir, Paths: paths, Skip: generic(t).Skips, Every: 20 * time.Millisecond}.Run(ctx, func(d Dirty) error {
			told <- d
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel(end)
		if err := <-ended; !errors.Is(err, end) {
			t.Errorf("the lookout ended: %v", err)
		}
	})
	return told
}

func TestALookoutTellsOfWhatOthersDid(t *testing.T) {
	dir := tree(t, map[string]string{"conf/one": "1", "conf/two": "2", "conf/below/three": "3", "keys/store": "k", "other/x": "x"})
	told := lookedOut(t, dir, "conf", "keys/store", "late/folder")
	until(t, told, "conf", "keys", "late/folder") // once at its beginning
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct {
		folder string
		change func() error
	}{
		{"conf", func() error { return os.WriteFile(at("conf/new"), []byte("n"), 0o644) }},
		{"conf", func() error { return os.WriteFile(at("conf/one"), []byte("I"), 0o644) }}, // the same size
		{"conf", func() error {
			return errors.Join(os.WriteFile(at("conf/x~"), []byte("2"), 0o644), os.Rename(at("conf/x~"), at("conf/two")))
		}},
		{"conf", func() error { return os.Chmod(at("conf/one"), 0o600) }},
		{"conf", func() error { return os.Remove(at("conf/new")) }},
		{"conf", func() error { return os.Rename(at("conf/one"), at("conf/three")) }},
		{"keys", func() error { return os.WriteFile(at("keys/store"), []byte("K"), 0o644) }},
		{"keys", func() error { return os.Remove(at("keys/store")) }},
		{"keys", func() error { return os.WriteFile(at("keys/store"), []byte("again"), 0o644) }},
		{"late", func() error { return os.MkdirAll(at("late/folder"), 0o755) }},
		{"late/folder", func() error { return os.WriteFile(at("late/folder/file"), []byte("f"), 0o644) }},
		{".", func() error { return os.RemoveAll(at("conf")) }},
	} {
		if err := c.change(); err != nil {
			t.Fatal(err)
		}
		until(t, told, c.folder)
	}
}

// What rests, what is not meant, what is below, and what is nobody's are not told.
func TestALookoutIsSilentAboutTheRest(t *testing.T) {
	dir := tree(t, map[string]string{"conf/one": "1", "conf/below/three": "3", "other/x": "x", "keys/store": "k"})
	told := lookedOut(t, dir, "conf", "keys/store")
	until(t, told, "conf", "keys")
	for _, name := range []string{"conf/below/four", "conf/half.tmp", "other/y", "keys/beside"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// What is told first is what comes last.
	if err := os.WriteFile(filepath.Join(dir, "keys/store"), []byte("K"), 0o644); err != nil {
		t.Fatal(err)
	}
	if d := <-told; !slices.Equal(d.Folders, []string{"keys", "keys/store"}) {
		t.Errorf("told is %+v", d)
	}
}

// What has changed is looked at again sooner than all is: it is told after a round and a
// quarter at the most.
func TestALookoutLooksAgainSoonAtWhatChanged(t *testing.T) {
	dir := tree(t, map[string]string{"conf/one": "1", "conf/two": "2"})
	synctest.Test(t, func(t *testing.T) {
		told := make(chan Dirty)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- Lookout{Root: dir, Paths: []string{"conf", "keys"}, Every: time.Second}.Run(ctx, func(d Dirty) error {
				told <- d
				return nil
			})
		}()
		<-told // each path once at the beginning
		<-told
		for i := range 3 {
			time.Sleep(100 * time.Millisecond) // after a round
			do(t, os.WriteFile(filepath.Join(dir, "conf/one"), fmt.Append(nil, "changed ", i), 0o644))
			begun := time.Now()
			<-told
			if took := time.Since(begun); took > 1250*time.Millisecond {
				t.Errorf("told after %v", took)
			}
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// A file that is written on and on is named as busy, and told when it rests.
func TestALookoutWaitsForHalfAFile(t *testing.T) {
	dir := tree(t, map[string]string{"conf/log": "", "conf/one": "1"})
	told := lookedOut(t, dir, "conf")
	until(t, told, "conf")
	var rests atomic.Bool
	written := make(chan error, 1)
	go func() {
		for text := []byte("x"); !rests.Load(); text = append(text, 'x') {
			if err := os.WriteFile(filepath.Join(dir, "conf/log"), text, 0o644); err != nil {
				written <- err
				return
			}
			time.Sleep(time.Millisecond)
		}
		written <- nil
	}()
	d := <-told
	if !slices.Equal(d.Busy, []string{"conf/log"}) {
		t.Errorf("told is %+v", d)
	}
	rests.Store(true)
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	for late := time.After(20 * time.Second); len(d.Busy) > 0; {
		select {
		case d = <-told:
		case <-late:
			t.Fatal("it rests, and is not told")
		}
	}
}

// Where nobody can look nothing is concluded.
func TestALookoutThatSeesNothingConcludesNothing(t *testing.T) {
	s := spot{path: "conf"}
	seen := sight{"conf": "folder", "conf/one": "1"}
	s.next(seen)
	for range 3 {
		if d := s.next(seen); len(d.Folders) > 0 {
			t.Errorf("told is %+v", d)
		}
	}
	if _, err := (Lookout{Root: filepath.Join(t.TempDir(), "nowhere")}).see("conf/one"); err != nil {
		t.Errorf("a folder that is not there: %v", err)
	}
	dir := tree(t, map[string]string{"conf/one": "1"})
	if os.Geteuid() != 0 { // root may read all
		if err := os.Chmod(filepath.Join(dir, "conf"), 0); err != nil {
			t.Fatal(err)
		}
		if seen, err := (Lookout{Root: dir}).see("conf/one"); err == nil {
			t.Errorf("seen is %v", seen)
		}
	}
}
