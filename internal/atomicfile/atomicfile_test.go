//go:build unix

package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, path, content string, perm fs.FileMode) {
	t.Helper()
	if err := Write(path, []byte(content), perm); err != nil {
		t.Fatal(err)
	}
}

func onlyFile(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
		t.Errorf("the folder has %v", entries)
	}
}

func TestANewFileGetsTheModeWhateverTheUmask(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "new", 0o666)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if read(t, path) != "new" || info.Mode() != 0o666 {
		t.Errorf("%q with mode %v", read(t, path), info.Mode())
	}
	onlyFile(t, path)
}

func TestAReplacedFileKeepsItsMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "old", 0o640)
	for _, mode := range []fs.FileMode{0o640, 0o400, 0o755 | fs.ModeSetgid} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		write(t, path, "new", 0o600)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != mode {
			t.Errorf("mode %v became %v", mode, info.Mode())
		}
	}
}

// An ordinary user can give a file only to a group of his own; root, to anybody.
func TestAReplacedFileKeepsItsOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "old", 0o640)
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = 1234, 5678
	} else if groups, err := os.Getgroups(); err == nil && len(groups) > 0 {
		gid = groups[len(groups)-1]
	}
	if err := os.Chown(path, uid, gid); err != nil {
		t.Fatal(err)
	}
	write(t, path, "new", 0o600)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	got := info.Sys().(*syscall.Stat_t)
	if int(got.Uid) != uid || int(got.Gid) != gid || info.Mode() != 0o640 {
		t.Errorf("owner %d:%d with mode %v, want %d:%d", got.Uid, got.Gid, info.Mode(), uid, gid)
	}
}

func TestAFailureLeavesTheOldFileAndNothingElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "old", 0o600)
	broken := errors.New("source dried up")
	err := WriteFrom(path, 0o600, func(w io.Writer) error {
		if _, err := io.WriteString(w, "half of the n"); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	if read(t, path) != "old" {
		t.Errorf("the file has %q", read(t, path))
	}
	onlyFile(t, path)
}

func TestOnlyARegularFileIsReplaced(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, nil, 0o600); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("got %v", err)
	}
	onlyFile(t, dir)
	if err := Write(filepath.Join(dir, "no", "f"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestALinkStaysALink(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	write(t, target, "old", 0o600)
	if err := os.Symlink("target", link); err != nil {
		t.Fatal(err)
	}
	write(t, link, "new", 0o600)
	info, err := os.Lstat(link)
	if err != nil {
		t.Fatal(err)
	}
	if read(t, target) != "new" || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("target %q, link %v", read(t, target), info.Mode())
	}
	dangling := filepath.Join(dir, "dangling")
	if err := os.Symlink("nowhere", dangling); err != nil {
		t.Fatal(err)
	}
	if err := Write(dangling, nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a link that leads nowhere: %v", err)
	}
}

func TestReadersSeeTheOldOrTheNewContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	contents := map[string]bool{strings.Repeat("a", 1<<16): true, strings.Repeat("b", 1<<16): true}
	for content := range contents {
		write(t, path, content, 0o600)
	}
	done := make(chan struct{})
	var writers sync.WaitGroup
	for content := range contents {
		writers.Go(func() {
			for range 50 {
				if err := Write(path, []byte(content), 0o600); err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() { writers.Wait(); close(done) }()
	for {
		select {
		case <-done:
			onlyFile(t, path)
			return
		default:
		}
		if got := read(t, path); !contents[got] {
			t.Fatalf("a reader saw %d bytes of a mixture", len(got))
		}
	}
}
