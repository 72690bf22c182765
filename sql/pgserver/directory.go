package pgserver

import (
	"context"
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
		dir, err := os.MkdirTemp(commonTemp(), "coterie-pg-")
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

// commonTemp is a directory for temporary files that every account can enter;
// a root caller's TMPDIR often is not.
func commonTemp() string {
	who := whoRuns()
	for _, dir := range []string{os.TempDir(), "/tmp", "/var/tmp"} {
		if len(dir) < socketPath-20 && closedTo(filepath.Join(dir, "x"), who) == "" {
			return dir
		}
	}
	return os.TempDir()
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
