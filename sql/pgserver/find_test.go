package pgserver

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTheNewestVersionComesFirst(t *testing.T) {
	dirs := []string{"/usr/lib/postgresql/9.6/bin", "/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/9.5/bin", "/usr/lib/postgresql/17/bin", "/usr/lib/postgresql/current/bin"}
	newestFirst(dirs)
	want := []string{"/usr/lib/postgresql/17/bin", "/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/9.6/bin", "/usr/lib/postgresql/9.5/bin", "/usr/lib/postgresql/current/bin"}
	if !slices.Equal(dirs, want) {
		t.Errorf("got %v, want %v", dirs, want)
	}
}

func TestTheEnvironmentDecidesAlone(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(Env, dir)
	var missing *NotFoundError
	if _, err := Find(); !errors.As(err, &missing) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v, want a NotFoundError that names %s", err, dir)
	}
	for _, program := range []string{"initdb", "postgres"} {
		if err := os.WriteFile(filepath.Join(dir, program), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Find(); err != nil || got.Dir != dir {
		t.Errorf("got %v, %v; want %s", got, err, dir)
	}
}
