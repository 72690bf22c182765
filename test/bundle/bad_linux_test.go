package bundle

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// bad is something that an administrator may point a command at, and what must come of it.
type bad struct {
	make func(a *arena)
	args []string // ROOT is the tree, DIR what is around it
	exit int
	says string
}

var export = []string{"bundle", "export", "ROOT", "--profile", "generic", "--tier", "dev", "--out", "DIR/out.bundle", "-y"}

// badInputs are, item by item, trees, profiles, keys and bundles that nobody has meant.
var badInputs = map[string]bad{
	// What is exported.
	"no tree":                        {args: instead(export, "ROOT", "DIR/nothing"), exit: 2, says: "no such folder"},
	"a tree that is a file":          {args: instead(export, "ROOT", "DIR/x"), exit: 2, says: "no such folder"},
	"an empty tree":                  {make: func(a *arena) { a.remove("conf", "other", "z") }, args: export, exit: 0, says: "0 entries"},
	"a pipe in the tree":             {make: func(a *arena) { a.must(syscall.Mkfifo(a.at("conf/pipe"), 0o600)) }, args: export, exit: 0, says: "conf/pipe"},
	"a link that leads out":          {make: func(a *arena) { a.must(os.Symlink("../../x", a.at("conf/out"))) }, args: export, exit: 5, says: "COT-372"},
	"an absolute link":               {make: func(a *arena) { a.must(os.Symlink("/etc/passwd", a.at("conf/out"))) }, args: export, exit: 5, says: "COT-372"},
	"a link in a circle":             {make: func(a *arena) { a.must(os.Symlink("circle", a.at("conf/circle"))) }, args: export, exit: 0, says: "Wrote"},
	"names that differ in case":      {make: func(a *arena) { a.write("conf/A.XML", "x") }, args: export, exit: 5, says: "COT-372"},
	"a name with a new line":         {make: func(a *arena) { a.write("conf/new\nline", "x") }, args: export, exit: 5, says: `new\x0aline`},
	"a name with an escape":          {make: func(a *arena) { a.write("conf/\x1b[2J", "x") }, args: export, exit: 5, says: `\x1b[2J`},
	"a name that is no UTF-8":        {make: func(a *arena) { a.write("conf/\xff", "x") }, args: export, exit: 5, says: `\xff`},
	"a name of Windows' devices":     {make: func(a *arena) { a.write("conf/NUL.txt", "x") }, args: export, exit: 5, says: "COT-372"},
	"a name of 255 bytes":            {make: func(a *arena) { a.write("conf/"+strings.Repeat("n", 255), "x") }, args: export, exit: 0, says: "Wrote"},
	"a bundle within its own tree":   {args: instead(export, "DIR/out.bundle", "ROOT/out.bundle"), exit: 2, says: "within"},
	"a folder in the bundle's place": {args: instead(export, "DIR/out.bundle", "DIR/a"), exit: 2, says: "no regular file"},
	"no room for a bundle":           {args: instead(export, "DIR/out.bundle", "/dev/full"), exit: 2, says: "no regular file"},
	"a key that is none":             {make: func(a *arena) { a.outside("key", "not a key") }, args: append(export[:len(export):len(export)], "--key", "DIR/key"), exit: 2, says: "COT-"},

	// Profiles.
	"a profile that is none":              {make: func(a *arena) { a.outside("p.yaml", "\x00\x01") }, args: instead(export, "generic", "DIR/p.yaml"), exit: 2, says: "COT-373"},
	"a profile of aliases of aliases":     {make: func(a *arena) { a.outside("p.yaml", bomb()) }, args: instead(export, "generic", "DIR/p.yaml"), exit: 2, says: "COT-373"},
	"a profile that leads out":            {make: func(a *arena) { a.outside("p.yaml", "include: [../x]\n") }, args: instead(export, "generic", "DIR/p.yaml"), exit: 2, says: "COT-373"},
	"a profile with a pattern of no kind": {make: func(a *arena) { a.outside("p.yaml", "include: [\"[\"]\n") }, args: instead(export, "generic", "DIR/p.yaml"), exit: 2, says: "COT-373"},
	"a profile that is a folder":          {args: instead(export, "generic", "DIR/a"), exit: 2, says: "COT-373"},

	// What is imported.
	"no bundle":                         {args: importing("DIR/nothing", "ROOT"), exit: 2, says: "no such file"},
	"a bundle that is a folder":         {args: importing("DIR/a", "ROOT"), exit: 1, says: "COT-360"},
	"an empty bundle":                   {make: func(a *arena) { a.outside("b", "") }, args: importing("DIR/b", "ROOT"), exit: 1, says: "COT-360"},
	"a bundle of a mebibyte of nothing": {make: func(a *arena) { a.outside("b", strings.Repeat("\x00", 1<<20)) }, args: importing("DIR/b", "ROOT"), exit: 1, says: "COT-360"},
	"a bundle that is a pipe":           {make: func(a *arena) { a.must(syscall.Mkfifo(filepath.Join(a.dir, "b"), 0o600)) }, args: importing("DIR/b", "ROOT"), exit: 1, says: "COT-360"},

	// What is compared.
	"compared with nothing":       {args: []string{"appdata", "compare", "ROOT", "DIR/nothing"}, exit: 2, says: "no such folder"},
	"compared with a file":        {args: []string{"appdata", "compare", "ROOT", "DIR/x"}, exit: 2, says: "no such folder"},
	"compared with itself":        {args: []string{"appdata", "compare", "ROOT", "DIR/a/b/root"}, exit: 0, says: ""},
	"names of every kind of byte": {make: func(a *arena) { a.write("new\nline", "x"); a.write("\x1b[2J", "x"); a.write("\xff", "x") }, args: []string{"appdata", "compare", "ROOT", "DIR/a/b/other"}, exit: 3, says: `new\x0aline`},
	"a pipe that is compared":     {make: func(a *arena) { a.must(syscall.Mkfifo(a.at("pipe"), 0o600)) }, args: []string{"appdata", "compare", "ROOT", "DIR/a/b/other"}, exit: 3, says: "pipe"},
	"one tree alone":              {args: []string{"appdata", "compare", "ROOT"}, exit: 2, says: ""},
	"a file of 20 MiB of nothing": {make: func(a *arena) { a.write("hole", ""); a.must(os.Truncate(a.at("hole"), 20<<20)) }, args: []string{"appdata", "compare", "ROOT", "DIR/a/b/other"}, exit: 3, says: "hole"},
}

// bomb is a text that would be 10^9 names if each alias were written out.
func bomb() string {
	var text strings.Builder
	text.WriteString("a0: &a0 [x]\n")
	for i := range 9 {
		from := string(rune('0' + i))
		text.WriteString("a" + string(rune('1'+i)) + ": &a" + string(rune('1'+i)) + " [" + strings.TrimSuffix(strings.Repeat("*a"+from+",", 10), ",") + "]\n")
	}
	return text.String() + "include: *a9\n"
}

func instead(args []string, was, is string) []string {
	var all []string
	for _, arg := range args {
		if arg == was {
			arg = is
		}
		all = append(all, arg)
	}
	return all
}

func importing(bundle, into string) []string {
	return []string{"bundle", "import", bundle, "--into", into, "--tier", "dev", "--unsigned", "-y"}
}

func (a *arena) at(name string) string { return filepath.Join(a.root, name) }

func (a *arena) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *arena) write(name, text string) {
	a.t.Helper()
	a.must(os.WriteFile(a.at(name), []byte(text), 0o644))
}

func (a *arena) outside(name, text string) {
	a.t.Helper()
	a.must(os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o644))
}

func (a *arena) remove(names ...string) {
	a.t.Helper()
	for _, name := range names {
		a.must(os.RemoveAll(a.at(name)))
	}
}

// Whatever somebody points a command at, it says so within a time, and the tree stays as
// it is.
func TestBadInputIsToldAndChangesNothing(t *testing.T) {
	for name, b := range badInputs {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			a := newArena(t)
			if b.make != nil {
				b.make(a)
			}
			was := a.state()
			var args []string
			for _, arg := range b.args {
				args = append(args, strings.ReplaceAll(strings.ReplaceAll(arg, "ROOT", a.root), "DIR", a.dir))
			}
			cmd := exec.CommandContext(t.Context(), program, args...)
			cmd.Env = append(os.Environ(), "COTERIE_CONFIG=")
			cmd.WaitDelay = time.Second
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			a.must(cmd.Start())
			late := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
			err := cmd.Wait()
			late.Stop()
			if got := cmd.ProcessState.ExitCode(); got != b.exit || !strings.Contains(out.String(), b.says) {
				t.Errorf("coterie %s: exit code %d, %v; want %d and %q\n%s", strings.Join(args, " "), got, err, b.exit, b.says, &out)
			}
			if strings.Contains(out.String(), "\x1b[2J") || strings.Contains(out.String(), "panic") {
				t.Errorf("said as it is: %q", &out)
			}
			if now := a.state(); !maps.Equal(was, now) {
				t.Errorf("the tree is not as it was:\n%v\n%v", was, now)
			}
		})
	}
}
