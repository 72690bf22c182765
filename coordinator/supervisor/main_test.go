//go:build linux

package supervisor

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The test binary plays all parts: the supervisor, the agent, programs. Which
// one is told by an environment variable.
const (
	envRole   = "TEST_ROLE"
	envSocket = "TEST_SOCKET" // where the agent takes orders
	envSelf   = "TEST_ID"     // marks all processes of one test
	envFlags  = "TEST_FLAGS"
)

// stageless is the name of a copy of the test binary whose main does not call Stage.
const stageless = "stageless"

func TestMain(m *testing.M) {
	if exe, err := os.Executable(); err != nil || filepath.Base(exe) != stageless {
		Stage()
	} else if os.Getenv(envRole) == "" {
		os.Exit(0) // a main that has never heard of stages
	}
	switch os.Getenv(envRole) {
	case "":
		os.Exit(m.Run())
	case "supervisor":
		os.Exit(playSupervisor())
	case "agent":
		os.Exit(playAgent())
	default:
		fmt.Fprintln(os.Stderr, "no such role")
		os.Exit(99)
	}
}

func playSupervisor() int {
	exe, err := os.Executable()
	if err != nil {
		return 98
	}
	if err := os.Setenv(envRole, "agent"); err != nil {
		return 98
	}
	flags := os.Getenv(envFlags)
	exit, err := Run(context.Background(), Options{
		Agent:           []string{exe, "agent"},
		Log:             slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Stages:          bytes.Contains([]byte(flags), []byte("stages")),
		NoCgroup:        bytes.Contains([]byte(flags), []byte("nocgroup")),
		NoNewPrivileges: bytes.Contains([]byte(flags), []byte("noprivs")),
		WillTimeout:     500 * time.Millisecond,
		GiveUpAfter:     time.Second,
		Impatience:      2 * time.Second,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return exit
}

// An order is what the test wants of the agent, a reply what came of it.
type order struct {
	N       int
	Do      string
	ID      string        `json:",omitempty"`
	Argv    []string      `json:",omitempty"`
	Env     []string      `json:",omitempty"`
	Dir     string        `json:",omitempty"`
	User    string        `json:",omitempty"`
	Program string        `json:",omitempty"` // opened by the agent, then replaced by Replace
	Replace string        `json:",omitempty"`
	Limits  Limits        `json:",omitzero"`
	Quiet   bool          `json:",omitempty"` // no output wanted
	Outlast bool          `json:",omitempty"` // the deadline
	Slow    bool          `json:",omitempty"` // the writer is slow to begin
	Abreast int           `json:",omitempty"`
	For     time.Duration `json:",omitempty"`
	Grace   time.Duration `json:",omitempty"`
	Signal  syscall.Signal
	Code    int
	Times   int
}

type report struct {
	N        int
	Event    string `json:",omitempty"`
	PID      int    `json:",omitempty"`
	Exit     Exit   `json:",omitzero"`
	Output   string `json:",omitempty"`
	Progress string `json:",omitempty"`
	Size     int    `json:",omitempty"`
	Err      string `json:",omitempty"`
	Errno    syscall.Errno
	At       time.Duration // boot time at which the agent knew
	Cgroup   bool
	Took     []time.Duration `json:",omitempty"`
}

// An actor is the agent's part: a client that does what it is told.
type actor struct {
	client *Client
	cancel context.CancelCauseFunc
	code   int

	mu   sync.Mutex // guards what follows
	enc  *json.Encoder
	runs map[string]*act
}

type act struct {
	p        *Process
	out, log bytes.Buffer
}

func playAgent() int {
	for _, name := range []string{envRole} {
		os.Unsetenv(name)
	}
	client, err := FromEnv()
	if err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		return 97
	}
	conn, err := net.Dial("unix", os.Getenv(envSocket))
	if err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		return 97
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	a := &actor{client: client, cancel: cancel, enc: json.NewEncoder(conn), runs: make(map[string]*act)}
	a.say(report{Event: "hello", PID: os.Getpid(), Cgroup: client.HasCgroups()})
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	go func() {
		<-term // the agent's part: stop well, and say that it was a TERM
		a.code = 15
		cancel(fmt.Errorf("terminated"))
	}()
	go func() {
		lines := bufio.NewScanner(conn)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var o order
			if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
				panic(err)
			}
			if o.Do == "extend" || o.Do == "session" { // their order matters
				a.obey(o)
			} else {
				go a.obey(o)
			}
		}
		os.Exit(96) // the test has ended
	}()
	err = client.Run(ctx)
	a.say(report{Event: "run ended", Err: err.Error()})
	time.Sleep(50 * time.Millisecond) // for the waits that have ended with it to be told
	return a.code
}

func (a *actor) say(r report) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r.At = BootTime()
	a.enc.Encode(r)
}

func (a *actor) obey(o order) {
	r := report{N: o.N}
	switch o.Do {
	case "extend":
		a.client.Extend(BootTime()+o.For, o.Grace)
	case "session":
		r.fail(a.client.Session(context.Background(), Session{Node: "app-a", Incarnation: 7, Will: o.Argv}))
	case "farewell":
		r.fail(a.client.Farewell(context.Background()))
	case "start":
		a.start(o, &r)
	case "wait":
		a.wait(o, &r)
	case "signal":
		a.mu.Lock()
		p := a.runs[o.ID].p
		a.mu.Unlock()
		r.fail(p.Signal(o.Signal))
	case "many":
		a.many(o, &r)
	case "spawn": // a child of the agent's own
		pid, err := syscall.ForkExec(o.Argv[0], o.Argv, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{2, 2, 2}})
		r.PID = pid
		r.fail(err)
	case "ignore":
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
	case "hang up":
		a.client.conn.CloseWrite()
	case "exit":
		a.code = o.Code
		a.cancel(fmt.Errorf("told to exit"))
	}
	a.say(r)
}

func (r *report) fail(err error) {
	if err == nil {
		return
	}
	r.Err = err.Error()
	if e, ok := asErrno(err); ok {
		r.Errno = e
	}
}

func (a *actor) start(o order, r *report) {
	run := &act{}
	cmd := Command{ID: o.ID, Argv: o.Argv, Env: o.Env, Dir: o.Dir, User: o.User, Limits: o.Limits, Output: &run.out, Progress: &run.log, Outlasts: o.Outlast}
	if o.Quiet {
		cmd.Output, cmd.Progress = nil, nil
	}
	if o.Slow {
		cmd.Output = &slowWriter{to: &run.out}
	}
	if o.Program != "" {
		f, err := os.Open(o.Program)
		if err == nil {
			defer f.Close()
			err = os.Rename(o.Replace, o.Program)
		}
		r.fail(err)
		cmd.Program = f
	}
	ctx := context.Background()
	if o.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.For)
		defer cancel()
	}
	p, err := a.client.Start(ctx, cmd)
	r.fail(err)
	if err != nil {
		return
	}
	r.PID, run.p = p.PID, p
	a.mu.Lock()
	defer a.mu.Unlock()
	a.runs[o.ID] = run
}

func (a *actor) wait(o order, r *report) {
	a.mu.Lock()
	run := a.runs[o.ID]
	a.mu.Unlock()
	exit, err := run.p.Wait(context.Background())
	r.fail(err)
	r.Exit = exit
	if err == nil {
		r.Size = run.out.Len()
		r.Output = run.out.String()[:min(r.Size, 4096)]
		r.Progress = run.log.String()
	}
}

// A slowWriter thinks before it writes for the first time.
type slowWriter struct {
	to   *bytes.Buffer
	once sync.Once
}

func (s *slowWriter) Write(p []byte) (int, error) {
	s.once.Do(func() { time.Sleep(150 * time.Millisecond) })
	return s.to.Write(p)
}

// many runs a program o.Times times, o.Abreast at a time.
func (a *actor) many(o order, r *report) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range o.Abreast {
		wg.Go(func() {
			for i := range next {
				var out bytes.Buffer
				began := time.Now()
				p, err := a.client.Start(context.Background(), Command{ID: "many-" + strconv.Itoa(i), Argv: o.Argv, Env: o.Env, Output: &out})
				took := time.Since(began)
				if err == nil {
					_, err = p.Wait(context.Background())
				}
				a.mu.Lock()
				r.fail(err)
				r.Took = append(r.Took, took)
				r.Size += out.Len()
				a.mu.Unlock()
			}
		})
	}
	for i := range o.Times {
		next <- i
	}
	close(next)
	wg.Wait()
}
