package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Mode is a way to end a server.
type Mode int

const (
	Fast      Mode = iota // end the sessions, write everything down
	Immediate             // end at once; the next start recovers
	Kill                  // what the kernel does to a process that used up the memory
)

// process is one life of a postmaster.
type process struct {
	cmd   *exec.Cmd
	pid   int
	ended chan struct{} // closed when it has been reaped
	err   error         // what Wait said; read after ended
}

// start runs the command on a thread of its own, which lives until the command
// has ended: the parent-death signal comes when the thread dies, not the process.
func start(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
		close(p.ended)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	p.pid = cmd.Process.Pid
	return p, nil
}

// end asks, and after a while insists.
func (p *process) end(how Mode) error {
	for _, how := range []Mode{how, Immediate, Kill} {
		if err := p.cmd.Process.Signal(modeSignal(how)); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("end postgres (process %d): %w", p.pid, err)
		}
		select {
		case <-p.ended:
			return nil
		case <-time.After(patience / 4):
		}
	}
	return fmt.Errorf("postgres (process %d) does not end", p.pid)
}

// run starts postgres until it is ready. It tries again when the port was
// taken meanwhile, and while remains of a killed predecessor stand in the way.
func (s *Server) run(ctx context.Context) (*process, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	chosen := s.Port != 0
	for {
		if !chosen {
			port, err := freePort(ctx)
			if err != nil {
				return nil, err
			}
			s.Port = port
		}
		p, err := s.runOnce(ctx)
		var early *StartError
		if err == nil || !errors.As(err, &early) || !early.passing() {
			return p, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// passing tells whether another try may go better.
func (e *StartError) passing() bool {
	for _, sign := range []string{"Address already in use", "is in use", "is another postmaster", "pre-existing shared memory", "is still in use"} {
		if strings.Contains(e.Said, sign) {
			return true
		}
	}
	return false
}

func (s *Server) runOnce(ctx context.Context) (_ *process, err error) {
	log, err := os.OpenFile(s.LogFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	from, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(s.Binaries.Path("postgres"), s.args()...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.Dir, s.env(), log, log
	cmd.SysProcAttr = s.who.attributes()
	tie(cmd.SysProcAttr)
	p, err := start(cmd)
	if err != nil {
		return nil, err
	}
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for !s.ready(p.pid) {
		select {
		case <-p.ended:
			return nil, &StartError{Program: "postgres", Said: s.said(from), Err: p.err}
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("postgres is not ready: %w: %s", context.Cause(ctx), s.said(from)), p.end(Immediate))
		case <-poll.C:
		}
	}
	return p, nil
}

// ready reads what the postmaster writes down about itself: its process id in
// the first line, its state in the last.
func (s *Server) ready(pid int) bool {
	text, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return false
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return len(lines) >= 8 && strings.TrimSpace(lines[0]) == strconv.Itoa(pid) && strings.TrimSpace(lines[7]) == "ready"
}

func (s *Server) said(from int64) string {
	text, err := os.ReadFile(s.LogFile())
	if err != nil || int64(len(text)) < from {
		return "its log cannot be read"
	}
	return tail(text[from:])
}

func (s *Server) args() []string {
	settings := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"port":                    strconv.Itoa(s.Port),
		"unix_socket_directories": s.Socket,
		"max_connections":         "100",
		"shared_buffers":          "32MB",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
		"log_line_prefix":         "%m [%p] %q%u@%d %a ",
		"jit":                     "off",
		// In the server's directory, which goes with it; elsewhere a killed server leaves its memory behind.
		"dynamic_shared_memory_type": "mmap",
	}
	if !s.options.Durable {
		settings["fsync"] = "off"
		settings["full_page_writes"] = "off"
	}
	if s.options.MaxConns > 0 {
		settings["max_connections"] = strconv.Itoa(s.options.MaxConns)
	}
	maps.Copy(settings, s.options.Settings)
	args := []string{"-D", s.data()}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	return args
}

// freePort is one of FreePorts.
func freePort(ctx context.Context) (int, error) {
	ports, err := FreePorts(ctx, 1)
	if err != nil {
		return 0, err
	}
	return ports[0], nil
}

// FreePorts are n ports of 127.0.0.1 where nobody listens. They are below those that
// systems give by themselves (49152 and up by RFC 6335, 32768 on Linux): one of these
// may be taken by anybody's connection before a server listens there, or while it is
// stopped for a while.
func FreePorts(ctx context.Context, n int) ([]int, error) {
	const lowest, beyond = 15000, 32768
	var lc net.ListenConfig
	var ports []int
	var err error
	for try := 0; len(ports) < n; try++ {
		port := lowest + rand.IntN(beyond-lowest)
		var l net.Listener
		if l, err = lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			defer l.Close() // when all are found, so that none is given twice
			ports = append(ports, port)
		} else if try >= 100+n {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
	}
	return ports, nil
}
