package bundle

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// forest makes trees that have most in common, and all kinds of things that differ: each
// name is one of few, so that it often is a file here and a folder, link or FIFO there.
func forest(t *testing.T, random *rand.Rand, trees int) (roots []string) {
	t.Helper()
	base := t.TempDir()
	for i := range trees {
		roots = append(roots, filepath.Join(base, fmt.Sprint(i)))
		if err := os.Mkdir(roots[i], 0o755); err != nil {
			t.Fatal(err)
		}
	}
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	for range 12 {
		dir := pick("conf", "conf", "lib", "own", "own/deep", "conf/sub")
		name := filepath.Join(dir, pick("a.xml", "b.xml", "c.xml", "x.jar", "y.jar", "sub", "note", "tls.keystore", "license.dat", "persist.properties", "x.log", "server.xml"))
		as := pick("file", "file", "file", "file", "folder", "link", "fifo", "large")
		for _, root := range roots {
			if random.IntN(8) == 0 {
				continue // not there
			}
			if random.IntN(10) == 0 {
				as = pick("file", "folder", "link", "fifo")
			}
			at := filepath.Join(root, name)
			text := "same"
			if random.IntN(6) == 0 {
				text = pick("diff", "longer", "")
			}
			err := os.MkdirAll(filepath.Dir(at), 0o755)
			if err == nil {
				err = planted(at, as, text, random)
			}
			if err != nil && !errors.Is(err, os.ErrExist) && !errors.Is(err, unix.ENOTDIR) && !errors.Is(err, unix.EISDIR) {
				t.Fatal(err)
			}
		}
	}
	return roots
}

func planted(at, as, text string, random *rand.Rand) error {
	switch as {
	case "folder":
		return os.Mkdir(at, 0o755)
	case "link":
		return os.Symlink(text+"/", at)
	case "fifo":
		return unix.Mkfifo(at, 0o644)
	case "large":
		text = strings.Repeat("large", 40_000) + text
	}
	if _, err := os.Lstat(at); err == nil {
		return os.ErrExist
	}
	return os.WriteFile(at, []byte(text), []os.FileMode{0o644, 0o644, 0o600}[random.IntN(3)])
}

// Whatever the trees are, the same is told with a sieve and without one.
func TestASieveChangesNothingThatIsTold(t *testing.T) {
	told := 0
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 1))
		c := Comparison{Profile: small(), Modes: seed%2 == 0}
		roots := forest(t, random, 2+int(seed%2))
		want := toldOf(t, c, roots)
		var err error
		if c.Sieve, err = c.Profile.Sift(t.Context(), Sifting{Roots: roots, Modes: c.Modes, Workers: 2}); err != nil {
			t.Fatal(err)
		}
		if got := toldOf(t, c, roots); !slices.Equal(got, want) {
			t.Errorf("seed %d: with a sieve told\n%s\nwithout\n%s", seed, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		told += len(want)
	}
	if told < 200 {
		t.Errorf("%d rows of 60 comparisons: the trees do not differ enough to show anything", told)
	}
}

// Of two large trees that are the same nothing is left for the scans.
func TestWhatIsTheSameIsNotScanned(t *testing.T) {
	files := map[string]string{}
	for i := range 300 {
		files[fmt.Sprintf("conf/d%d/f%d", i%7, i)] = strings.Repeat("x", i)
	}
	a, b := plant(t, filepath.Join(t.TempDir(), "a"), files), plant(t, filepath.Join(t.TempDir(), "b"), files)
	if err := os.WriteFile(filepath.Join(b, "conf/d3/f150"), []byte(strings.Repeat("y", 150)), 0o644); err != nil {
		t.Fatal(err)
	}
	c := Comparison{Profile: small()}
	v, err := c.Profile.Sift(t.Context(), Sifting{Roots: []string{a, b}, Workers: 4})
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]bool{".": false, "conf": false, "conf/d3": false, "conf/d3/f150": true}; fmt.Sprint(v.found) != fmt.Sprint(want) {
		t.Errorf("left %v, want %v", v.found, want)
	}
}

func TestASieveEndsWhenNobodyWaitsForIt(t *testing.T) {
	root := plant(t, t.TempDir(), map[string]string{"conf/a": "1"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := small().Sift(ctx, Sifting{Roots: []string{root, root}, Workers: 4}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestOfAFolderThatIsNotThereAllIsLeft(t *testing.T) {
	root := plant(t, t.TempDir(), map[string]string{"conf/a": "1"})
	v, err := small().Sift(t.Context(), Sifting{Roots: []string{root, root + "/none"}})
	if err != nil || v.Skips("conf") || v.Skips("conf/a") {
		t.Errorf("%v; skips %v", err, v.found)
	}
}
