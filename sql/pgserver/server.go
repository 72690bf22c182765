package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Superuser is the role that owns the cluster and may do everything.
const Superuser = "postgres"

// Options say what server to run. The zero value is one for tests: a temporary
// directory, and no fsync.
type Options struct {
	Dir      string            // holds data, socket and log; "" for a temporary one that Stop removes
	Durable  bool              // fsync as a real server does
	MaxConns int               // max_connections, 0 for 100
	Settings map[string]string // further settings, as in postgresql.conf
	Env      []string          // further environment of the server, for instance a clock shim
	Binaries Binaries          // the zero value asks Find

	as      *account // who runs the server, nil to choose
	follows *Server  // whose standby it is to be, nil for none
}

// Server is a running server. Its methods are not for concurrent use.
type Server struct {
	Dir      string // the directory of this server
	Socket   string // the directory of its Unix socket
	Port     int
	Binaries Binaries

	options   Options
	who       account
	temporary bool
	reaper    *reaper
	process   *process // nil while the server is down
	frozen    bool
}

// Start makes the data directory, unless Options.Dir holds one already, and
// returns when the server takes connections.
func Start(ctx context.Context, o Options) (*Server, error) {
	s := &Server{Dir: o.Dir, Binaries: o.Binaries, options: o, who: whoRuns()}
	if o.as != nil {
		s.who = *o.as
	}
	if s.Binaries.Dir == "" {
		found, err := Find()
		if err != nil {
			return nil, err
		}
		s.Binaries = found
	}
	if err := s.makeDir(); err != nil {
		return nil, fmt.Errorf("start a PostgreSQL server: %w", err)
	}
	if err := s.begin(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start a PostgreSQL server in %s: %w", s.Dir, err), s.Stop())
	}
	return s, nil
}

func (s *Server) begin(ctx context.Context) (err error) {
	if s.reaper, err = startReaper(s.Dir, s.temporary); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(s.data(), "PG_VERSION")); errors.Is(err, os.ErrNotExist) {
		create := s.initdb
		if s.options.follows != nil {
			create = s.baseBackup
		}
		if err := create(ctx, s.data()); err != nil {
			return err
		}
	}
	return s.Resume(ctx)
}

// Stop ends the server in an orderly way and removes its directory if that is
// a temporary one.
func (s *Server) Stop() error {
	errs := []error{s.Halt(Fast)}
	if s.temporary {
		errs = append(errs, os.RemoveAll(s.Dir))
	}
	if s.reaper != nil {
		errs = append(errs, s.reaper.dismiss())
		s.reaper = nil
	}
	return errors.Join(errs...)
}

// Halt ends the server and keeps its directory, for a later Resume.
func (s *Server) Halt(how Mode) error {
	if s.process == nil {
		return nil
	}
	var errs []error
	if s.frozen {
		errs = append(errs, s.Thaw()) // what is stopped cannot end
	}
	errs = append(errs, s.process.end(how))
	s.process = nil
	return errors.Join(errs...)
}

// Resume starts a halted server on the port that it had.
func (s *Server) Resume(ctx context.Context) error {
	if s.process != nil {
		return nil
	}
	p, err := s.run(ctx)
	if err != nil {
		return err
	}
	s.process = p
	return nil
}

// Restart halts and resumes.
func (s *Server) Restart(ctx context.Context, how Mode) error {
	if err := s.Halt(how); err != nil {
		return err
	}
	return s.Resume(ctx)
}

// PID returns the process id of the postmaster, 0 while the server is down.
func (s *Server) PID() int {
	if s.process == nil {
		return 0
	}
	return s.process.pid
}

// DSN returns a connection string for a database by the Unix socket, as the
// superuser. Append " user=name" to be somebody else.
func (s *Server) DSN(db string) string {
	return fmt.Sprintf("host=%s port=%d dbname=%s user=%s", quote(s.Socket), s.Port, quote(db), Superuser)
}

// TCP returns a connection string for a database by 127.0.0.1, where the
// server speaks no TLS.
func (s *Server) TCP(db string) string {
	return fmt.Sprintf("host=127.0.0.1 port=%d dbname=%s user=%s sslmode=disable", s.Port, quote(db), Superuser)
}

// quote writes a value for a connection string.
func quote(value string) string {
	if value != "" && !strings.ContainsAny(value, " \t\n'\\") {
		return value
	}
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}

// LogFile names the file that takes what the server says.
func (s *Server) LogFile() string { return filepath.Join(s.Dir, "log") }

func (s *Server) data() string { return filepath.Join(s.Dir, "data") }

// StartError is a server, or its initdb, that ended before it was ready.
type StartError struct {
	Program string
	Said    string // the end of what it said
	Err     error
}

func (e *StartError) Error() string {
	return fmt.Sprintf("%s: %v: %s", e.Program, e.Err, strings.TrimSpace(e.Said))
}

func (e *StartError) Unwrap() error { return e.Err }

// patience is how long a start, and an orderly end, may take.
const patience = 60 * time.Second
