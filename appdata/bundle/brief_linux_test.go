package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coterie-ha/coterie/appdata"
)

// Around each size at which one read is all or is not: the same is the same, and one byte
// is a difference wherever it stands.
func TestEachByteCountsAtEachSize(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 7))
	base := t.TempDir()
	for _, edge := range []int{0, page, 2 * page, briefly, 64 << 10, 128 << 10} {
		for size := max(edge-1, 0); size <= edge+1; size++ {
			text := make([]byte, size)
			for i := range text {
				text[i] = byte(random.Uint32())
			}
			wants := map[string]bool{"same": true, "longer": false}
			all := map[string][]byte{"same": text, "longer": append(bytes.Clone(text), 0)}
			for _, at := range []int{0, size / 2, size - 1} {
				if at < 0 || size == 0 {
					continue
				}
				other := bytes.Clone(text)
				other[at] ^= 1
				all[fmt.Sprint("other at ", at)] = other
			}
			for name, other := range all {
				a := plant(t, filepath.Join(base, fmt.Sprint(size, name, "a")), map[string]string{"f": string(text)})
				b := plant(t, filepath.Join(base, fmt.Sprint(size, name, "b")), map[string]string{"f": string(other)})
				v, err := small().Sift(t.Context(), Sifting{Roots: []string{a, b}, Workers: 1})
				if err != nil {
					t.Fatal(err)
				}
				if got := v.Skips("f"); got != wants[name] {
					t.Errorf("%d bytes, %s: the same %v, want %v", size, name, got, wants[name])
				}
			}
		}
	}
}

// Who is quick enough to put FIFOs in the place of files has nothing read from them.
func TestAFIFOInThePlaceOfAFileIsNotRead(t *testing.T) {
	base := t.TempDir()
	s := sides{sifter: &sifter{Sifting: Sifting{Progress: new(appdata.Progress)}, Sieve: newSieve()}, buffers: [][]byte{make([]byte, briefly), make([]byte, briefly)}, brief: true}
	var pipes []*os.File
	for _, name := range []string{"a", "b"} {
		dir := filepath.Join(base, name)
		if err := errors.Join(os.Mkdir(dir, 0o755), unix.Mkfifo(filepath.Join(dir, "f"), 0o644)); err != nil {
			t.Fatal(err)
		}
		opened, err := openFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer opened.close()
		s.dirs = append(s.dirs, opened)
		pipe, err := os.OpenFile(filepath.Join(dir, "f"), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer pipe.Close()
		if _, err := pipe.WriteString("kept"); err != nil {
			t.Fatal(err)
		}
		pipes = append(pipes, pipe)
	}
	if s.sameFiles(t.Context(), "f") {
		t.Error("two FIFOs are the same file")
	}
	for _, pipe := range pipes {
		_ = pipe.SetReadDeadline(time.Now().Add(time.Second))
		text := make([]byte, 9)
		if n, err := pipe.Read(text); err != nil || string(text[:n]) != "kept" {
			t.Errorf("the FIFO has %q, %v", text[:n], err)
		}
	}
}

// A comparison changes nothing: not even the time at which a file was last read.
func TestAComparisonLeavesNoTraceInTheTimes(t *testing.T) {
	base := t.TempDir()
	long := time.Unix(1_000_000_000, 0)
	var roots []string
	for _, name := range []string{"a", "b"} {
		roots = append(roots, plant(t, filepath.Join(base, name), map[string]string{"small": "text", "large": strings.Repeat("large", 20_000)}))
		for _, file := range []string{"small", "large"} {
			if err := os.Chtimes(filepath.Join(base, name, file), long, long); err != nil {
				t.Fatal(err)
			}
		}
	}
	v, err := small().Sift(t.Context(), Sifting{Roots: roots, Workers: 1})
	if err != nil || !v.Skips("small") || !v.Skips("large") {
		t.Fatalf("%v; left %v", err, v.found)
	}
	for _, root := range roots {
		for _, file := range []string{"small", "large"} {
			var s unix.Stat_t
			if err := unix.Stat(filepath.Join(root, file), &s); err != nil || s.Atim.Sec != long.Unix() {
				t.Errorf("%s was read at %d (%v)", file, s.Atim.Sec, err)
			}
		}
	}
}

// Only the owner of a file may read it without such a trace; all others read it with one.
func TestFilesOfOthersAreComparedToo(t *testing.T) {
	if roots := os.Getenv("COTERIE_TEST_ROOTS"); roots != "" {
		v, err := small().Sift(t.Context(), Sifting{Roots: strings.Split(roots, ":"), Workers: 2})
		if err != nil || !v.Skips("d/same") || v.Skips("d/other") {
			t.Fatalf("%v; left %v", err, v.found)
		}
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: needs root to be another user than the owner")
	}
	base := t.TempDir()
	for dir := base; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	a := plant(t, filepath.Join(base, "a"), map[string]string{"d/same": "text", "d/other": "text"})
	b := plant(t, filepath.Join(base, "b"), map[string]string{"d/same": "text", "d/other": "TEXT"})
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "COTERIE_TEST_ROOTS="+a+":"+b, "GOCOVERDIR=")
	cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("as somebody else: %v\n%s", err, out)
	}
}
