package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// memory is a folder that costs no disk: what is tried here is the order of things.
func memory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "bundle-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// snapshot is all of a tree but Coterie's own: contents, modes, targets, times of files.
func snapshot(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil || rel == "." {
			return err
		}
		if rel == ownFolder {
			return filepath.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case info.Mode().IsRegular():
			text, err := os.ReadFile(name)
			found[rel] = fmt.Sprintf("%v %d %s", info.Mode(), info.ModTime().Unix(), text)
			return err
		case d.IsDir():
			found[rel] = info.Mode().String()
		default:
			target, err := os.Readlink(name)
			found[rel] = "->" + target
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func unlike(a, b map[string]string) (told []string) {
	for name := range maps.Keys(a) {
		if a[name] != b[name] {
			told = append(told, fmt.Sprintf("%s: %.80q and %.80q", name, a[name], b[name]))
		}
	}
	for name := range b {
		if _, has := a[name]; !has {
			told = append(told, fmt.Sprintf("%s: nothing and %.80q", name, b[name]))
		}
	}
	return told
}

// source is a tree that bundles are made of, target one that they are brought into: every
// kind of change is between them.
func source() map[string]string {
	return map[string]string{
		"conf/server.xml": strings.Replace(tomcat, "200", "400", 1), "conf/app.xml": "<new/>", "conf/same.txt": "same", "conf/link": "->app.xml", "conf/newlink": "->same.txt",
		"conf/sub/new/file.txt": "new", "conf/persist.properties": "db=dev", "lib/x.jar": "new lib", "conf/mode.sh": "run",
	}
}

func target() map[string]string {
	return map[string]string{
		"conf/server.xml": strings.Replace(tomcat, "8080", "9090", 1), "conf/app.xml": "<old/>", "conf/same.txt": "same", "conf/link": "->same.txt", "conf/mode.sh": "run",
		"conf/gone/deep/old.txt": "old", "conf/gone/x.log": "ignored", "conf/old/only/f": "1", "conf/persist.properties": "db=prod", "conf/license.dat": "L9", "conf/tls.keystore": "key",
		"lib/old.jar": "old lib", "lib/native.so": "unbundled", "other/untouched": "1", "conf/oldlink": "->app.xml",
	}
}

func wanted(t *testing.T, before map[string]string, full bool) map[string]string {
	t.Helper()
	after := maps.Clone(before)
	for _, name := range []string{"conf/app.xml", "lib/x.jar", "conf/sub/new/file.txt"} {
		after[name] = "-rw-r--r-- 1700000000 " + source()[name]
	}
	after["conf/server.xml"] = "-rw-r--r-- 1700000000 " + strings.Replace(strings.Replace(tomcat, "8080", "9090", 1), "200", "400", 1)
	after["conf/mode.sh"] = "-rwxr-xr-x 1700000000 run"
	after["conf/link"], after["conf/newlink"] = "->app.xml", "->same.txt"
	after["conf/sub"], after["conf/sub/new"] = "drwxr-xr-x", "drwxr-xr-x"
	if full {
		for _, gone := range []string{"conf/gone/deep/old.txt", "conf/gone/deep", "conf/old/only/f", "conf/old/only", "conf/old", "lib/old.jar", "conf/oldlink"} {
			delete(after, gone)
		}
	}
	return after
}

// trial is a bundle, and a tree to bring it into.
type trial struct {
	*testing.T
	Import
	bundle []byte
	before map[string]string
}

func newTrial(t *testing.T) *trial {
	from := plant(t, filepath.Join(memory(t), "from"), source())
	fixed(t, from)
	if err := os.Chmod(filepath.Join(from, "conf/mode.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	text, _ := exported(t, Export{Root: from, Profile: small(), Tier: "dev"})
	x := &trial{T: t, bundle: text, Import: Import{Policy: Full, Profile: small(), Unsigned: true, Tier: "prod", FromTier: "dev"}}
	x.renew()
	return x
}

// renew makes the tree as it was.
func (x *trial) renew() {
	x.Root = plant(x.T, filepath.Join(memory(x.T), "into"), target())
	fixed(x.T, x.Root)
	x.before = snapshot(x.T, x.Root)
}

func (x *trial) reader() *Reader {
	r, err := Open(bytes.NewReader(x.bundle), Usual)
	if err != nil {
		x.Fatal(err)
	}
	x.Cleanup(r.Close)
	return r
}

func (x *trial) plan() *Plan {
	x.Helper()
	p, err := x.Plan(x.Context(), x.reader())
	if err != nil {
		x.Fatal(err)
	}
	return p
}

func (x *trial) apply(p *Plan) (*Applied, error) {
	return x.Apply(x.Context(), p, x.reader(), Who{By: "test", Reason: "because"})
}

func (x *trial) import1() *Applied {
	x.Helper()
	out, err := x.apply(x.plan())
	if err != nil {
		x.Fatal(err)
	}
	return out
}

func (x *trial) want(what string, want map[string]string) {
	x.Helper()
	if told := unlike(snapshot(x.T, x.Root), want); len(told) > 0 {
		x.Errorf("%s:\n%s", what, strings.Join(told, "\n"))
	}
}

func TestAnImportDoesWhatThePlanSaysAndIsTakenBack(t *testing.T) {
	x := newTrial(t)
	var told []string
	for _, c := range x.plan().Changes {
		told = append(told, strings.TrimSpace(string(c.Action)+" "+c.Path+" "+c.Why))
	}
	want := []string{
		"replace conf/app.xml", "replace conf/link", "replace conf/mode.sh mode 0644 becomes 0755", "add conf/newlink", "keep conf/persist.properties of one tier alone",
		"merge conf/server.xml this host's own fields stay", "add conf/sub", "add conf/sub/new", "add conf/sub/new/file.txt", "add lib/x.jar",
		"delete lib/old.jar", "delete conf/oldlink", "delete conf/old/only/f", "delete conf/old/only", "delete conf/old", "delete conf/gone/deep/old.txt", "delete conf/gone/deep",
	}
	if strings.Join(told, "\n") != strings.Join(want, "\n") {
		t.Errorf("planned\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
	x.want("after the plan", x.before)
	if out := x.import1(); out.Number != 1 || out.Changes != 16 || len(out.Left) > 0 {
		t.Errorf("applied %+v", out)
	}
	x.want("after the import", wanted(t, x.before, true))
	if p := x.plan(); p.Does() {
		t.Errorf("the same again would change %+v", p.Changes)
	}
	if out := x.import1(); out.Number != 0 {
		t.Errorf("the same again did %+v", out)
	}
	last, err := x.Last()
	if err != nil || last.Number != 1 || last.By != "test" || last.Reason != "because" || len(last.Paths) != 16 {
		t.Errorf("the last import: %+v, %v", last, err)
	}
	if out, err := x.Undo(1); err != nil || len(out.Left) > 0 {
		t.Errorf("taken back: %+v, %v", out, err)
	}
	x.want("after it was taken back", x.before)
	if _, err := x.Last(); !isFault(err, Nothing) {
		t.Errorf("there is another to take back: %v", err)
	}
}

func isFault(err error, kind FaultKind) bool {
	f, ok := errors.AsType[*Fault](err)
	return ok && f.Kind == kind
}

func TestPartialAddsAndNoneOnlyLooks(t *testing.T) {
	x := newTrial(t)
	x.Policy = None
	if p := x.plan(); p.Count(Replace) == 0 || p.Count(Delete) > 0 {
		t.Errorf("NONE finds %+v", p.Changes)
	}
	x.import1()
	x.want("NONE", x.before)
	x.Policy = Partial
	x.import1()
	want, all := maps.Clone(x.before), wanted(t, x.before, false)
	for _, added := range []string{"lib/x.jar", "conf/sub/new/file.txt", "conf/newlink", "conf/sub", "conf/sub/new"} {
		want[added] = all[added]
	}
	x.want("PARTIAL", want)
}

// What this host calls its own stays, whatever the bundle calls it; and the other way round.
func TestEachSideCanWithhold(t *testing.T) {
	x := newTrial(t)
	x.Import.Profile.Host = append(x.Import.Profile.Host, "app.xml", "old.jar")
	x.Import.Profile.Secret = append(x.Import.Profile.Secret, "sub")
	x.import1()
	want := wanted(t, x.before, true)
	want["conf/app.xml"], want["lib/old.jar"] = x.before["conf/app.xml"], x.before["lib/old.jar"]
	for _, name := range []string{"conf/sub", "conf/sub/new", "conf/sub/new/file.txt"} {
		delete(want, name)
	}
	x.want("withheld", want)
}

func TestATierAndAVersionMustBeTheSameOrSaid(t *testing.T) {
	x := newTrial(t)
	x.FromTier = ""
	if _, err := x.Plan(t.Context(), x.reader()); !isFault(err, OtherTier) {
		t.Errorf("another tier: %v", err)
	}
	x.Tier = "dev"
	x.Version = "6"
	if _, err := x.Plan(t.Context(), x.reader()); !isFault(err, OtherVersion) {
		t.Errorf("another version: %v", err)
	}
	x.Version = ""
	x.Unsigned = false
	if _, err := x.Plan(t.Context(), x.reader()); !isFault(err, Unsigned) {
		t.Errorf("unsigned: %v", err)
	}
}

func TestWhatIsInTheWayIsToldBeforeAnythingIsDone(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"a link for a folder":   {"elsewhere/x": "1", "conf": "->elsewhere"},
		"a file for a folder":   {"conf": "1"},
		"a folder for a file":   {"conf/app.xml/x": "1"},
		"a link for a file":     {"conf/app.xml": "->x", "conf/x": "1"},
		"a file for a link":     {"conf/link": "1"},
		"XML that is none":      {"conf/server.xml": "<Server"},
		"XML with other fields": {"conf/server.xml": strings.Replace(tomcat, `port="8080"`, "", 1)},
	} {
		x := newTrial(t)
		x.Root = plant(t, filepath.Join(memory(t), "other"), files)
		before := snapshot(t, x.Root)
		if _, err := x.Plan(t.Context(), x.reader()); !isFault(err, Unfit) {
			t.Errorf("%s: %v", name, err)
		}
		x.want(name, before)
	}
}

func TestWhatChangesMeanwhileIsLeftAlone(t *testing.T) {
	x := newTrial(t)
	p := x.plan()
	at := filepath.Join(x.Root, "conf/app.xml")
	if err := os.WriteFile(at, []byte("<mine/>"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := x.apply(p)
	if err != nil || fmt.Sprint(out.Left) != "[conf/app.xml]" {
		t.Fatalf("%+v, %v", out, err)
	}
	if err := os.WriteFile(filepath.Join(x.Root, "lib/x.jar"), []byte("patched"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err = x.Undo(1)
	if err != nil || fmt.Sprint(out.Left) != "[lib/x.jar conf/app.xml]" {
		t.Fatalf("%+v, %v", out, err)
	}
	for name, want := range map[string]string{"lib/x.jar": "patched", "conf/app.xml": "<mine/>"} {
		if text, err := os.ReadFile(filepath.Join(x.Root, name)); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

// killed stands for a process that dies.
type killed struct{}

// dies runs something that dies before its nth step; false when it came to its end.
func (x *trial) dies(n int, run func()) (dead bool, steps int) {
	x.step = func(string) {
		if steps++; steps == n {
			panic(killed{})
		}
	}
	defer func() {
		x.step = nil
		if r := recover(); r != nil {
			if _, ok := r.(killed); !ok {
				panic(r)
			}
			dead = true
		}
	}()
	run()
	return false, steps
}

// eachOldOrNew wants of each path what was there before, or what is there after.
func (x *trial) eachOldOrNew(what string, after map[string]string) {
	x.Helper()
	now := snapshot(x.T, x.Root)
	for name, text := range now {
		was, had := x.before[name]
		is, has := after[name]
		making := text == "drwx------" && is != "" && is[0] == 'd' || text == "drwx------" && was != "" && was[0] == 'd'
		if !(had && text == was) && !(has && text == is) && !making {
			x.Errorf("%s: %s is %.60q, which it never was", what, name, text)
		}
	}
	for name := range x.before {
		_, has := after[name]
		if _, is := now[name]; !is && has {
			x.Errorf("%s: %s is gone", what, name)
		}
	}
}

// Wherever an import dies, each path is old or new, and the next one, or the way back,
// comes to its end.
func TestAnImportThatDiesAnywhereIsFinishedOrTakenBack(t *testing.T) {
	x := newTrial(t)
	after := wanted(t, x.before, true)
	for n := 1; ; n++ {
		x.renew()
		p := x.plan()
		dead, steps := x.dies(n, func() {
			if _, err := x.apply(p); err != nil {
				t.Error(err)
			}
		})
		if !dead {
			if steps < 35 {
				t.Errorf("only %d steps", steps)
			}
			break
		}
		what := fmt.Sprintf("died before step %d", n)
		x.eachOldOrNew(what, after)
		if n%2 == 0 { // the way back
			last, err := x.Last()
			if err == nil {
				_, err = x.Undo(last.Number)
			} else if isFault(err, Nothing) {
				err = nil
			}
			if err != nil {
				t.Errorf("%s: taken back: %v", what, err)
			}
			x.want(what+", and was taken back", x.before)
			continue
		}
		if _, err := x.Resume(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		x.import1()
		x.want(what+", and was imported again", after)
	}
}

func TestAnUndoThatDiesAnywhereIsFinished(t *testing.T) {
	x := newTrial(t)
	after := wanted(t, x.before, true)
	for n := 1; ; n++ {
		x.renew()
		x.import1()
		dead, _ := x.dies(n, func() {
			if _, err := x.Undo(1); err != nil {
				t.Error(err)
			}
		})
		if !dead {
			break
		}
		what := fmt.Sprintf("died before step %d of undoing", n)
		x.eachOldOrNew(what, after)
		if last, err := x.Last(); err == nil {
			if _, err := x.Undo(last.Number); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		x.want(what+", and again", x.before)
	}
}

// Two at once: one is refused, and does nothing.
func TestOneImportAtATime(t *testing.T) {
	x := newTrial(t)
	d, err := openDesk(x.Root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if _, err := x.apply(x.plan()); !isFault(err, Busy) {
		t.Errorf("%v", err)
	}
	x.want("refused", x.before)
}

// A stage that somebody has prepared leads nowhere.
func TestADeskThatIsALinkIsNotUsed(t *testing.T) {
	x := newTrial(t)
	outside := plant(t, filepath.Join(memory(t), "outside"), map[string]string{"a": "1"})
	if err := os.Symlink(outside, filepath.Join(x.Root, ownFolder)); err != nil {
		t.Fatal(err)
	}
	if _, err := x.apply(x.plan()); err == nil {
		t.Error("used")
	}
	if got := len(snapshot(t, outside)); got != 1 {
		t.Errorf("%d files outside", got)
	}
}

func TestOnlyTheLastImportsAreKept(t *testing.T) {
	x := newTrial(t)
	for i := range 6 {
		x.import1()
		if err := os.WriteFile(filepath.Join(x.Root, "conf/app.xml"), fmt.Appendf(nil, "<%d/>", i), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	names, err := os.ReadDir(filepath.Join(x.Root, deskDir))
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != kept+1 { // and the lock
		t.Errorf("%v", names)
	}
}
