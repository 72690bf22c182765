package migrate

import (
	encoding "encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/coterie-ha/coterie/test/migrate/through"
)

// bad is something that a migration may meet before it begins, and what must come of it.
type bad struct {
	make   func(t *testing.T, s *site)
	args   func(s *site) []string // nil: plan, with what a disk of this host needs accepted
	exit   int
	says   string // in what is told
	taken  bool   // the plan is carried out, and taken back
	accept string
}

const properties = "conf/server/installed.properties"

// badInputs are, item by item, what an installation and a share can look like that nobody
// has meant.
var badInputs = map[string]bad{
	// The installation.
	"no installation":                        {make: remove("."), exit: 2, says: "COT-214"},
	"an empty folder":                        {make: func(t *testing.T, s *site) { remove(".")(t, s); mkdir(t, s.install) }, exit: 2, says: "COT-401"},
	"no properties file":                     {make: remove(properties), exit: 2, says: "COT-401"},
	"a folder in place of the properties":    {make: func(t *testing.T, s *site) { remove(properties)(t, s); mkdir(t, filepath.Join(s.install, properties)) }, exit: 2, says: "is a directory"},
	"properties of 20 MiB":                   {make: write(properties, strings.Repeat("a=b\n", 5<<20)), exit: 2, says: "COT-401"},
	"properties with NUL bytes":              {make: write(properties, "server.appdata.dir=..\n\x00\x00"), exit: 2, says: "COT-401"},
	"the property names a folder of nobody":  {make: write(properties, "server.appdata.dir=/nowhere/at/all\n"), exit: 2, says: "is something not mounted?"},
	"the property is a shell's abbreviation": {make: write(properties, "server.appdata.dir=~/appdata\n"), exit: 2, says: "is something not mounted?"},
	"no version, and no property":            {make: func(t *testing.T, s *site) { write(properties, "a=b\n")(t, s); remove("conf/installed.version")(t, s) }, exit: 2, says: "--layout"},
	"a file where a folder is expected":      {make: func(t *testing.T, s *site) { remove("logs")(t, s); write("logs", "x")(t, s) }, exit: 2, says: "COT-401"},
	"an item that is a link to itself":       {make: func(t *testing.T, s *site) { remove("logs")(t, s); link(t, s, "logs", "logs") }, exit: 2, says: "too many"},
	"an item that is a link to nothing":      {make: func(t *testing.T, s *site) { remove("logs")(t, s); link(t, s, "logs", "nothing") }, exit: 2, says: "no such file"},
	"nothing that could be moved": {make: func(t *testing.T, s *site) {
		for _, name := range []string{"var", "logs", "conf/server/notification-templates", "conf/server/log4j.properties", "conf/encryption.keystore", "conf/installed.version", "patches"} {
			remove(name)(t, s)
		}
	}, args: layout("upgraded"), exit: 2, says: "none of its items"},

	// What is in it.
	"a pipe":                      {make: pipe, exit: 5, says: "--accept special"},
	"a pipe that is accepted":     {make: pipe, accept: "special", taken: true},
	"a link that leads out":       {make: func(t *testing.T, s *site) { link(t, s, "var/sa/out", "../../../elsewhere") }, exit: 5, says: "--accept links"},
	"a link in a circle":          {make: func(t *testing.T, s *site) { link(t, s, "var/sa/circle", "circle") }, taken: true},
	"a link to its own folder":    {make: func(t *testing.T, s *site) { link(t, s, "var/sa/deeper", ".") }, taken: true},
	"names of every kind of byte": {make: oddNames, taken: true},
	"names of 255 bytes":          {make: write("var/sa/"+strings.Repeat("n", 255), "x"), taken: true},
	"a path of 3,000 bytes":       {make: write("var/sa/"+strings.Repeat(strings.Repeat("d", 99)+"/", 30)+"x", "x"), taken: true},
	"what clients leave behind": {make: func(t *testing.T, s *site) {
		write("var/sa/.nfs0001", "x")(t, s)
		write("var/sa/.fuse_hidden01", "x")(t, s)
	}, taken: true},
	"upper and lower case":             {make: func(t *testing.T, s *site) { write("var/sa/One", "1")(t, s); write("var/sa/ONE", "2")(t, s) }, taken: true},
	"times before and after ours":      {make: strangeTimes, taken: true},
	"attributes and a list of who may": {make: attributes, taken: true},

	// The share.
	"the share within the installation": {args: to(func(s *site) string { return filepath.Join(s.install, "var/sa/share") }), exit: 2, says: "lies within"},
	"the installation within the share": {args: to(func(s *site) string { return s.dir }), exit: 2, says: "lies within"},
	"a link into the installation": {make: func(t *testing.T, s *site) {
		symlink(t, filepath.Join(s.install, "var/sa"), filepath.Join(s.dir, "door"))
	}, args: to(func(s *site) string { return filepath.Join(s.dir, "door/share") }), exit: 2, says: "lies within"},
	"a share that is a file":              {make: func(t *testing.T, s *site) { s.write(t, s.appdata(), "x") }, exit: 2, says: "not a folder"},
	"a share of which nothing is mounted": {args: to(func(s *site) string { return "/nowhere/at/all/appdata" }), exit: 2, says: "mount the share first"},
	"a share with files of these names":   {make: func(t *testing.T, s *site) { s.write(t, filepath.Join(s.appdata(), "var/sa/x"), "of somebody") }, exit: 5, says: "nothing is overwritten"},
	"a share with a default list":         {make: defaultList, taken: true},
	"a shell's variable":                  {args: to(func(*site) string { return "$HOME/appdata" }), exit: 2, says: "shell's abbreviation"},

	// What others have left on the share, for a server that joins.
	"joins nothing":                  {args: join, make: func(t *testing.T, s *site) { mkdir(t, s.appdata()) }, exit: 5, says: "--accept member"},
	"joins what has another version": {args: join, make: member(`{}`, "version=9.9\n"), exit: 5, says: "have one version"},
	"joins a word that is none":      {args: join, make: member(`{"properties": 7`, ""), exit: 1, says: "member.json"},
	"joins where another's word is none": {args: join, make: func(t *testing.T, s *site) {
		member(`{"host": "app-a", "settings": {}}`, "")(t, s)
		s.write(t, filepath.Join(s.appdata(), ".coterie/joined/x.json"), "[]")
	}, exit: 8, says: "x.json"},
}

// Whatever somebody points a migration at, nothing is changed by it, or all of it is moved
// and comes back as it was.
func TestBadInputIsToldAndChangesNothing(t *testing.T) {
	for name, b := range badInputs {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, Upgraded)
			if err := os.Remove(s.plan); err != nil {
				t.Fatal(err)
			}
			if b.make != nil {
				b.make(t, s)
			}
			args := []string{"migrate", "plan", s.install, "--to", s.appdata()}
			if b.args != nil {
				args = b.args(s)
			}
			accept := "unseen-processes,local-disk"
			if b.accept != "" {
				accept += "," + b.accept
			}
			args = append(args, "--accept", accept, "--out", s.plan)
			was := lookIfThere(t, s.dir)
			if !b.taken {
				s.fails(t, b.exit, b.says, args...)
				if wrong := Differ(was, lookIfThere(t, s.dir)); len(wrong) > 0 {
					t.Errorf("changed: %v", wrong)
				}
				return
			}
			before := look(t, s.install)
			s.coterie(t, 0, args...)
			s.coterie(t, 0, "migrate", "apply", s.plan, "-y")
			sameItems(t, s)
			s.coterie(t, 0, "migrate", "rollback", s.plan, "-y")
			if wrong := Differ(before, look(t, s.install)); len(wrong) > 0 {
				t.Errorf("not as it was: %v", wrong)
			}
		})
	}
}

// What a share cannot hold of attributes and lists is told before anything is copied, and is
// left out only by who accepts that.
func TestAttributesThatTheShareCannotHoldAreTold(t *testing.T) {
	f := newFaulty(t, Upgraded)
	f.set(through.Fault{Bare: true})
	s := f.site
	s.install = filepath.Join(s.dir, "local")
	if err := s.layout.Make(s.install); err != nil {
		t.Fatal(err)
	}
	attributes(t, s)
	noted := filepath.Join(s.install, "var/sa/noted")
	before := listed(t, noted)
	args := []string{"migrate", "plan", s.install, "--to", s.appdata(), "--out", s.plan, "--accept"}
	told := s.fails(t, 5, "--accept attributes", append(args, "unseen-processes")...)
	if !strings.Contains(told, "var/sa/noted") || !strings.Contains(told, "var/sa/below") {
		t.Errorf("not named: %s", told)
	}
	s.coterie(t, 0, append(args, "unseen-processes,attributes")...)
	s.coterie(t, 0, "migrate", "apply", s.plan, "-y")
	if got := s.read(t, filepath.Join(s.appdata(), "var/sa/noted")); got != "x" {
		t.Errorf("on the share it is %q", got)
	}
	s.coterie(t, 0, "migrate", "rollback", s.plan, "-y")
	if after := listed(t, noted); after != before {
		t.Errorf("the original had %q, and has %q", before, after)
	}
}

// sameItems fails unless the share has all that may be moved, with attributes and lists.
func sameItems(t *testing.T, s *site) {
	t.Helper()
	here, there := s.ofItems(look(t, s.install)), s.ofItems(look(t, s.appdata()))
	for path := range here {
		if base := filepath.Base(path); base == "pipe" || strings.HasPrefix(base, ".nfs0") || strings.HasPrefix(base, ".fuse_hidden") {
			delete(here, path)
		}
	}
	if wrong := Differ(here, there); len(wrong) > 0 {
		t.Errorf("on the share: %v", wrong)
	}
	for path := range here {
		one, other := listed(t, filepath.Join(s.install, path)), listed(t, filepath.Join(s.appdata(), path))
		if one != other {
			t.Errorf("%s: attributes %q on the share, want %q", path, other, one)
		}
	}
}

// listed are the attributes and access-control lists of a file, as one text.
func listed(t *testing.T, name string) string {
	t.Helper()
	var text strings.Builder
	for _, attribute := range []string{"user.note", "system.posix_acl_access", "system.posix_acl_default"} {
		value := make([]byte, 4096)
		n, err := unix.Lgetxattr(name, attribute, value)
		if err != nil && !errors.Is(err, unix.ENODATA) && !errors.Is(err, unix.ENOTSUP) && !errors.Is(err, unix.EPERM) {
			t.Fatalf("%s of %s: %v", attribute, name, err)
		}
		text.WriteString(attribute + "=" + string(value[:max(n, 0)]) + ";")
	}
	return text.String()
}

func lookIfThere(t *testing.T, dir string) map[string]string {
	t.Helper()
	return look(t, dir)
}

func remove(name string) func(*testing.T, *site) {
	return func(t *testing.T, s *site) {
		t.Helper()
		if err := os.RemoveAll(filepath.Join(s.install, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func write(name, text string) func(*testing.T, *site) {
	return func(t *testing.T, s *site) { t.Helper(); s.write(t, filepath.Join(s.install, name), text) }
}

func mkdir(t *testing.T, name string) {
	t.Helper()
	if err := os.MkdirAll(name, 0o755); err != nil {
		t.Fatal(err)
	}
}

func symlink(t *testing.T, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, s *site, name, target string) {
	t.Helper()
	symlink(t, target, filepath.Join(s.install, name))
}

func to(where func(*site) string) func(*site) []string {
	return func(s *site) []string { return []string{"migrate", "plan", s.install, "--to", where(s)} }
}

func layout(name string) func(*site) []string {
	return func(s *site) []string {
		return []string{"migrate", "plan", s.install, "--to", s.appdata(), "--layout", name}
	}
}

func join(s *site) []string {
	return []string{"migrate", "plan", s.install, "--to", s.appdata(), "--join"}
}

// member puts on the share what a first server would have said, and its version.
func member(text, version string) func(*testing.T, *site) {
	return func(t *testing.T, s *site) {
		t.Helper()
		s.write(t, filepath.Join(s.appdata(), ".coterie/member.json"), text)
		if version != "" {
			s.write(t, filepath.Join(s.appdata(), "conf/installed.version"), version)
		}
	}
}

func pipe(t *testing.T, s *site) {
	t.Helper()
	if err := unix.Mkfifo(filepath.Join(s.install, "var/sa/pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func oddNames(t *testing.T, s *site) {
	t.Helper()
	for _, name := range []string{"new\nline", "tab\t", "esc\x1b[2J", "quote\"'`", "back\\slash", " blank ", "-rf", "--", "dot.", "CON", "a:b", "*?", "\xfe\xff", "é", "e\u0301", "\u202egnp.exe"} {
		write("var/sa/"+name, name)(t, s)
	}
}

func strangeTimes(t *testing.T, s *site) {
	t.Helper()
	for name, seconds := range map[string]int64{"long ago": -2_000_000_000, "to come": 8_000_000_000, "never": 0} {
		write("var/sa/"+name, name)(t, s)
		at := unix.Timespec{Sec: seconds, Nsec: 1}
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(s.install, "var/sa", name), []unix.Timespec{at, at}, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// accessList is a list by which the user 1234 may read, as the kernel keeps it.
func accessList() []byte {
	text := encoding.LittleEndian.AppendUint32(nil, 2)
	for _, e := range [][3]uint32{{1, 6, 1<<32 - 1}, {2, 4, 1234}, {4, 4, 1<<32 - 1}, {16, 4, 1<<32 - 1}, {32, 0, 1<<32 - 1}} {
		text = encoding.LittleEndian.AppendUint16(text, uint16(e[0]))
		text = encoding.LittleEndian.AppendUint16(text, uint16(e[1]))
		text = encoding.LittleEndian.AppendUint32(text, e[2])
	}
	return text
}

func setList(t *testing.T, name, attribute string) {
	t.Helper()
	err := unix.Setxattr(name, attribute, accessList(), 0)
	if errors.Is(err, unix.ENOTSUP) {
		t.Skip("this file system has no access-control lists")
	}
	if err != nil {
		t.Fatal(err)
	}
}

func attributes(t *testing.T, s *site) {
	t.Helper()
	at := func(name string) string { return filepath.Join(s.install, "var/sa", name) }
	write("var/sa/noted", "x")(t, s)
	write("var/sa/below/plain", "without a list of its own")(t, s)
	for _, name := range []string{at("noted"), at("below")} {
		if err := unix.Setxattr(name, "user.note", []byte("of mine\x00\xff"), 0); err != nil {
			t.Skip("this file system has no attributes of users")
		}
		setList(t, name, "system.posix_acl_access")
	}
	setList(t, at("below"), "system.posix_acl_default")
}

// defaultList has all that is made in the share get a list that the originals have not.
func defaultList(t *testing.T, s *site) {
	t.Helper()
	mkdir(t, s.appdata())
	setList(t, s.appdata(), "system.posix_acl_default")
}
