package appdata

import (
	"path"
	"slices"
	"testing"
)

func TestFilesHaveTheClassOfTheirInnermostItem(t *testing.T) {
	ucd, err := LayoutOf("ucd")
	if err != nil {
		t.Fatal(err)
	}
	generic, err := LayoutOf("generic")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path         string
		ucd, generic Class
	}{
		{"var/plugins", Shared, Shared},
		{"var/plugins/command/a.zip", Shared, Shared},
		{"var/plugins2/a.zip", PerHost, Shared},
		{"conf/encryption.keystore", Secret, Shared},
		{"conf/encryption.keystore/odd", PerHost, Shared},
		{"conf/installed.version", Shared, Shared},
		{"conf/server/installed.properties", PerHost, Shared},
		{"var/repository/.nfs0000000001", Ignored, Ignored},
		{"var/repository/upload.tmp", Ignored, Ignored},
		{"var/repository/upload.tmp/x", Ignored, Ignored},
		{"var/server.pid", Ignored, Ignored},
		{".coterie/cluster.json", Ignored, Ignored},
		{".coterie-notes", PerHost, Shared},
	} {
		if got := ucd.Class(c.path); got != c.ucd {
			t.Errorf("ucd: %s is %s, want %s", c.path, got, c.ucd)
		}
		if got := generic.Class(c.path); got != c.generic {
			t.Errorf("generic: %s is %s, want %s", c.path, got, c.generic)
		}
	}
	if len(ucd.Items) != 11 {
		t.Errorf("%d items, want the ten of the manual and the version file", len(ucd.Items))
	}
	for _, pattern := range ucd.Ignore {
		if _, err := path.Match(pattern, "x"); err != nil {
			t.Errorf("pattern %q: %v", pattern, err)
		}
	}
	if _, err := LayoutOf("unknown"); err == nil {
		t.Error("an unknown layout was found")
	}
}

// Two who say what is nobody's say the same.
func TestLitterIsWhatThePatternsSay(t *testing.T) {
	for _, last := range []string{
		".nfs0001", ".nfs", "x.nfs", ".fuse_hidden1", "fuse_hidden", "a.tmp", ".tmp", "tmp", "a.tmp.x", "a.swp", "a~", "~", "~a", "x.pid", "pid", "x.lock", "lock", "a", "",
	} {
		want := slices.ContainsFunc(ignore(), func(pattern string) bool { return fits(pattern, last) })
		if got := litter(last); got != want {
			t.Errorf("%q: %v, want %v", last, got, want)
		}
	}
}
