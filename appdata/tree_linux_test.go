package appdata

import (
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// tree writes files below a fresh folder; a path that ends in a slash is a folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		plant(t, dir, name, content)
	}
	return dir
}

func plant(t *testing.T, dir, name, content string) {
	t.Helper()
	path := dir + "/" + name
	folder := path[:strings.LastIndexByte(path, '/')]
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, "/") {
		return
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func scan(t *testing.T, s Scanner) *Manifest {
	t.Helper()
	m, err := s.Scan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if m.Root() == nil {
		t.Fatal("the manifest has no root")
	}
	return m
}

func text(m *Manifest) (lines []string) {
	for path, e := range m.All() {
		line := fmt.Sprintf("%s %q", e.Kind, path)
		switch {
		case e.Err != "":
			line += " !" + e.Err
		case e.Kind == Link:
			line += fmt.Sprintf(" -> %q", e.Target)
		case e.Kind == File:
			line += fmt.Sprintf(" %d %.6s", e.Size, e.Digest)
		}
		lines = append(lines, line)
	}
	return lines
}

func changes(a, b *Manifest) (lines []string) {
	for c := range Compare(a, b) {
		lines = append(lines, fmt.Sprintf("%s %q", c.Change, c.Path))
	}
	return lines
}

func wantLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\ngot  %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

func digestOf(content string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(content)))[:6] }

func generic(t *testing.T) Layout {
	t.Helper()
	l, err := LayoutOf("generic")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func openFiles(t *testing.T) []os.DirEntry {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return entries
}
