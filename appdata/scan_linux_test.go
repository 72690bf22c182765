package appdata

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestHostileNamesAndKindsSurvive(t *testing.T) {
	long := strings.Repeat("x", 255)
	dir := tree(t, map[string]string{
		"plain": "1", "new\nline": "2", "bad\xff\xfeutf8": "3", long: "4", "File": "5", "file": "6", `back\slash`: "7",
		"-rf": "8", " ": "9", "\x1b[2J": "10", "deep/er/est": "11", "empty/": "", "...": "12", "caf\u00e9": "13", "cafe\u0301": "14",
		"CON": "15", "nul.txt": "16", "a:b": "17", "ends.": "18", "*?": "19", // which Windows cannot have
	})
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("must not be read"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := errors.Join(
		os.Symlink(outside, dir+"/out"), os.Symlink("/dev/zero", dir+"/zero"), os.Symlink(".", dir+"/loop"), os.Symlink("..", dir+"/deep/up"),
		os.Symlink("gone\n", dir+"/dangling"), syscall.Mkfifo(dir+"/fifo", 0o600), os.Link(dir+"/plain", dir+"/twin"),
		unix.Mknod(dir+"/socket", unix.S_IFSOCK|0o600, 0))
	if err != nil {
		t.Fatal(err)
	}
	m := scan(t, Scanner{Root: dir})
	file := func(name, content string) string {
		return fmt.Sprintf("file %q %d %s", name, len(content), digestOf(content))
	}
	wantLines(t, "entries", text(m), []string{
		file("\x1b[2J", "10"), file(" ", "9"), file("*?", "19"), file("-rf", "8"), file("...", "12"), file("CON", "15"), file("File", "5"), file("a:b", "17"), file(`back\slash`, "7"),
		file("bad\xff\xfeutf8", "3"), file("cafe\u0301", "14"), file("caf\u00e9", "13"), `link "dangling" -> "gone\n"`,
		`folder "deep"`, `folder "deep/er"`, file("deep/er/est", "11"), `link "deep/up" -> ".."`, `folder "empty"`, file("ends.", "18"), `fifo "fifo"`,
		file("file", "6"), `link "loop" -> "."`, file("new\nline", "2"), file("nul.txt", "16"), fmt.Sprintf(`link "out" -> %q`, outside), file("plain", "1"),
		`socket "socket"`, file("twin", "1"), file(long, "4"), `link "zero" -> "/dev/zero"`,
	})
	if e := m.Entry("twin"); e.Links != 2 || e.Inode != m.Entry("plain").Inode {
		t.Errorf("a hard link is %+v", e)
	}
	if e := m.Entry("deep/er/est"); e == nil || e.Digest.String() != fmt.Sprintf("%x", sha256.Sum256([]byte("11"))) {
		t.Errorf("deep/er/est is %+v", e)
	}
	if r := m.Root(); r.Files != 27 || r.Holes != 0 || r.Bytes != 30 {
		t.Errorf("the root counts %+v", r.Sums)
	}
}

func TestDevicesAreNotOpened(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	// A device node cannot be made in a namespace of one's own; one can be laid over a file.
	dir := tree(t, map[string]string{"zero": "", "full": ""})
	for _, name := range []string{"zero", "full"} {
		if err := unix.Mount("/dev/"+name, dir+"/"+name, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
	}
	m := scan(t, Scanner{Root: dir})
	for _, name := range []string{"zero", "full"} {
		if err := unix.Unmount(dir+"/"+name, unix.MNT_DETACH); err != nil {
			t.Fatal(err)
		}
	}
	wantLines(t, "entries", text(m), []string{`device "full"`, `device "zero"`})
}

func TestTreeDeeperThanAPathMayBeLong(t *testing.T) {
	root := t.TempDir()
	fd, err := unix.Open(root, unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.Repeat("d", 100)
	const depth = 500 // 50,500 bytes of path
	for range depth {
		if err := unix.Mkdirat(fd, name, 0o755); err != nil {
			t.Fatal(err)
		}
		next, err := unix.Openat(fd, name, unix.O_DIRECTORY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Close(fd); err != nil {
			t.Fatal(err)
		}
		fd = next
	}
	if err := unix.Close(fd); err != nil {
		t.Fatal(err)
	}
	m := scan(t, Scanner{Root: root})
	n := 0
	for range m.All() {
		n++
	}
	if n != depth || m.Root().Holes != 0 {
		t.Errorf("%d levels, %d holes, want %d and none", n, m.Root().Holes, depth)
	}
}

func TestTimesOf1901And2446Survive(t *testing.T) {
	dir := tree(t, map[string]string{"old": "a", "young": "b"})
	for name, when := range map[string]int64{"old": -2147483648, "young": 15032385535} {
		ts := []unix.Timespec{{Sec: when, Nsec: 5}, {Sec: when, Nsec: 5}}
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, dir+"/"+name, ts, 0); err != nil {
			t.Fatal(err)
		}
	}
	m := scan(t, Scanner{Root: dir})
	if y := m.Entry("old").MTime.Time().UTC().Year(); y != 1901 {
		t.Errorf("1901 became %d", y)
	}
	if y := m.Entry("young").MTime.Time().UTC().Year(); y != 2446 {
		t.Errorf("2446 became %d", y)
	}
	wantLines(t, "changes", changes(m, scan(t, Scanner{Root: dir, Known: m.Dir})), nil)
}

func TestUnreadableSubtreesAreEntriesNotFailures(t *testing.T) {
	if !asNobody(t) {
		return
	}
	dir := tree(t, map[string]string{"a/ok": "1", "closed/x": "2", "unlisted/x": "3", "file": "4"})
	whole := scan(t, Scanner{Root: dir})
	modes := map[string]os.FileMode{"closed": 0, "unlisted": 0o600, "file": 0}
	for name, mode := range modes {
		if err := os.Chmod(dir+"/"+name, mode); err != nil {
			t.Fatal(err)
		}
	}
	m := scan(t, Scanner{Root: dir})
	wantLines(t, "entries", text(m), []string{
		`folder "a"`, fmt.Sprintf(`file "a/ok" 1 %s`, digestOf("1")), `folder "closed" !permission denied`,
		`file "file" !permission denied`, `folder "unlisted"`, `unknown "unlisted/x" !permission denied`,
	})
	if m.Root().Holes != 3 {
		t.Errorf("%d holes, want 3", m.Root().Holes)
	}
	got := changes(whole, m)
	for _, line := range got {
		if strings.HasPrefix(line, "deleted") || strings.HasPrefix(line, "created") {
			t.Errorf("what could not be read was called %s", line)
		}
	}
	for _, want := range []string{`uncertain "closed"`, `uncertain "unlisted/x"`, `uncertain "file"`} {
		if !slices.Contains(got, want) {
			t.Errorf("%q lacks %s", got, want)
		}
	}
	if again := changes(m, m); !slices.Contains(again, `uncertain "closed"`) || !slices.Contains(again, `uncertain "unlisted/x"`) {
		t.Errorf("the same holes on both sides are %q: nobody knows what is in them", again)
	}
	for name := range modes {
		if err := os.Chmod(dir+"/"+name, 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWhatVanishesMeanwhileIsLeftOut removes names between two looks at them.
func TestWhatVanishesMeanwhileIsLeftOut(t *testing.T) {
	dir := tree(t, map[string]string{"a/b": "1", "c": "2", "d": "3"})
	m := scan(t, Scanner{Root: dir, Workers: 1, Skip: func(path string) bool {
		if path == "c" { // a is seen to be a folder, c was listed
			if err := errors.Join(os.RemoveAll(dir+"/a"), os.Remove(dir+"/c")); err != nil {
				t.Error(err)
			}
		}
		return false
	}})
	wantLines(t, "entries", text(m), []string{"file \"d\" 1 " + digestOf("3")})
	if m.Root().Holes != 0 {
		t.Errorf("%d holes", m.Root().Holes)
	}
}

// TestScanSurvivesATreeThatMoves scans while others create, delete, rename and
// swap folders with links that lead out.
func TestScanSurvivesATreeThatMoves(t *testing.T) {
	dir := tree(t, map[string]string{"keep/a": "1", "keep/b": "2"})
	outside := tree(t, map[string]string{"secret": "must not be seen"})
	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			name := fmt.Sprintf("%s/d%d", dir, rand.IntN(20))
			_ = os.MkdirAll(name+"/x", 0o755) // errors are the point
			_ = os.WriteFile(name+"/x/f", []byte("x"), 0o600)
			_ = os.Rename(name, fmt.Sprintf("%s/d%d", dir, rand.IntN(20)))
			_ = os.RemoveAll(fmt.Sprintf("%s/d%d", dir, rand.IntN(20)))
			_ = os.Symlink(outside, fmt.Sprintf("%s/d%d", dir, rand.IntN(20)))
		}
	}()
	var known *Manifest
	for range 100 {
		m, err := Scanner{Root: dir, Known: known.Dir}.Scan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if m.Entry("keep/a") == nil || m.Entry("keep/b").Digest.String()[:6] != digestOf("2") {
			t.Fatalf("what stayed is %q", text(m))
		}
		for path, e := range m.All() {
			if strings.Contains(path, "secret") {
				t.Fatalf("the scan left the tree: %s %+v", path, e)
			}
		}
		for range Compare(m, known) {
		}
		known = m
	}
	close(stop)
	<-stopped
	if n := len(openFiles(t)); n > 200 {
		t.Errorf("%d files are open", n)
	}
}

func TestOneLargeFolderIsSharedOut(t *testing.T) {
	files := map[string]string{}
	for i := range 3*chunk + 7 {
		files[fmt.Sprintf("f%05d", i)] = fmt.Sprint(i)
	}
	dir := tree(t, files)
	m := scan(t, Scanner{Root: dir})
	if n := len(m.Root().Entries); n != len(files) {
		t.Fatalf("%d entries, want %d", n, len(files))
	}
	for name, content := range maps.All(files) {
		if e := m.Entry(name); e == nil || e.Digest.String()[:6] != digestOf(content) {
			t.Fatalf("%s is %+v", name, e)
		}
	}
	same := scan(t, Scanner{Root: dir, Workers: 1})
	if same.Root().Exact != m.Root().Exact || same.Root().Content != m.Root().Content {
		t.Error("the sums depend on who did the work")
	}
}
