package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// socketPath is the longest directory name that leaves room for PostgreSQL's
// socket name within the system's limit of some hundred bytes.
const socketPath = 85

// makeDir settles the server's directory and gives it to the account that runs
// the server.
func (s *Server) makeDir() error {
	if s.Dir == "" {
		dir, err := os.MkdirTemp(s.temp(), "coterie-pg-")
		if err != nil {
			return err
		}
		s.Dir, s.temporary = dir, true
	}
	dir, err := filepath.Abs(s.Dir)
	if err != nil {
		return err
	}
	if len(dir) > socketPath {
		return fmt.Errorf("the directory %s is too long a name for a Unix socket (%d bytes at most)", dir, socketPath)
	}
	s.Dir, s.Socket = dir, dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if at := closedTo(dir, s.who); at != "" {
		return fmt.Errorf("the server's account (uid %d) cannot enter %s", s.who.uid, at)
	}
	return s.who.own(dir)
}

// temp is a directory for temporary files that the server's account can enter; a
// root caller's TMPDIR often is not. What need not survive is kept in memory: a
// database is hundreds of small files, and a test run makes hundreds of databases.
func (s *Server) temp() string {
	dirs := []string{os.TempDir(), "/tmp", "/var/tmp"}
	if in := memory(); in != "" && !s.options.Durable {
		dirs = slices.Insert(dirs, 0, in)
	}
	for _, dir := range dirs {
		if len(dir) < socketPath-20 && closedTo(filepath.Join(dir, "x"), s.who) == "" && writable(dir) {
			return dir
		}
	}
	return os.TempDir()
}

func writable(dir string) bool {
	f, err := os.CreateTemp(dir, "coterie-")
	if err != nil {
		return false
	}
	return errors.Join(f.Close(), os.Remove(f.Name())) == nil
}

// closedTo returns the first directory above dir that the account cannot
// pass, or "". Only a server that runs as somebody else can get this wrong.
func closedTo(dir string, who account) string {
	if !who.other() {
		return ""
	}
	for at := filepath.Dir(dir); ; at = filepath.Dir(at) {
		st, err := os.Stat(at)
		if err != nil || !who.mayPass(st) {
			return at
		}
		if at == filepath.Dir(at) {
			return ""
		}
	}
}

func (s *Server) initdb(ctx context.Context, data string) error {
	args := []string{"-D", data, "-U", Superuser, "-A", "trust",
		"--no-locale", "--encoding=UTF8", "--no-instructions"}
	if !s.options.Durable {
		args = append(args, "--no-sync")
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.Binaries.Path("initdb"), args...)
	cmd.Dir = s.Dir
	cmd.Env = s.env()
	cmd.SysProcAttr = s.who.attributes()
	if out, err := cmd.CombinedOutput(); err != nil {
		return &StartError{Program: "initdb", Said: tail(out), Err: err}
	}
	return nil
}

// env is a plain environment: the caller's locale, zone and PG variables are
// no business of this server.
func (s *Server) env() []string {
	env := []string{"LC_ALL=C", "TZ=UTC", "PATH=" + s.Binaries.Dir + string(os.PathListSeparator) + os.Getenv("PATH")}
	for _, name := range []string{"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SystemRoot", "TMPDIR"} {
		if v := os.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return slices.Concat(env, s.options.Env)
}

// tail is the end of a program's talk, enough to hold its last complaint.
func tail(out []byte) string {
	return string(out[max(0, len(out)-1000):])
}
