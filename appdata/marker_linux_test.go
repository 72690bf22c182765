package appdata

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestMarkerIsReadAsWritten(t *testing.T) {
	dir := t.TempDir()
	mark(t, dir, ourID, 3)
	mark(t, dir, ourID, 3) // saying it twice is harmless
	m, err := ReadMarker(dir)
	if err != nil || m.Cluster != "deploy-prod" || m.ID != ourID || m.Generation != 3 || m.Created.Unix() != 1_700_000_000 {
		t.Fatalf("got %+v, %v", m, err)
	}
	want := []string{".coterie", ".coterie/README", ".coterie/cluster.json", ".coterie/nodes"}
	if got := names(t, dir); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Fatalf("the folder holds %q, want %q", got, want)
	}
}

func TestMarkerOfAnotherClusterIsNeverOverwritten(t *testing.T) {
	dir := t.TempDir()
	mark(t, dir, theirID, 1)
	before, err := os.ReadFile(filepath.Join(dir, ".coterie/cluster.json"))
	if err != nil {
		t.Fatal(err)
	}
	ours := Marker{Cluster: "deploy-prod", ID: ourID, Generation: 9}
	var foreign *ForeignError
	if err := CreateMarker(dir, ours); !errors.As(err, &foreign) || foreign.Found.Cluster != "deploy-test" {
		t.Errorf("create: %v, want a ForeignError that names deploy-test", err)
	}
	if err := AdvanceMarker(dir, ours); !errors.As(err, &foreign) {
		t.Errorf("advance: %v, want a ForeignError", err)
	}
	after, err := os.ReadFile(filepath.Join(dir, ".coterie/cluster.json"))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the marker changed from %s to %s, %v", before, after, err)
	}
}

func TestTwoClustersInOneDirectoryAtOnceGiveOneOwner(t *testing.T) {
	for range 20 {
		dir := t.TempDir()
		var mu sync.Mutex
		won := map[string]int{}
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				id := []string{ourID, theirID}[i%2]
				err := CreateMarker(dir, Marker{Cluster: "c", ID: id, Generation: 1})
				var foreign *ForeignError
				switch {
				case err == nil:
					mu.Lock()
					won[id]++
					mu.Unlock()
				case !errors.As(err, &foreign):
					t.Error(err)
				}
			})
		}
		all.Wait()
		if len(won) != 1 {
			t.Fatalf("won: %v, want one cluster", won)
		}
	}
}

func TestGenerationOnlyRises(t *testing.T) {
	dir := t.TempDir()
	mark(t, dir, ourID, 2)
	m := Marker{Cluster: "deploy-prod", ID: ourID}
	for _, step := range []struct {
		to, then int64
		fails    bool
	}{{2, 2, false}, {5, 5, false}, {4, 5, true}, {0, 5, true}} {
		m.Generation = step.to
		if err := AdvanceMarker(dir, m); (err != nil) != step.fails {
			t.Errorf("advance to %d: %v", step.to, err)
		}
		if got, err := ReadMarker(dir); err != nil || got.Generation != step.then {
			t.Errorf("after advancing to %d the marker says %d, %v; want %d", step.to, got.Generation, err, step.then)
		}
	}
	if err := AdvanceMarker(t.TempDir(), Marker{Cluster: "c", ID: ourID, Generation: 1}); !errors.Is(err, ErrNoMarker) {
		t.Errorf("advance without a marker: %v, want ErrNoMarker", err)
	}
}

func TestNoMarkerIsMadeWhereNothingIs(t *testing.T) {
	gone := filepath.Join(t.TempDir(), "not-mounted")
	if err := CreateMarker(gone, Marker{Cluster: "c", ID: ourID, Generation: 1}); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("got %v, want that the folder is not there", err)
	}
	if _, err := ReadMarker(gone); errors.Is(err, ErrNoMarker) || !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("reading says %v: a folder that is not there has not answered", err)
	}
}

// hostileMarkers are what may lie in the marker's place; none of them may be
// taken for a marker, hang, or cost memory.
func hostileMarkers() map[string]func(path string) error {
	text := func(s string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(s), 0o600) }
	}
	good := `{"cluster":"deploy-prod","id":"` + ourID + `","generation":1}`
	return map[string]func(string) error{
		"empty":              text(""),
		"truncated":          text(good[:len(good)-5]),
		"zeros":              text(strings.Repeat("\x00", len(good))),
		"two markers":        text(good + good),
		"array":              text("[" + good + "]"),
		"null":               text("null"),
		"number for a name":  text(`{"cluster":7,"id":"x","generation":1}`),
		"no id":              text(`{"cluster":"deploy-prod","generation":1}`),
		"no generation":      text(`{"cluster":"deploy-prod","id":"` + ourID + `"}`),
		"negative":           text(`{"cluster":"deploy-prod","id":"` + ourID + `","generation":-1}`),
		"huge number":        text(`{"cluster":"deploy-prod","id":"` + ourID + `","generation":1e99}`),
		"control characters": text(`{"cluster":"deploy\u001b[2J","id":"` + ourID + `","generation":1}`),
		"long name":          text(`{"cluster":"` + strings.Repeat("x", 5000) + `","id":"y","generation":1}`),
		"nested":             text(strings.Repeat(`{"a":`, 12_000)),
		"10 MB":              text(good + strings.Repeat(" ", 10<<20)),
		"directory":          func(path string) error { return os.Mkdir(path, 0o700) },
		"fifo":               func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"link to a device":   func(path string) error { return os.Symlink("/dev/zero", path) },
		"link to a marker": func(path string) error {
			return errors.Join(os.WriteFile(path+".real", []byte(good), 0o600), os.Symlink(filepath.Base(path)+".real", path))
		},
		"loop of links": func(path string) error { return os.Symlink(filepath.Base(path), path) },
	}
}

func TestHostileMarkersAreNoMarkers(t *testing.T) {
	for name, put := range hostileMarkers() {
		t.Run(name, func(t *testing.T) {
			s := ours(t)
			path := filepath.Join(s.Path, ".coterie/cluster.json")
			if err := errors.Join(os.Remove(path), put(path)); err != nil {
				t.Fatal(err)
			}
			if m, err := ReadMarker(s.Path); err == nil || errors.Is(err, ErrNoMarker) {
				t.Errorf("read as %+v, %v", m, err)
			}
			c := probe(t, s)
			if c.State != WrongShare || c.MarkerOK || c.Writable {
				t.Errorf("got %+v, want WRONG_SHARE, nothing written", c)
			}
			if len(c.Reason) > 300 || strings.ContainsFunc(c.Reason, func(r rune) bool { return r < ' ' }) {
				t.Errorf("the reason is not fit for people: %.400q", c.Reason)
			}
			if err := CreateMarker(s.Path, Marker{Cluster: "c", ID: theirID, Generation: 1}); err == nil {
				t.Error("another cluster took the folder")
			}
		})
	}
}

func TestHugeMarkerCostsNoMemory(t *testing.T) {
	dir := t.TempDir()
	mark(t, dir, ourID, 1)
	if err := os.Truncate(filepath.Join(dir, ".coterie/cluster.json"), 256<<20); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if m, err := ReadMarker(dir); err == nil {
		t.Errorf("read as %+v", m)
	}
	runtime.ReadMemStats(&after)
	if spent := after.TotalAlloc - before.TotalAlloc; spent > 4<<20 {
		t.Errorf("it cost %d bytes", spent)
	}
}

func FuzzMarker(f *testing.F) {
	f.Add([]byte(`{"cluster":"c","id":"x","generation":1,"created":"2026-11-21T00:00:00Z"}`))
	f.Add([]byte(`{"cluster":"c","id":"x","generation":1,"created":"20260-11-21T00:00:00Z"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseMarker(data)
		if err != nil {
			return
		}
		again, err := parseMarker(m.text())
		if err != nil || again.ID != m.ID || again.Cluster != m.Cluster || again.Generation != m.Generation {
			t.Errorf("%+v became %+v, %v", m, again, err)
		}
	})
}
