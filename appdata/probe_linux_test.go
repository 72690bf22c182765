package appdata

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

func TestGoodShareIsOKAndNothingIsLeftBehind(t *testing.T) {
	s := ours(t)
	before := names(t, s.Path)
	c := probe(t, s)
	wantState(t, c, OK, "")
	if !c.MarkerOK || !c.Readable || !c.Writable || !c.Usable() || c.Generation != 1 || c.Latency <= 0 || c.FreeBytes <= 0 || c.CaseInsensitive {
		t.Errorf("got %+v", c)
	}
	if c.Mount.FSType == "" || c.Mount.Options == "" || !strings.HasPrefix(s.Path, strings.TrimSuffix(c.Mount.Point, "/")) {
		t.Errorf("mount %+v of %s", c.Mount, s.Path)
	}
	if after := names(t, s.Path); !slices.Equal(before, after) {
		t.Errorf("the share held %q, now %q", before, after)
	}
}

func TestAbsenceIsNotMounted(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	empty := filepath.Join(dir, "empty")
	dangling := filepath.Join(dir, "dangling")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Mkdir(empty, 0o700), os.Symlink("nowhere", dangling)); err != nil {
		t.Fatal(err)
	}
	for path, reason := range map[string]string{
		filepath.Join(dir, "gone"): "no such file or directory",
		file:                       "not a directory",
		dangling:                   "no such file or directory",
		empty:                      "no marker: nothing is mounted here",
	} {
		c := probe(t, Share{Path: path, Cluster: "deploy-prod", ID: ourID, Node: "app-a"})
		if c.State != NotMounted || !strings.Contains(c.Reason, reason) || c.MarkerOK || c.Writable || c.Mount.FSType == "" {
			t.Errorf("%s: got %+v, want NOT_MOUNTED because %s", path, c, reason)
		}
	}
	if left := names(t, empty); len(left) > 0 {
		t.Errorf("%q was written into the empty mount point", left)
	}
}

func TestReasonIsTextWhateverThePath(t *testing.T) {
	path := t.TempDir() + "/bad\xff\xfe\n"
	c := probe(t, Share{Path: path, Cluster: "c", Node: "app-a"})
	if c.State != NotMounted || !utf8.ValidString(c.Reason) || strings.Contains(c.Reason, "\n") {
		t.Errorf("got %s %q", c.State, c.Reason)
	}
}

func TestShareThroughALinkIsSeenWhereItIs(t *testing.T) {
	s := ours(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(s.Path, link); err != nil {
		t.Fatal(err)
	}
	s.Path = link
	wantState(t, probe(t, s), OK, "")
}

func TestAnotherClustersShareIsWrongAndLeftAlone(t *testing.T) {
	s := ours(t)
	s.Path = t.TempDir()
	mark(t, s.Path, theirID, 1)
	past := time.Unix(1_600_000_000, 0)
	if err := os.Chtimes(filepath.Join(s.Path, ".coterie/nodes"), past, past); err != nil {
		t.Fatal(err)
	}
	c := probe(t, s)
	wantState(t, c, WrongShare, "belongs to cluster deploy-test ("+theirID+")")
	if c.MarkerOK || c.Writable || c.Usable() || !c.Readable {
		t.Errorf("got %+v", c)
	}
	if info, err := os.Stat(filepath.Join(s.Path, ".coterie/nodes")); err != nil || !info.ModTime().Equal(past) {
		t.Errorf("something was written there: %v, %v", info.ModTime(), err)
	}
}

func TestGenerationIsComparedWithTheDatabases(t *testing.T) {
	s := ours(t)
	s.Generation = 2
	wantState(t, probe(t, s), OldGeneration, "generation 1, the database knows 2")
	if err := AdvanceMarker(s.Path, Marker{Cluster: "deploy-prod", ID: ourID, Generation: 2}); err != nil {
		t.Fatal(err)
	}
	wantState(t, probe(t, s), OK, "")
	s.Generation = 1
	wantState(t, probe(t, s), Degraded, "generation 2 is ahead of the database's 1")
}

func TestUnexpectedFileSystemIsNamed(t *testing.T) {
	s := ours(t)
	s.FSTypes = []string{"nfs4", "cifs"}
	c := probe(t, s)
	fs := c.Mount.FSType
	wantState(t, c, WrongShare, fmt.Sprintf("carries our marker, but is a copy on %s, expected nfs4 or cifs", fs))
	s.Path = t.TempDir()
	wantState(t, probe(t, s), NotMounted, fmt.Sprintf("no marker, and the file system is %s, expected nfs4 or cifs", fs))
	s.FSTypes = append(s.FSTypes, fs)
	wantState(t, probe(t, s), NotMounted, "no marker: nothing is mounted here")
}

func TestFolderCanBeProbedBeforeItIsACluster(t *testing.T) {
	dir := t.TempDir()
	c := probe(t, Share{Path: dir, Node: "app-a"})
	wantState(t, c, OK, "")
	if !c.Writable || c.MarkerOK || len(names(t, dir)) > 0 {
		t.Errorf("got %+v, left %q", c, names(t, dir))
	}
}

func TestFaultsOfAMountedShareAreNamed(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	dir := t.TempDir()
	mount(t, "tmpfs", dir, "size=40m,nr_inodes=2000")
	wantState(t, probe(t, Share{Path: dir, Cluster: "deploy-prod", ID: ourID, Node: "app-a"}),
		WrongShare, `"none" is mounted, but carries no cluster's marker`)
	s := oursAt(t, dir)
	wantState(t, probe(t, s), OK, "")

	fill := func(name string, size int64) {
		t.Helper()
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		err = unix.Fallocate(int(f.Fd()), 0, 0, size)
		if err = errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	s.MinFree = 1 << 20
	fill("a", 38<<20+200<<10)
	wantState(t, probe(t, s), Degraded, "less than 5 % of the space is free")
	fill("b", 1<<20)
	wantState(t, probe(t, s), Full, "less than 1 MiB free")
	for i := 0; ; i++ {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint("c", i)), make([]byte, 4096), 0o600); errors.Is(err, syscall.ENOSPC) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	c := probe(t, s)
	wantState(t, c, Full, "cannot write: no space left on device; less than 1 MiB free")
	if c.Writable || !c.Readable || !c.MarkerOK || c.Usable() {
		t.Errorf("got %+v", c)
	}
	for _, name := range names(t, filepath.Join(dir, ".coterie")) {
		if strings.Contains(name, "~") {
			t.Errorf("a failed probe left %s", name)
		}
	}
	if err := errors.Join(os.Remove(filepath.Join(dir, "a")), os.Remove(filepath.Join(dir, "b"))); err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint("d", i)), nil, 0o600); errors.Is(err, syscall.ENOSPC) {
			break
		}
	}
	wantState(t, probe(t, s), Full, "cannot write: no space left on device; fewer than 100 inodes free")

	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	c = probe(t, s)
	if c.State != ReadOnly || !strings.HasPrefix(c.Reason, "cannot write: read-only file system") && c.State != Full || !c.Readable || c.Writable {
		t.Errorf("read-only: got %+v", c)
	}
	if !slices.Contains(strings.Split(c.Mount.Options, ","), "ro") {
		t.Errorf("options %q do not say ro", c.Mount.Options)
	}
	// The share goes away: what shows is the empty mount point below it.
	if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	wantState(t, probe(t, s), NotMounted, "no marker: nothing is mounted here")
	// Something is mounted on top of it.
	s = oursAt(t, dir)
	mount(t, "tmpfs", dir, "size=1m")
	wantState(t, probe(t, s), WrongShare, `"none" is mounted, but carries no cluster's marker; less than 16 MiB free`)
	if err := unix.Unmount(dir, 0); err != nil {
		t.Fatal(err)
	}
	wantState(t, probe(t, s), OK, "")
}

func TestShareOfAnotherUserIsNamed(t *testing.T) {
	if !asNobody(t) {
		return
	}
	s := ours(t)
	nodes := filepath.Join(s.Path, ".coterie/nodes")
	if err := os.Chmod(nodes, 0o500); err != nil {
		t.Fatal(err)
	}
	c := probe(t, s)
	wantState(t, c, ReadOnly, "cannot write: permission denied")
	if err := errors.Join(os.Chmod(nodes, 0o700), os.Chmod(s.Path, 0)); err != nil {
		t.Fatal(err)
	}
	c = probe(t, s)
	if c.State != Degraded || c.Readable || c.Usable() || !strings.Contains(c.Reason, "permission denied") {
		t.Errorf("got %+v, want DEGRADED and not readable", c)
	}
	if err := os.Chmod(s.Path, 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestNothingIsWrittenThroughAPlantedLink(t *testing.T) {
	s := ours(t)
	outside := t.TempDir()
	nodes := filepath.Join(s.Path, ".coterie/nodes")
	if err := errors.Join(os.Remove(nodes), os.Symlink(outside, nodes)); err != nil {
		t.Fatal(err)
	}
	s.Word = word(1)
	if c := probe(t, s); c.Writable || c.State == OK {
		t.Errorf("got %+v", c)
	}
	if left := names(t, outside); len(left) > 0 {
		t.Errorf("%q was written outside of the share", left)
	}
	if err := CreateMarker(s.Path, Marker{Cluster: "deploy-prod", ID: ourID, Generation: 1}); err == nil {
		t.Error("a link in the place of our folder was accepted")
	}
}

func TestLeftoversOfKilledProbesAreSweptWhenOld(t *testing.T) {
	s := ours(t)
	nodes := filepath.Join(s.Path, ".coterie/nodes")
	for name, age := range map[string]time.Duration{
		"app-a~old.nonce": 2 * time.Hour, ".app-a~old.nonce.tmp-X": 2 * time.Hour,
		"app-a~young.nonce": time.Minute, "app-b~old.nonce": 2 * time.Hour, "app-a.challenge": 2 * time.Hour,
	} {
		path := filepath.Join(nodes, name)
		when := time.Now().Add(-age)
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, when, when)); err != nil {
			t.Fatal(err)
		}
	}
	wantState(t, probe(t, s), OK, "")
	want := []string{"app-a.challenge", "app-a~young.nonce", "app-b~old.nonce"}
	if got := names(t, nodes); !slices.Equal(got, want) {
		t.Errorf("left %q, want %q", got, want)
	}
}

func word(round int64) Word { return Word{Nonce: "ABCDEFGHIJKLMNOPQRSTUVWXYZ", Round: round} }

func TestChallengeIsKeptForOtherNodesToRead(t *testing.T) {
	a, b := ours(t), ours(t)
	b.Path, b.Node, b.Peers = a.Path, "app-b", []string{"app-a", "app-c", "../cluster"}
	if c := probe(t, b); len(c.Words.Peers) != 0 {
		t.Errorf("before: %+v", c.Words)
	}
	for round := range int64(3) {
		a.Word, a.Said = word(round+1), round
		c := probe(t, a)
		wantState(t, c, OK, "")
		if !c.Words.Kept || c.Words.Own.Round != round {
			t.Errorf("round %d: %+v", round+1, c.Words)
		}
		if c := probe(t, b); c.Words.Peers["app-a"] != a.Word || c.Words.Kept || len(c.Words.Peers) != 1 {
			t.Errorf("the other node reads %+v, want %+v", c.Words, a.Word)
		}
		if got, err := ReadWord(a.Path, "app-a"); err != nil || got != a.Word {
			t.Errorf("read %+v, %v; want %+v", got, err, a.Word)
		}
	}
	if _, err := ReadWord(a.Path, "../cluster"); err == nil {
		t.Error("a path was taken for a node's name")
	}
}

// The same marker, and not what was written last: an older copy, or another
// export made from it. It is absence, and nothing is written there.
func TestACopyOfTheShareIsNotTheShare(t *testing.T) {
	s := ours(t)
	s.Word, s.Said = word(5), 0
	wantState(t, probe(t, s), OK, "")
	s.Word, s.Said = word(6), 5
	wantState(t, probe(t, s), OK, "")
	own := filepath.Join(s.Path, ".coterie/nodes/app-a.challenge")
	for name, text := range map[string]string{
		"older":            word(4).String(),
		"of another life":  "ZYXWVUTSRQPONMLKJIHGFEDCBA 9\n",
		"what nobody says": "hello\n",
		"gone":             "",
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.Remove(own); err != nil {
				t.Fatal(err)
			}
			if text != "" {
				if err := os.WriteFile(own, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			before := names(t, s.Path)
			s.Word, s.Said = word(7), 6
			c := probe(t, s)
			if c.State != WrongShare || c.Usable() || c.MarkerOK || c.Words.Kept {
				t.Errorf("got %+v", c)
			}
			if after := names(t, s.Path); !slices.Equal(before, after) {
				t.Errorf("it was written to: %q", after)
			}
			// The right one is mounted again; the answer to the last look had been lost.
			if err := os.WriteFile(own, []byte(word(8).String()), 0o600); err != nil {
				t.Fatal(err)
			}
			wantState(t, probe(t, s), OK, "")
		})
	}
}

func TestSenselessShareIsAnError(t *testing.T) {
	for _, s := range []Share{{}, {Path: "relative", Node: "a"}, {Path: "/x"}, {Path: "/x", Node: "../a"}, {Path: "/x", Node: "a", ID: ourID}} {
		if c, err := s.Probe(t.Context()); err == nil {
			t.Errorf("%+v was probed: %+v", s, c)
		}
	}
}

func TestErrorsOfTheWayToTheShareAreNeverAbsence(t *testing.T) {
	for no, want := range map[syscall.Errno]State{
		syscall.EIO: Hung, syscall.ETIMEDOUT: Hung, syscall.EHOSTDOWN: Hung, syscall.ESTALE: Stale, syscall.EACCES: Degraded,
		syscall.EPERM: Degraded, syscall.ENOENT: NotMounted, syscall.ENOTCONN: NotMounted, syscall.ENOTDIR: NotMounted, syscall.EMFILE: Degraded,
	} {
		if got := readProblem(&os.PathError{Op: "open", Path: "/x", Err: no}); got != want {
			t.Errorf("%v is %s, want %s", no, got, want)
		}
	}
	for no, want := range map[syscall.Errno]State{
		syscall.ENOSPC: Full, syscall.EDQUOT: Full, syscall.EROFS: ReadOnly, syscall.EACCES: ReadOnly, syscall.EIO: Hung, syscall.ESTALE: Stale,
	} {
		if got := writeProblem(&os.PathError{Op: "write", Path: "/x", Err: no}); got != want {
			t.Errorf("writing: %v is %s, want %s", no, got, want)
		}
	}
}
