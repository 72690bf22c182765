package bundle

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// installation makes a tree of many files, old or new: some only in one of them.
func installation(t *testing.T, root, age string) {
	t.Helper()
	for i := range 300 {
		if age == "old" && i%5 == 0 || age == "new" && i%5 == 1 {
			continue
		}
		name := filepath.Join(root, fmt.Sprintf("conf/d%02d/f%03d.txt", i%20, i))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		text := strings.Repeat(age, 20+i*7%900)
		if i%5 == 2 {
			text = "the same"
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	server := `<Server port="8005"><Service><Connector port="8080" maxThreads="` + age + `"/></Service></Server>`
	if age == "old" {
		server = strings.Replace(server, "8080", "9090", 1)
	}
	if err := os.WriteFile(filepath.Join(root, "conf/server.xml"), []byte(server), 0o640); err != nil {
		t.Fatal(err)
	}
}

// contents are the files of a tree with their modes, but for what Coterie keeps there.
func contents(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Name() == ".coterie" {
			return fs.SkipDir
		}
		if d.IsDir() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(name)
		found[strings.TrimPrefix(name, root)] = info.Mode().String() + " " + string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// neither tells what is neither as it was nor as it shall be; no file is a state too.
func neither(now, before, after map[string]string) (told []string) {
	for _, name := range slices.Sorted(maps.Keys(both(both(now, before), after))) {
		is, there := now[name]
		old, was := before[name]
		text, shall := after[name]
		if (is != old || there != was) && (is != text || there != shall) {
			told = append(told, fmt.Sprintf("%s: %v, %.60q", name, there, is))
		}
	}
	return told
}

func both(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func TestTheJudgeTellsWhatIsNeitherOldNorNew(t *testing.T) {
	before, after := map[string]string{"a": "1", "b": "1", "gone": "1"}, map[string]string{"a": "2", "b": "1", "new": ""}
	for want, now := range map[string]map[string]string{
		"":                     before,
		" ":                    after,
		"  ":                   {"a": "1", "b": "1", "new": ""},
		`a: true, "12"`:        {"a": "12", "b": "1"},
		`a: false, ""`:         {"b": "1"},
		`b: true, ""`:          {"a": "1", "b": "", "gone": "1"},
		`new: true, "1"`:       {"a": "2", "b": "1", "new": "1"},
		`stranger: true, ""`:   {"a": "2", "b": "1", "stranger": ""},
		`gone: true, "1 more"`: {"a": "2", "b": "1", "gone": "1 more"},
	} {
		if got := strings.Join(neither(now, before, after), "; "); got != strings.TrimSpace(want) {
			t.Errorf("of %v it tells %q, want %q", now, got, want)
		}
	}
}

// deadline is when a program is to be killed: a while after it was started, or after an
// import in a tree has begun to do what it decided.
type deadline struct {
	after time.Duration
	doing string // the tree; empty: after the start
}

// killed runs coterie, and kills it at the deadline unless it has come to its end.
func killed(t *testing.T, at deadline, args ...string) (dead bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	look := time.NewTicker(200 * time.Microsecond)
	defer look.Stop()
	for at.doing != "" && !begun(at.doing) {
		select {
		case <-ended:
			return false
		case <-look.C:
		}
	}
	select {
	case <-ended:
		return false
	case <-time.After(at.after):
	}
	if err := cmd.Process.Kill(); err != nil {
		<-ended
		return false
	}
	return <-ended != nil
}

// begun says that an import has decided, and is not at its end.
func begun(root string) bool {
	names, err := filepath.Glob(filepath.Join(root, ".coterie/bundle/*ing"))
	return err == nil && len(names) > 0
}

// trial is an import of a bundle into a copy of a tree.
type trial struct {
	*arena
	file, old, root string
	before, after   map[string]string
	took            time.Duration // of one that nobody kills
}

func newTrial(t *testing.T) *trial {
	t.Helper()
	dir := t.TempDir()
	newer := filepath.Join(dir, "new")
	r := &trial{arena: &arena{t: t, dir: dir}, file: filepath.Join(dir, "x.bundle"), old: filepath.Join(dir, "old"), root: filepath.Join(dir, "trial")}
	installation(t, newer, "new")
	installation(t, r.old, "old")
	if said, code, _ := r.run("bundle", "export", newer, "--tier", "dev", "--out", r.file); code != 0 {
		t.Fatal(said)
	}
	r.renew()
	r.before = contents(t, r.root)
	at := time.Now()
	if said, code, _ := r.run(r.forward()...); code != 0 {
		t.Fatal(said)
	}
	r.took, r.after = time.Since(at), contents(t, r.root)
	if !strings.Contains(r.after["/conf/server.xml"], `port="9090" maxThreads="new"`) || len(r.after) != 241 {
		t.Fatalf("%d files, %s", len(r.after), r.after["/conf/server.xml"])
	}
	return r
}

func (r *trial) renew() {
	r.t.Helper()
	if err := os.RemoveAll(r.root); err != nil {
		r.t.Fatal(err)
	}
	if err := os.CopyFS(r.root, os.DirFS(r.old)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *trial) forward() []string {
	return []string{"bundle", "import", r.file, "--into", r.root, "--tier", "dev", "--unsigned", "-y"}
}

func (r *trial) back() []string {
	return []string{"bundle", "import", "--undo", "--into", r.root, "-y"}
}

// TestAnImportThatIsKilledIsFinishedOrTakenBack kills real imports: one of four at any
// moment, the others after their decision, and sometimes what was to finish them.
func TestAnImportThatIsKilledIsFinishedOrTakenBack(t *testing.T) {
	rounds := 12
	if *long {
		rounds = 300
	}
	r := newTrial(t)
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	dead, mixed := 0, 0
	for round := range rounds {
		r.renew()
		at := deadline{after: time.Duration(random.Int64N(int64(r.took)))}
		if round%4 < 3 {
			at = deadline{after: time.Duration(random.Int64N(int64(10 * time.Millisecond))), doing: r.root}
		}
		if killed(t, at, r.forward()...) {
			dead++
		}
		now := contents(t, r.root)
		for _, told := range neither(now, r.before, r.after) {
			t.Errorf("round %d: neither old nor new: %s", round, told)
		}
		if !maps.Equal(now, r.before) && !maps.Equal(now, r.after) {
			mixed++
		}
		then, want := r.forward(), r.after
		if round%2 == 0 {
			then, want = r.back(), r.before
		}
		if round%3 == 0 {
			killed(t, deadline{after: time.Duration(random.Int64N(int64(r.took)))}, then...)
		}
		said, code, _ := r.run(then...)
		if code != 0 && !strings.Contains(said, "COT-370") {
			t.Errorf("round %d: exit code %d:\n%s", round, code, said)
		}
		if now := contents(t, r.root); !maps.Equal(now, want) {
			t.Errorf("round %d (killed after %v, %q): not as it shall be: %s", round, at.after, at.doing, said)
		}
	}
	t.Logf("FIGURE %d of %d imports were killed on their way, %d of them between old and new", dead, rounds, mixed)
}
