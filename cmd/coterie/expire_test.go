package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestOnlyOldFilesOfTheLogFoldersAreDeleted(t *testing.T) {
	share, outside := t.TempDir(), t.TempDir()
	old := time.Now().AddDate(0, 0, -31)
	file := func(when time.Time, parts ...string) string {
		name := filepath.Join(parts...)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, when, when); err != nil {
			t.Fatal(err)
		}
		return name
	}
	goes := []string{file(old, share, "log", "a.log"), file(old, share, "log", "deep", "b.log.gz"), file(old, share, "var", "c")}
	stays := []string{
		file(time.Now(), share, "log", "new.log"), file(old, share, "conf", "server.xml"), file(old, share, "log", ".coterie-marker"),
		file(old, outside, "passwd"),
	}
	if err := os.Symlink(outside, filepath.Join(share, "log", "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(stays[3], filepath.Join(share, "log", "passwd")); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := (&cli{out: &out}).expire(share, []string{"log", "var"}, 30); err != nil {
		t.Fatal(err)
	}
	if out.String() != "3 files, 0 MiB, were older than 30 days\n" {
		t.Errorf("said %q", out.String())
	}
	for _, name := range goes {
		if _, err := os.Stat(name); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	for _, name := range stays {
		if _, err := os.Stat(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(share, ".coterie-clock-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := (&cli{out: &out}).expire(share, []string{"nowhere"}, 30); err == nil {
		t.Error("a folder that is not there is no error")
	}
}
