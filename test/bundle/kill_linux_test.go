package bundle

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
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
		text, err := os.ReadFile(name)
		found[strings.TrimPrefix(name, root)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// killedAfter runs coterie, and kills it after a while unless it has come to its end.
func killedAfter(t *testing.T, limit time.Duration, args ...string) (dead bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ended:
		return false
	case <-time.After(limit):
	}
	if err := cmd.Process.Kill(); err != nil {
		<-ended
		return false
	}
	return <-ended != nil
}

// TestAnImportThatIsKilledIsFinishedOrTakenBack kills real imports, and sometimes what
// was to finish them.
func TestAnImportThatIsKilledIsFinishedOrTakenBack(t *testing.T) {
	rounds := 12
	if *long {
		rounds = 300
	}
	dir := t.TempDir()
	newer, old := filepath.Join(dir, "new"), filepath.Join(dir, "old")
	installation(t, newer, "new")
	installation(t, old, "old")
	a := &arena{t: t, dir: dir}
	file := filepath.Join(dir, "x.bundle")
	if said, code, _ := a.run("bundle", "export", newer, "--tier", "dev", "--out", file); code != 0 {
		t.Fatal(said)
	}
	into := func(root string) []string {
		return []string{"bundle", "import", file, "--into", root, "--tier", "dev", "--unsigned", "-y"}
	}
	before := contents(t, old)
	trial := filepath.Join(dir, "trial")
	renew := func() {
		if err := os.RemoveAll(trial); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(trial, os.DirFS(old)); err != nil {
			t.Fatal(err)
		}
	}
	renew()
	begun := time.Now()
	if said, code, _ := a.run(into(trial)...); code != 0 {
		t.Fatal(said)
	}
	took := time.Since(begun)
	after := contents(t, trial)
	if !strings.Contains(after["/conf/server.xml"], `port="9090" maxThreads="new"`) || len(after) != 241 {
		t.Fatalf("%d files, %s", len(after), after["/conf/server.xml"])
	}
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	dead, mixed := 0, 0
	for round := range rounds {
		renew()
		limit := time.Duration(random.Int64N(int64(took)))
		if killedAfter(t, limit, into(trial)...) {
			dead++
		}
		now := contents(t, trial)
		for name, text := range now {
			if text != before[name] && text != after[name] {
				t.Errorf("round %d: %s is neither old nor new: %.60q", round, name, text)
			}
		}
		if !maps.Equal(now, before) && !maps.Equal(now, after) {
			mixed++
		}
		then, want := into(trial), after
		if round%2 == 0 {
			then, want = []string{"bundle", "import", "--undo", "--into", trial, "-y"}, before
		}
		if round%3 == 0 {
			killedAfter(t, time.Duration(random.Int64N(int64(took))), then...)
		}
		said, code, _ := a.run(then...)
		if code != 0 && !strings.Contains(said, "COT-370") {
			t.Errorf("round %d: exit code %d:\n%s", round, code, said)
		}
		if now := contents(t, trial); !maps.Equal(now, want) {
			t.Errorf("round %d (killed after %v): not as it shall be", round, limit)
		}
	}
	t.Logf("FIGURE %d of %d imports were killed on their way, %d of them between old and new", dead, rounds, mixed)
}
