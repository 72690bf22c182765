//go:build unix

package place

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// desk is a server without a handshake, and its folder.
func desk(t *testing.T) (Server, func(name string) string) {
	t.Helper()
	dir := t.TempDir()
	s := Server{
		File: filepath.Join(dir, "tomcat.keystore"), Properties: filepath.Join(dir, "installed.properties"), Property: "tomcat.key.alias",
		Kept: t.TempDir(), Patience: time.Second, Reload: func(context.Context) error { return nil },
	}
	write(t, s.File, "old", 0o640)
	write(t, s.Properties, "a=b\ntomcat.key.alias=one\n", 0o640)
	return s, func(name string) string {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path, []byte(text), mode), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
}

// untouched says that nothing has changed and nothing was left behind.
func untouched(t *testing.T, s Server, read func(string) string) {
	t.Helper()
	if read(s.File) != "old" || read(s.Properties) != "a=b\ntomcat.key.alias=one\n" {
		t.Errorf("the files are %q and %q", read(s.File), read(s.Properties))
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(s.File), ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

var next = Content{File: []byte("new"), Alias: "two"}

func TestWhatIsPutInPlaceKeepsModeAndEveryOtherByte(t *testing.T) {
	s, read := desk(t)
	if err := s.Put(t.Context(), next, true); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(s.File)
	if err != nil || info.Mode().Perm() != 0o640 || read(s.File) != "new" || read(s.Properties) != "a=b\ntomcat.key.alias=two\n" {
		t.Errorf("%v, %v, %q, %q", err, info.Mode(), read(s.File), read(s.Properties))
	}
}

func TestWhatFailsOnTheWayForwardIsUndoneAndOnTheWayBackIsNot(t *testing.T) {
	s, read := desk(t)
	reloads := 0
	s.Reload = func(context.Context) error {
		if reloads++; reloads == 2 {
			return nil
		}
		return errors.New("no")
	}
	if err := s.Put(t.Context(), next, true); !errors.Is(err, ErrNotTaken) || !strings.Contains(err.Error(), "is back") {
		t.Errorf("got %v", err)
	}
	untouched(t, s, read)
	if reloads != 2 {
		t.Errorf("the server was asked %d times: it must take up again what it had", reloads)
	}
	if err := s.Put(t.Context(), next, false); !errors.Is(err, ErrNotTaken) || read(s.File) != "new" {
		t.Errorf("on the way back: %v, %q", err, read(s.File))
	}
}

func TestWhatWasThereBeforeAnyVersionComesBack(t *testing.T) {
	s, read := desk(t)
	for range 2 { // the second is of a life that was interrupted
		if err := s.Keep(); err != nil {
			t.Fatal(err)
		}
		if err := s.Put(t.Context(), next, true); err != nil {
			t.Fatal(err)
		}
	}
	if !s.IsKept() {
		t.Fatal("nothing is kept")
	}
	if err := s.Restore(t.Context()); err != nil || s.IsKept() {
		t.Fatalf("%v, kept %v", err, s.IsKept())
	}
	untouched(t, s, read)
	// A file that was not there is not there again.
	if err := errors.Join(os.Remove(s.File), s.Keep(), s.Put(t.Context(), next, true), s.Restore(t.Context())); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.File); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestATryTellsWhatWouldFailAndChangesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, s *Server)
		want   string
	}{
		"well":                      {func(*testing.T, *Server) {}, ""},
		"a symlink":                 {func(t *testing.T, s *Server) { link(t, s) }, ""},
		"open to everybody":         {func(t *testing.T, s *Server) { write(t, s.File, "old", 0o644) }, "open to everybody (mode 0644)"},
		"no properties":             {func(_ *testing.T, s *Server) { s.Properties += ".none" }, "no such file"},
		"no folder":                 {func(_ *testing.T, s *Server) { s.File = filepath.Join(s.File+".none", "f") }, "its folder is not there"},
		"a folder in its place":     {func(_ *testing.T, s *Server) { s.File = filepath.Dir(s.File) }, "not a regular file"},
		"a pipe in its place":       {func(t *testing.T, s *Server) { pipe(t, s) }, "not a regular file"},
		"a link that leads nowhere": {func(t *testing.T, s *Server) { dangling(t, s) }, "no such file"},
	} {
		s, read := desk(t)
		was := s
		c.change(t, &s)
		err := s.Try(next)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		untouched(t, was, read)
	}
}

func link(t *testing.T, s *Server) {
	to := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(s.File, to); err != nil {
		t.Fatal(err)
	}
	s.File = to
}

func dangling(t *testing.T, s *Server) {
	s.File = filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(t.TempDir(), "none", "f"), s.File); err != nil {
		t.Fatal(err)
	}
}

func pipe(t *testing.T, s *Server) {
	s.File = filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(s.File, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A disk that is full is one on which no byte may be written any more.
func TestAFullDiskLeavesTheOldFile(t *testing.T) {
	s, read := desk(t)
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	tried, put := s.Try(next), s.Put(t.Context(), next, true)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if tried == nil || put == nil {
		t.Errorf("got %v and %v", tried, put)
	}
	untouched(t, s, read)
}

// Who may not read the server's file, or could not leave it its owner, says so when he is
// asked, and not when it is his turn. Only root can be somebody else for a moment.
func TestAFileOfAnotherUserIsToldBeforeAnythingIsChanged(t *testing.T) {
	if file := os.Getenv("COTERIE_TRY_FILE"); file != "" {
		fmt.Println("tried:", Server{File: file}.Try(next))
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: only root can be somebody else")
	}
	for _, c := range []struct {
		gid  uint32
		want string
	}{{65534, "permission denied"}, {0, "operation not permitted"}} {
		s, read := desk(t)
		for dir := filepath.Dir(s.File); dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
			if err := os.Chmod(dir, 0o777); err != nil {
				t.Fatal(err)
			}
		}
		// The program of this test may lie where nobody else can look.
		program, err := os.Open("/proc/self/exe")
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "/proc/self/fd/3", "-test.run", "^TestAFileOfAnotherUser")
		cmd.ExtraFiles, cmd.Dir, cmd.Env = []*os.File{program}, "/", []string{"COTERIE_TRY_FILE=" + s.File}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: c.gid}}
		out, err := cmd.CombinedOutput()
		if err = errors.Join(err, program.Close()); err != nil || !strings.Contains(string(out), "tried: ") || !strings.Contains(string(out), c.want) {
			t.Errorf("group %d: got %s, %v, want %q", c.gid, out, err, c.want)
		}
		untouched(t, s, read)
	}
}
