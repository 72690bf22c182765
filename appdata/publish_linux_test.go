package appdata

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// desk is a share with a file to publish.
func desk(t *testing.T) (Publish, func() string) {
	t.Helper()
	s := Share{Path: t.TempDir(), Cluster: "c", ID: "id-1", Node: "app-a"}
	if err := CreateMarker(s.Path, Marker{Cluster: "c", ID: "id-1", Generation: 1}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.Path, "conf", "server.keystore")
	if err := errors.Join(os.Mkdir(filepath.Dir(file), 0o755), os.WriteFile(file, []byte("old"), 0o640), os.Chmod(file, 0o640)); err != nil {
		t.Fatal(err)
	}
	return Publish{Share: s, Path: "conf/server.keystore", Data: []byte("new")}, func() string {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
}

func left(t *testing.T, p Publish) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(p.Share.Path, "conf", ".*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestAFileIsPublishedByItsRenameAlone(t *testing.T) {
	p, read := desk(t)
	done, err := p.Do(t.Context())
	if err != nil || read() != "old" || len(left(t, p)) != 1 {
		t.Fatalf("before the rename: %v, %q, %v", err, read(), left(t, p))
	}
	p.Data, p.Temp = nil, done.Temp
	if _, err := p.Do(t.Context()); err != nil || read() != "new" || len(left(t, p)) != 0 {
		t.Fatalf("after it: %v, %q, %v", err, read(), left(t, p))
	}
	info, err := os.Stat(filepath.Join(p.Share.Path, p.Path))
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	// A writer that lost its lease drops what it wrote, and may say so twice.
	p.Data, p.Temp = []byte("of nobody"), ""
	if done, err = p.Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.Data, p.Temp, p.Drop = nil, done.Temp, true
	for range 2 {
		if _, err := p.Do(t.Context()); err != nil || read() != "new" || len(left(t, p)) != 0 {
			t.Errorf("dropped: %v, %q, %v", err, read(), left(t, p))
		}
	}
}

func TestNothingIsPublishedWhereItMustNot(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(t *testing.T, p *Publish) error
		want string
	}{
		"another cluster's share": {func(_ *testing.T, p *Publish) error { p.Share.ID = "id-2"; return nil }, "belongs to cluster c"},
		"nothing is mounted":      {func(_ *testing.T, p *Publish) error { return os.RemoveAll(filepath.Join(p.Share.Path, ".coterie")) }, "no marker"},
		"its folder is not there": {func(_ *testing.T, p *Publish) error { p.Path = "none/server.keystore"; return nil }, "no such file"},
		"outside of the share":    {func(_ *testing.T, p *Publish) error { p.Path = "../server.keystore"; return nil }, "not a path below"},
		"the share itself":        {func(_ *testing.T, p *Publish) error { p.Path = ".."; return nil }, "not a path below"},
		"an absolute path":        {func(_ *testing.T, p *Publish) error { p.Path = "/etc/passwd"; return nil }, "not a path below"},
		"a folder in its place": {func(_ *testing.T, p *Publish) error {
			return inPlace(p, func(f string) error { return os.Mkdir(f, 0o755) })
		}, "not a regular file"},
		"a link in its place": {func(_ *testing.T, p *Publish) error {
			return inPlace(p, func(f string) error { return os.Symlink("/etc/passwd", f) })
		}, "not a regular file"},
		"a pipe in its place": {func(_ *testing.T, p *Publish) error {
			return inPlace(p, func(f string) error { return syscall.Mkfifo(f, 0o600) })
		}, "not a regular file"},
		"a name that is not ours":  {func(_ *testing.T, p *Publish) error { p.Temp = "encryption.keystore"; return nil }, "no file of ours"},
		"a name in another folder": {func(_ *testing.T, p *Publish) error { p.Temp = ".server.keystore.new-/../x"; return nil }, "no file of ours"},
	} {
		p, _ := desk(t)
		if err := c.harm(t, &p); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Do(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if names := left(t, p); len(names) > 0 {
			t.Errorf("%s: left behind: %v", name, names)
		}
	}
}

func inPlace(p *Publish, put func(file string) error) error {
	file := filepath.Join(p.Share.Path, p.Path)
	return errors.Join(os.Remove(file), put(file))
}

// alone is set in a process in which nothing but one test writes.
const alone = "COTERIE_TEST_ALONE"

// A disk that is full is one on which no byte may be written any more. That is so
// for a whole process, so this needs one of its own: the record that go test keeps
// of the files which tests opened would be cut off in this one.
func TestAFullShareKeepsTheOldFile(t *testing.T) {
	if os.Getenv(alone) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), alone+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	p, read := desk(t)
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	_, err := p.Do(t.Context())
	if back := unix.Setrlimit(unix.RLIMIT_FSIZE, &was); back != nil {
		t.Fatal(back)
	}
	if !errors.Is(err, syscall.EFBIG) || StateOf(err) != Full || read() != "old" || len(left(t, p)) != 0 {
		t.Errorf("got %v, %q, left %v", err, read(), left(t, p))
	}
}

func TestWhatAKilledWriterLeftIsRemovedLater(t *testing.T) {
	p, _ := desk(t)
	dead := filepath.Join(p.Share.Path, "conf", ".server.keystore.new-AAAAAAAAAAAA")
	strange := filepath.Join(p.Share.Path, "conf", ".server.keystore.old")
	for _, name := range []string{dead, strange} {
		if err := errors.Join(os.WriteFile(name, nil, 0o600), os.Chtimes(name, time.Now(), time.Now().Add(-2*time.Hour))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	if names := left(t, p); len(names) != 2 || names[1] != strange && names[0] != strange {
		t.Errorf("left: %v", names)
	}
}

func TestAProbeTellsWhatFilesHave(t *testing.T) {
	p, _ := desk(t)
	s := p.Share
	s.Files = []string{"conf/server.keystore", "conf/none", "conf", "none/none"}
	c, err := s.Probe(t.Context())
	if err != nil || c.State != OK || c.Contents == nil {
		t.Fatalf("%+v, %v", c, err)
	}
	for name, want := range map[string]Content{
		"conf/server.keystore": {SHA256: "cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4"},
		"conf/none":            {}, "none/none": {}, "conf": {Err: "not a regular file but d---------"},
	} {
		got, known := c.Contents.Of(name)
		if !known || got.SHA256 != want.SHA256 || got.Err != want.Err {
			t.Errorf("%s: %+v, %v", name, got, known)
		}
	}
	if _, known := c.Contents.Of("conf/other"); known {
		t.Error("a file that was not asked for is known")
	}
	// What is wrong with them is nothing wrong with the share, and no news of it.
	if was := c; !was.sameAs(c) {
		t.Error("it is not the same as itself")
	}
	if err := os.RemoveAll(filepath.Join(s.Path, ".coterie")); err != nil {
		t.Fatal(err)
	}
	if c, err = s.Probe(t.Context()); err != nil || c.Contents != nil {
		t.Errorf("of a folder that is not ours it tells %+v, %v", c.Contents, err)
	}
}
