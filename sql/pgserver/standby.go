package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Standby starts a server that follows this one: its data directory is a base
// backup, and it receives what this one writes. It follows asynchronously
// unless this one's synchronous_standby_names has its cluster_name.
func (s *Server) Standby(ctx context.Context, o Options) (*Server, error) {
	o.follows = s
	if o.Binaries.Dir == "" {
		o.Binaries = s.Binaries
	}
	return Start(ctx, o)
}

// baseBackup makes the data directory of a standby.
func (s *Server) baseBackup(ctx context.Context, data string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.Binaries.Path("pg_basebackup"), "-D", data, "-d", s.options.follows.DSN("postgres"),
		"--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync")
	cmd.Dir = s.Dir
	cmd.Env = s.env()
	cmd.SysProcAttr = s.who.attributes()
	if out, err := cmd.CombinedOutput(); err != nil {
		return &StartError{Program: "pg_basebackup", Said: tail(out), Err: err}
	}
	return nil
}

// Promote makes a primary of a standby, and returns when it takes writes.
func (s *Server) Promote(ctx context.Context) error {
	if s.process == nil {
		return errors.New("promote: the server is down")
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	log, err := os.Stat(s.LogFile())
	if err != nil {
		return fmt.Errorf("promote: %w", err)
	}
	// What pg_ctl promote does.
	sign := filepath.Join(s.data(), "promote")
	made := sign + ".new" // a postmaster that looks by chance takes it away before it has its owner
	if err := errors.Join(os.WriteFile(made, nil, 0o600), s.who.own(made), os.Rename(made, sign)); err != nil {
		return fmt.Errorf("promote: %w", err)
	}
	if err := s.process.cmd.Process.Signal(promoteSignal); err != nil {
		return fmt.Errorf("promote: %w", err)
	}
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for !s.logged(log.Size(), "database system is ready to accept connections") {
		select {
		case <-ctx.Done():
			return fmt.Errorf("promote: %w", context.Cause(ctx))
		case <-poll.C:
		}
	}
	return nil
}

// logged tells whether the server has said that since its log had so many bytes.
func (s *Server) logged(from int64, text string) bool {
	log, err := os.ReadFile(s.LogFile())
	return err == nil && int64(len(log)) >= from && strings.Contains(string(log[from:]), text)
}
