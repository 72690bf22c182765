package bundle

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// acl is an access control list by which user 1234 may read: as the kernel has it.
var acl = []byte{
	2, 0, 0, 0,
	1, 0, 6, 0, 255, 255, 255, 255, // the owner
	2, 0, 4, 0, 210, 4, 0, 0, // user 1234
	4, 0, 4, 0, 255, 255, 255, 255, // the group
	16, 0, 4, 0, 255, 255, 255, 255, // the mask
	32, 0, 0, 0, 255, 255, 255, 255, // all others
}

// attributed gives a file an attribute and a list; false where the file system has none.
func attributed(t *testing.T, name string) bool {
	t.Helper()
	err := errors.Join(unix.Setxattr(name, "user.note", []byte("mine"), 0), unix.Setxattr(name, "system.posix_acl_access", acl, 0))
	if errors.Is(err, unix.ENOTSUP) {
		t.Logf("NOT TESTED: %s has no attributes", name)
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	return true
}

func attributesOf(t *testing.T, name string) map[string]string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	names, err := attributes(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, each := range names {
		value := make([]byte, 1000)
		n, err := unix.Fgetxattr(int(f.Fd()), each, value)
		if err != nil {
			t.Fatal(err)
		}
		found[each] = string(value[:n])
	}
	return found
}

func TestAnExportNamesWhatItCannotCarry(t *testing.T) {
	root := plant(t, filepath.Join(t.TempDir(), "tree"), map[string]string{"conf/a": "1", "conf/b": "2", "conf/sub/c": "3", "lib/x.jar": "4"})
	if err := os.Link(filepath.Join(root, "conf/b"), filepath.Join(root, "lib/same.jar")); err != nil {
		t.Fatal(err)
	}
	want := []Left{{"lib/same.jar", "a hard link to conf/b, a file of its own in the bundle"}}
	if attributed(t, filepath.Join(root, "conf/a")) {
		if err := unix.Setxattr(filepath.Join(root, "conf/sub"), "system.posix_acl_default", acl, 0); err != nil {
			t.Fatal(err)
		}
		want = append([]Left{
			{"conf/a", "without user.note, its access control list"},
			{"conf/sub", "without the access control list for what is made in it"},
		}, want...)
	}
	x := Export{Root: root, Profile: small(), Tier: "dev", Workers: 2, Temp: t.TempDir()}
	text, content := listed(t, x)
	if !slices.Equal(content.Bare, want) {
		t.Errorf("named %q, want %q", content.Bare, want)
	}
	if err := x.Write(t.Context(), content, io.Discard); err != nil || !slices.Equal(content.Bare, want) {
		t.Errorf("named twice: %q, %v", content.Bare, err)
	}
	if _, got := contents(t, text); got["conf/b"] != "2" || got["lib/same.jar"] != "2" {
		t.Errorf("has %v", got)
	}
}

// What this host has said of a file beside its content stays when the file is replaced, and
// comes back when that is taken back.
func TestAnImportKeepsTheAttributesOfWhatItReplaces(t *testing.T) {
	root := plant(t, filepath.Join(t.TempDir(), "into"), target())
	at := filepath.Join(root, "conf/app.xml")
	if !attributed(t, at) {
		return
	}
	before := attributesOf(t, at)
	from := plant(t, filepath.Join(t.TempDir(), "from"), source())
	text, _ := exported(t, Export{Root: from, Profile: small(), Tier: "prod"})
	x := &trial{T: t, bundle: text, Import: Import{Root: root, Policy: Full, Profile: small(), Unsigned: true, Tier: "prod"}}
	out := x.import1()
	if got, err := os.ReadFile(at); err != nil || string(got) != "<new/>" {
		t.Errorf("%q, %v", got, err)
	}
	if after := attributesOf(t, at); after["user.note"] != "mine" || !bytes.Contains([]byte(after["system.posix_acl_access"]), []byte{210, 4}) {
		t.Errorf("has %q, had %q", after, before)
	}
	if _, err := x.Undo(out.Number); err != nil {
		t.Fatal(err)
	}
	if after := attributesOf(t, at); after["user.note"] != before["user.note"] || after["system.posix_acl_access"] != before["system.posix_acl_access"] {
		t.Errorf("taken back: has %q, had %q", after, before)
	}
}

func TestAPlanNamesTheHardLinksThatItParts(t *testing.T) {
	x := newTrial(t)
	if err := os.Link(filepath.Join(x.Root, "conf/app.xml"), filepath.Join(x.Root, "other/app.xml")); err != nil {
		t.Fatal(err)
	}
	p := x.plan()
	i := slices.IndexFunc(p.Changes, func(c Change) bool { return c.Path == "conf/app.xml" })
	if i < 0 || !strings.HasSuffix(p.Changes[i].Why, "has 2 hard links, and the others stay as they are") {
		t.Fatalf("plans %+v", p.Changes)
	}
	x.import1()
	if text, err := os.ReadFile(filepath.Join(x.Root, "other/app.xml")); err != nil || string(text) != "<old/>" {
		t.Errorf("the other one is %q, %v", text, err)
	}
}
