package bundle

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/coterie-ha/coterie/appdata/bundle"
	"github.com/coterie-ha/coterie/test/cluster"
)

var (
	long    = flag.Bool("long", false, "kill imports for minutes")
	program string
)

// measureEnv has this program start another one and tell what that took: of a child that
// a large process starts itself, the system counts the memory of the large one.
const measureEnv = "COTERIE_BUNDLE_MEASURE"

func TestMain(m *testing.M) {
	if os.Getenv(measureEnv) != "" {
		os.Exit(measure(os.Args[1:]))
	}
	flag.Parse()
	os.Exit(run(m))
}

// measure runs a program, and writes its largest size in memory to the third descriptor.
func measure(args []string) int {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	usage, _ := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if _, err := fmt.Fprint(os.NewFile(3, "memory"), usage.Maxrss<<10); err != nil {
		return 98
	}
	return cmd.ProcessState.ExitCode()
}

func run(m *testing.M) int {
	if program = os.Getenv(cluster.ProgramEnv); program == "" {
		dir, err := os.MkdirTemp("", "coterie-bundle-")
		if err == nil {
			defer os.RemoveAll(dir)
			program, err = cluster.Build(dir, "")
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// arena is a folder with a tree in it, and what must not be touched around it.
type arena struct {
	t    *testing.T
	dir  string
	root string
}

func newArena(t *testing.T) *arena {
	a := &arena{t: t, dir: t.TempDir()}
	a.root = filepath.Join(a.dir, "a/b/root")
	for name, text := range map[string]string{
		"x": "outside", "a/x": "outside", "a/b/x": "outside", "a/b/other/x": "outside", "a/b/root/conf/a.xml": "<mine/>", "a/b/root/other/x": "inside", "a/b/root/z": "mine",
	} {
		name = filepath.Join(a.dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// state is all that is there: names, kinds, modes, times and contents.
func (a *arena) state() map[string]string {
	found := map[string]string{}
	err := filepath.WalkDir(a.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Dir(name) == a.dir && d.Name() != "x" && d.Name() != "a" {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := fmt.Sprint(info.Mode(), info.Size(), info.ModTime().UnixNano())
		if name == a.dir {
			text = info.Mode().String() // the bundle lies in it
		}
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			text += fmt.Sprintf(" %x", sha256.Sum256(data))
		}
		found[name] = text
		return nil
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return found
}

// run runs coterie, and tells what it said, its exit code and its largest size in memory.
func (a *arena) run(args ...string) (said string, code int, memory int64) {
	cmd := exec.CommandContext(a.t.Context(), os.Args[0], append([]string{program}, args...)...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=2", "GOTRACEBACK=single", measureEnv+"=1")
	told, err := os.CreateTemp(a.dir, "memory")
	if err != nil {
		a.t.Fatal(err)
	}
	defer os.Remove(told.Name())
	defer told.Close()
	cmd.ExtraFiles = []*os.File{told}
	out, _ := cmd.CombinedOutput() // the exit code is told below
	number, err := os.ReadFile(told.Name())
	if err != nil {
		a.t.Fatal(err)
	}
	if memory, err = strconv.ParseInt(string(number), 10, 64); err != nil {
		a.t.Fatalf("%v: %s", err, out)
	}
	return string(out), cmd.ProcessState.ExitCode(), memory
}

// try has a hostile bundle imported.
func (a *arena) try(h hostile) (memory int64) {
	name := filepath.Join(a.dir, "bundle")
	if err := os.WriteFile(name, h.data, 0o644); err != nil {
		a.t.Fatal(err)
	}
	before := a.state()
	args := h.args
	if args == nil {
		args = []string{"--unsigned"}
	}
	said, code, memory := a.run(append([]string{"bundle", "import", name, "--into", a.root, "--tier", "prod", "--from-tier", "dev", "-y"}, args...)...)
	if code == 0 || !strings.Contains(said, h.want) {
		a.t.Errorf("%s: exit code %d, want %s:\n%.2000s", h.name, code, h.want, said)
	}
	if strings.Contains(said, "\x1b") || strings.Contains(said, "goroutine ") {
		a.t.Errorf("%s: says %q", h.name, said)
	}
	if !maps.Equal(a.state(), before) {
		a.t.Errorf("%s: the tree or what is around it was changed", h.name)
	}
	return memory
}

// mostMemory is what reading a bundle may cost, all of the program included.
const mostMemory = 100 << 20

func TestNoHostileBundleTouchesAnything(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"right", "other"} {
		if _, err := bundle.MakeKey(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	key, err := bundle.ReadKey(filepath.Join(dir, "right"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := bundle.ReadKey(filepath.Join(dir, "other"))
	if err != nil {
		t.Fatal(err)
	}
	all := kinds(key, other, filepath.Join(dir, "right.pub"))
	if len(all) < 200 {
		t.Fatalf("only %d", len(all))
	}
	queue := make(chan hostile)
	var workers sync.WaitGroup
	var mu sync.Mutex
	most, by := int64(0), ""
	for range runtime.GOMAXPROCS(0) {
		a := newArena(t)
		workers.Go(func() {
			for h := range queue {
				memory := a.try(h)
				mu.Lock()
				if memory > most {
					most, by = memory, h.name
				}
				mu.Unlock()
			}
		})
	}
	for _, h := range all {
		queue <- h
	}
	close(queue)
	workers.Wait()
	t.Logf("FIGURE %d hostile bundles; most memory %d MiB, by %s", len(all), most>>20, by)
	if most > mostMemory {
		t.Errorf("%s took %d MiB", by, most>>20)
	}
}

// The forger makes bundles that are taken, so that what is refused is refused for what was
// changed; and what is touched is noticed.
func TestAForgedBundleThatIsGoodIsTaken(t *testing.T) {
	long := strings.Repeat("long/", 40)
	entries := []entry{folder("conf"), file("conf/a.xml", "<a/>"), link("conf/l", "../z"), file("z", "")}
	way := ""
	for part := range strings.SplitSeq(strings.TrimSuffix(long, "/"), "/") {
		way = strings.TrimPrefix(way+"/"+part, "/")
		entries = append(entries[:len(entries)-1], folder(way), entries[len(entries)-1])
	}
	entries = append(entries[:len(entries)-1], file(long+"f", "deep"), entries[len(entries)-1])
	for name, f := range map[string]*forged{"usual": good(), "long names": with(entries...)} {
		a := newArena(t)
		at := filepath.Join(a.dir, "bundle")
		if err := os.WriteFile(at, f.write(), 0o644); err != nil {
			t.Fatal(err)
		}
		before := a.state()
		said, code, _ := a.run("bundle", "import", at, "--into", a.root, "--tier", "prod", "--from-tier", "dev", "--unsigned", "-y")
		if code != 0 {
			t.Errorf("%s: exit code %d:\n%s", name, code, said)
		}
		if maps.Equal(a.state(), before) {
			t.Errorf("%s: nothing was changed, or it is not seen", name)
		}
		if text, err := os.ReadFile(filepath.Join(a.root, "conf/a.xml")); err != nil || string(text) != "<a/>" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

// A manifest as large as is allowed costs what a bundle may cost.
func TestALargeManifestIsBounded(t *testing.T) {
	f := with()
	n := 30_000
	if *long {
		n = 140_000
	}
	for i := range n {
		f.entries = append(f.entries, file(fmt.Sprintf("%06d-%s", i, strings.Repeat("n", 20)), ""))
	}
	a := newArena(t)
	at := filepath.Join(a.dir, "bundle")
	if err := os.WriteFile(at, f.write(), 0o644); err != nil {
		t.Fatal(err)
	}
	said, code, memory := a.run("bundle", "inspect", at)
	t.Logf("FIGURE %d entries cost %d MiB", n, memory>>20)
	if code != 0 || memory > mostMemory {
		t.Errorf("exit code %d, %d MiB:\n%.500s", code, memory>>20, said)
	}
}
