package migrate

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheProfilesOfTheProgramAreSound(t *testing.T) {
	for _, name := range Profiles() {
		if p, err := ProfileOf(name); err != nil || p.Name != name {
			t.Errorf("%s: %q, %v", name, p.Name, err)
		}
	}
	p, err := ProfileOf("ucd")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(p.Layouts[1].Items); n != 11 {
		t.Errorf("%d items, want ten and installed.version", n)
	}
}

func TestAProfileThatMakesNoSenseIsRefused(t *testing.T) {
	const head = "profile: x\nproduct: X\nroot: [a]\n"
	for name, text := range map[string]string{
		"an unknown key":               head + "colour: red\n",
		"no layout":                    head,
		"items within one another":     head + "layouts: [{name: a, says: a, when: absent, links: true, items: [{path: a, dir: true}, {path: a/b}]}]",
		"a path that leads out":        head + "layouts: [{name: a, says: a, when: absent, links: true, items: [{path: ../a}]}]",
		"an absolute path":             head + "layouts: [{name: a, says: a, when: absent, links: true, items: [{path: /a}]}]",
		"neither property nor links":   head + "layouts: [{name: a, says: a, when: absent, items: [{path: a}]}]",
		"a property without a key":     head + "property: {file: f}\nlayouts: [{name: a, says: a, when: absent, items: [{path: a}]}]",
		"everything, and something":    head + "property: {file: f, key: k}\nlayouts: [{name: a, says: a, when: folder, items: [{path: .}, {path: b}]}]",
		"two layouts for one property": head + "property: {file: f, key: k}\nlayouts: [{name: a, says: a, when: folder, items: [{path: a}]}, {name: b, says: b, when: folder, items: [{path: a}]}]",
		"a when of its own":            head + "property: {file: f, key: k}\nlayouts: [{name: a, says: a, when: perhaps, items: [{path: a}]}]",
	} {
		if _, err := ParseProfile([]byte(text)); err == nil {
			t.Errorf("%s: is taken", name)
		}
	}
}

func TestTheLayoutIsFoundOut(t *testing.T) {
	for name, c := range map[string]struct{ property, version, want, from string }{
		"a folder of its own":            {"server.appdata.dir=/somewhere\n", "version=7.3", "", ""}, // not there: an error
		"relative":                       {"server.appdata.dir=../appdata\n", "version=7.3", "folder", "appdata"},
		"with Java's escapes":            {"server.appdata.dir : ..\\u002f\\\n   appdata\n", "version=7.3", "folder", "appdata"},
		"the installation":               {"server.appdata.dir=..\n", "version=7.3", "upgraded", "."},
		"the last of two counts":         {"server.appdata.dir=/x\nserver.appdata.dir=..\n", "version=7.3", "upgraded", "."},
		"absent, and new":                {"a=b\n", "version=7.0.1.0", "upgraded", "."},
		"absent, and of 6.1.1.5":         {"a=b\n", "6.1.1.5", "upgraded", "."},
		"absent, and of 6.1.1.4":         {"a=b\n", "6.1.1.4", "links", "."},
		"absent, and old":                {"a=b\n", "version=6.0", "links", "."},
		"absent, and nobody knows which": {"a=b\n", "nightly", "", ""},
	} {
		dir := t.TempDir()
		for file, text := range map[string]string{"conf/server/installed.properties": c.property, "conf/installed.version": c.version, "var/sa/x": "", "appdata/y": ""} {
			file = filepath.Join(dir, file)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		s, err := Detect(Ask{Install: dir, To: "/media/share/appdata"})
		switch {
		case c.want == "":
			if err == nil {
				t.Errorf("%s: %s", name, s.Layout.Name)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case s.Layout.Name != c.want || s.From != filepath.Join(dir, c.from):
			t.Errorf("%s: %s in %s", name, s.Layout.Name, s.From)
		}
	}
}

func TestPathsThatAShellWouldHaveToExpandAreRefused(t *testing.T) {
	for _, path := range []string{"~/appdata", "/home/~x/a", "$HOME/a", "/a/$B", "relative", "/a/../b", "/a/", "/"} {
		var e *PathError
		if err := plainPath(path); !errors.As(err, &e) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := plainPath("/media/share/appdata"); err != nil {
		t.Error(err)
	}
}

func TestNamesThatASharesMayRefuseAreKnown(t *testing.T) {
	for name, want := range map[string]string{
		"plain.txt": "", "a:b": "has :", "caf\xe9": "is not UTF-8", "x.": "ends with a dot", "y ": "ends with a dot", "con.txt": "device",
		"a\tb": "control", strings.Repeat("x", 200): "longer", "ä": "",
	} {
		got := strings.Join(peculiarities(name), "; ")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
