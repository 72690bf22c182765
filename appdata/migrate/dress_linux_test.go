package migrate

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coterie-ha/coterie/appdata"
)

// However many are at work, a folder is dressed after all below it, and each looks as
// its original in the end.
func TestFoldersAreDressedAfterWhatIsInThem(t *testing.T) {
	base := t.TempDir()
	var mu sync.Mutex
	var done []string
	p := &pass{run: &run{Run: Run{Boundary: func(name string) {
		mu.Lock()
		defer mu.Unlock()
		done = append(done, strings.TrimPrefix(name, "folder "))
	}}}}
	p.copier = copier{accepts: func(string) bool { return false }, uid: os.Geteuid(), gid: os.Getegid()}
	modes := map[string]fs.FileMode{".": 0o755}
	for _, a := range []string{"a", "b", "c", "long-name"} {
		modes[a] = 0o700
		for _, b := range []string{"x", "y", "z"} {
			modes[filepath.Join(a, b)] = 0o755
			modes[filepath.Join(a, b, "deep")] = 0o750 | fs.ModeSetgid
			modes[filepath.Join(a, b, "deep", "est")] = 0o555
		}
	}
	long := time.Unix(1_500_000_000, 7_000)
	for name := range modes {
		d := &folder{path: name, from: filepath.Join(base, "from", name), to: filepath.Join(base, "to", name)}
		if err := errors.Join(os.MkdirAll(d.from, 0o755), os.MkdirAll(d.to, 0o755)); err != nil {
			t.Fatal(err)
		}
		p.folders = append(p.folders, d)
	}
	marked := unix.Setxattr(filepath.Join(base, "from", "a"), "user.word", []byte("kept"), 0) == nil // not on each disk
	for name, mode := range modes {
		from := filepath.Join(base, "from", name)
		if err := errors.Join(os.Chmod(from, mode), os.Chtimes(from, time.Time{}, long)); err != nil {
			t.Fatal(err)
		}
	}
	rand.Shuffle(len(p.folders), func(i, j int) { p.folders[i], p.folders[j] = p.folders[j], p.folders[i] })
	if err := p.dressFolders(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	for name, mode := range modes {
		info, err := os.Stat(filepath.Join(base, "to", name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode() & keptMode; got != mode || !info.ModTime().Equal(long) {
			t.Errorf("%s: %v of %v, want %v of %v", name, got, info.ModTime(), mode, long)
		}
		for i, other := range done {
			if name != "." && strings.HasPrefix(other, name+"/") && i > slices.Index(done, name) {
				t.Errorf("%s was dressed after %s", other, name)
			}
		}
	}
	if len(done) != len(modes) || done[len(done)-1] != "." {
		t.Errorf("%d folders dressed, want %d, and last the root: %v", len(done), len(modes), done)
	}
	value := make([]byte, 10)
	if !marked {
		return
	}
	if n, err := unix.Getxattr(filepath.Join(base, "to", "a"), "user.word", value); err != nil || string(value[:n]) != "kept" {
		t.Errorf("the attribute is %q, %v", value[:max(n, 0)], err)
	}
}

// That something could not be written is told before anything is proved by it: on a
// share at once, on a disk of this host in the end.
func TestWhatCannotBeWrittenIsTold(t *testing.T) {
	r := &run{plan: Plan{To: filepath.Join(t.TempDir(), "gone")}}
	written, err := r.write()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := written(); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a disk: %v", err)
		}
	}
	r.plan.Mount = appdata.Mount{FSType: "nfs4"}
	if _, err := r.write(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a share: %v", err)
	}
}
