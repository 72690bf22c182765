package appdata

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

func TestCompareTellsEachChange(t *testing.T) {
	dir := tree(t, map[string]string{"same/1": "1", "same/2": "2", "grow": "a", "rewrite": "aaaa", "alone/mode": "x", "sub/time": "x", "gone/a/b": "1", "turn": "x", "fold/a": "1"})
	if err := os.Symlink("a", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	settled := time.Now().Add(time.Hour) // only what looks different is read
	before := scan(t, Scanner{Root: dir, Clock: settled})
	wantLines(t, "no change", changes(before, before), nil)

	plant(t, dir, "grow", "ab")
	stamp := before.Entry("rewrite").MTime.Time()
	plant(t, dir, "rewrite", "bbbb") // same size, and the old time put back
	err := errors.Join(os.Chtimes(dir+"/rewrite", stamp, stamp), os.Chmod(dir+"/alone/mode", 0o600), os.Chtimes(dir+"/sub/time", stamp, stamp.Add(-time.Hour)),
		os.RemoveAll(dir+"/gone"), os.Remove(dir+"/turn"), os.RemoveAll(dir+"/fold"), os.Remove(dir+"/link"), os.Symlink("b", dir+"/link"))
	if err != nil {
		t.Fatal(err)
	}
	plant(t, dir, "turn/into/folder", "x")
	plant(t, dir, "fold", "x")
	plant(t, dir, "new/a", "x")
	after := scan(t, Scanner{Root: dir, Clock: settled, Known: before.Dir})
	wantLines(t, "changes", changes(before, after), []string{
		`touched "alone/mode"`, `modified "fold"`, `deleted "fold/a"`, `deleted "gone"`, `deleted "gone/a"`, `deleted "gone/a/b"`, `modified "grow"`,
		`modified "link"`, `created "new"`, `created "new/a"`, `modified "rewrite"`, `touched "sub/time"`,
		`modified "turn"`, `created "turn/into"`, `created "turn/into/folder"`,
	})
}

func TestCompareLooksOnlyWhereSumsDiffer(t *testing.T) {
	files := map[string]string{}
	for i := range 20 {
		for j := range 20 {
			files[fmt.Sprintf("d%02d/e%02d/f", i, j)] = "x"
		}
	}
	dir := tree(t, files)
	before := scan(t, Scanner{Root: dir})
	plant(t, dir, "d07/e13/f", "changed")
	after := scan(t, Scanner{Root: dir, Known: before.Dir})
	var got []string
	c := comparison{before: before, after: after, yield: func(c Change) bool { got = append(got, c.Path); return true }}
	c.dirs(".")
	if !slices.Equal(got, []string{"d07/e13/f"}) || c.steps != 3 {
		t.Errorf("found %q in %d steps of 421 folders, want d07/e13/f in 3", got, c.steps)
	}
}

func TestHalfAListProvesNothing(t *testing.T) {
	list := func(problem string, names ...string) *Manifest {
		d := &Dir{Path: ".", Err: problem}
		for _, name := range names {
			d.Entries = append(d.Entries, Entry{Name: name, Kind: FIFO})
		}
		d.sum()
		return &Manifest{dirs: map[string]*Dir{".": d}}
	}
	whole, half := list("", "a", "b"), list("input/output error", "a")
	wantLines(t, "half after whole", changes(whole, half), []string{`uncertain "."`})
	wantLines(t, "whole after half", changes(half, whole), []string{`uncertain "."`})
}

func TestInterruptedManifestProvesNothing(t *testing.T) {
	dir := tree(t, map[string]string{"a": "1"})
	m := scan(t, Scanner{Root: dir})
	for _, got := range [][]string{changes(m, &Manifest{}), changes(&Manifest{}, m), changes(m, nil)} {
		wantLines(t, "changes", got, []string{`uncertain "."`})
	}
}
