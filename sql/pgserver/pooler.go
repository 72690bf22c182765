package pgserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Pooling says when a pooler gives a server's connection to another client.
type Pooling string

// The ways of PgBouncer.
const (
	SessionPooling     Pooling = "session"     // when the client goes
	TransactionPooling Pooling = "transaction" // after each transaction
	StatementPooling   Pooling = "statement"   // after each statement
)

// Pooler is a PgBouncer in front of a server.
type Pooler struct {
	Dir  string
	Port int

	program string
	server  *Server
	process *process
}

// ErrNoPooler says that PgBouncer is not installed.
var ErrNoPooler = errors.New("pgbouncer is not installed")

// findPooler looks where packages put it: sbin, which is not on everybody's PATH.
func findPooler() (string, error) {
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer", "/usr/local/sbin/pgbouncer"} {
		if p, err := exec.LookPath(name); err == nil {
			return p, nil
		}
	}
	return "", ErrNoPooler
}

// Pool starts a pooler for the server's users who are named; everybody is
// trusted. Further settings are those of its configuration file.
func (s *Server) Pool(ctx context.Context, how Pooling, users []string, settings map[string]string) (*Pooler, error) {
	program, err := findPooler()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(s.Dir, "pooler-") // goes with the server
	if err != nil {
		return nil, fmt.Errorf("start pgbouncer: %w", err)
	}
	p := &Pooler{Dir: dir, server: s, program: program}
	for range 5 { // somebody else may have taken the port since
		if p.Port, err = freePort(ctx); err != nil {
			return nil, err
		}
		if err := p.configure(how, users, settings); err != nil {
			return nil, fmt.Errorf("start pgbouncer: %w", err)
		}
		if err = p.Resume(ctx); err == nil {
			return p, nil
		}
	}
	return nil, err
}

// Resume starts the pooler again after Stop, on the port that it had.
func (p *Pooler) Resume(ctx context.Context) (err error) {
	if err := os.Remove(p.log()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("start pgbouncer: %w", err)
	}
	cmd := exec.Command(p.program, filepath.Join(p.Dir, "pgbouncer.ini"))
	cmd.Dir, cmd.Env, cmd.SysProcAttr = p.Dir, p.server.env(), p.server.who.attributes()
	tie(cmd.SysProcAttr)
	if p.process, err = start(cmd); err != nil {
		return fmt.Errorf("start pgbouncer: %w", err)
	}
	if err := p.wait(ctx); err != nil {
		return errors.Join(err, p.Stop())
	}
	return nil
}

// Keep starts the pooler again whenever it has ended by itself, as a service
// manager does, until ctx ends. Version 1.18, which distributions still have, ends
// when a statement is cancelled at the wrong moment.
func (p *Pooler) Keep(ctx context.Context) (revived int, err error) {
	for {
		select {
		case <-ctx.Done():
			return revived, nil
		case <-p.process.ended:
			// Also when ctx ends just now: what is half started is no failure.
			if err := p.Resume(context.WithoutCancel(ctx)); err != nil {
				return revived, err
			}
			revived++
		}
	}
}

func (p *Pooler) configure(how Pooling, users []string, settings map[string]string) error {
	all := map[string]string{
		// Without a socket of its own it ends when somebody else has its port; with one it
		// goes on, and who means it reaches another server.
		"listen_addr": "127.0.0.1", "listen_port": strconv.Itoa(p.Port), "unix_socket_dir": "",
		"auth_type": "trust", "auth_file": filepath.Join(p.Dir, "users"),
		"pool_mode": string(how), "logfile": p.log(),
	}
	maps.Copy(all, settings)
	var ini, list strings.Builder
	fmt.Fprintf(&ini, "[databases]\n* = host=%s port=%d\n[pgbouncer]\n", p.server.Socket, p.server.Port)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&ini, "%s = %s\n", name, all[name])
	}
	for _, user := range users {
		fmt.Fprintf(&list, "%q \"\"\n", user)
	}
	for name, text := range map[string]string{"pgbouncer.ini": ini.String(), "users": list.String()} {
		name = filepath.Join(p.Dir, name)
		if err := errors.Join(os.WriteFile(name, []byte(text), 0o600), p.server.who.own(name)); err != nil {
			return err
		}
	}
	return p.server.who.own(p.Dir)
}

func (p *Pooler) log() string { return filepath.Join(p.Dir, "log") }

// wait has the pooler's own word that it listens: at its port somebody else may answer.
func (p *Pooler) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	listens := fmt.Appendf(nil, "listening on 127.0.0.1:%d\n", p.Port)
	for {
		said, err := os.ReadFile(p.log())
		if bytes.Contains(said, listens) {
			return nil
		}
		select {
		case <-p.process.ended:
			return errors.Join(&StartError{Program: "pgbouncer", Said: tail(said), Err: p.process.err}, err)
		case <-ctx.Done():
			return fmt.Errorf("pgbouncer is not ready: %w: %s", context.Cause(ctx), tail(said))
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// Stop ends the pooler at once.
func (p *Pooler) Stop() error { return p.process.end(Immediate) }

// DSN returns a connection string for a database through the pooler, as the
// superuser. Append " user=name" to be somebody else.
func (p *Pooler) DSN(db string) string {
	return fmt.Sprintf("host=127.0.0.1 port=%d dbname=%s user=%s sslmode=disable", p.Port, quote(db), Superuser)
}
