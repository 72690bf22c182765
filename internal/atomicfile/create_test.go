//go:build unix

package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

func TestOfManyWhoCreateAFileOneDoes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	var made atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			switch err := Create(path, []byte("x"), 0o666); {
			case err == nil:
				made.Add(1)
			case !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if made.Load() != 1 {
		t.Errorf("%d of 16 believe to have made the file, want 1", made.Load())
	}
	onlyFile(t, path)
}

func TestRenamingWithoutLinksReplacesNothing(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // elsewhere there is no such rename, and Create needs hard links
	}
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	write(t, from, "new", 0o600)
	write(t, to, "old", 0o600)
	if err := renameNew(from, to); !errors.Is(err, fs.ErrExist) || read(t, to) != "old" {
		t.Errorf("got %v, and the file has %q", err, read(t, to))
	}
	free := filepath.Join(dir, "free")
	if err := renameNew(from, free); err != nil || read(t, free) != "new" {
		t.Errorf("got %v", err)
	}
}

func TestWhatWasPreparedGetsOnlyANameThatNothingHas(t *testing.T) {
	dir := t.TempDir()
	path, temp := filepath.Join(dir, "f"), filepath.Join(dir, "own")
	for i, want := range []error{nil, fs.ErrExist} {
		if err := PrepareNew(temp, []byte{'a' + byte(i)}, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := PrepareNew(temp, nil, 0o666); !errors.Is(err, fs.ErrExist) {
			t.Errorf("what lies prepared is written over: %v", err)
		}
		if err := Name(temp, path); !errors.Is(err, want) {
			t.Errorf("the name: %v, want %v", err, want)
		}
	}
	if got := read(t, path); got != "a" {
		t.Errorf("the file has %q, want that of who was first", got)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o666 {
		t.Errorf("its mode is %v, %v, whatever the umask", info.Mode(), err)
	}
	if got := read(t, temp); got != "b" {
		t.Errorf("who was second has %q left", got)
	}
}
