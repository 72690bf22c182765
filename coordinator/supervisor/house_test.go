//go:build linux

package supervisor

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A house is one supervisor with its agent, and the test's way to speak to them.
type house struct {
	t      *testing.T
	id     string
	dir    string
	sup    *exec.Cmd
	agent  int
	cgroup bool
	log    *safeBuffer
	exited chan int
	stderr *os.File   // instead of log
	extra  []*os.File // inherited by the supervisor

	conn net.Conn
	mu   sync.Mutex // guards what follows
	next int
	wait map[int]chan report
	end  chan report // "run ended"
}

type safeBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// both runs a test with cgroups, where this host has them, and without.
func both(t *testing.T, test func(t *testing.T, flags string)) {
	t.Parallel()
	alone(t, func(t *testing.T, flags string) {
		t.Parallel()
		test(t, flags)
	})
}

// alone is both for tests in which a supervisor is killed: others that start
// meanwhile would sweep what it leaves.
func alone(t *testing.T, test func(t *testing.T, flags string)) {
	for _, flags := range []string{"cgroup", "nocgroup", "nocgroup stages"} {
		if flags == "cgroup" && !cgroupsHere() {
			t.Log("NO WRITABLE CGROUP V2 HERE: tested without cgroups only")
			continue
		}
		t.Run(flags, func(t *testing.T) { test(t, flags) })
	}
}

func cgroupsHere() bool {
	c, err := openCgroups(fmt.Sprintf("test-%d-%d", os.Getpid(), time.Now().UnixNano()))
	if err != nil {
		return false
	}
	return c.close() == nil
}

func newHouse(t *testing.T, flags string) *house {
	t.Helper()
	h := emptyHouse(t)
	h.open(flags)
	return h
}

func emptyHouse(t *testing.T) *house {
	h := &house{
		t: t, id: fmt.Sprintf("%s-%d", t.Name(), time.Now().UnixNano()), dir: t.TempDir(),
		log: &safeBuffer{}, exited: make(chan int, 1), wait: make(map[int]chan report), end: make(chan report, 1),
	}
	t.Cleanup(h.tearDown)
	return h
}

// open starts a supervisor; a second one may follow when the first is dead.
func (h *house) open(flags string) {
	h.t.Helper()
	socket := filepath.Join(os.TempDir(), fmt.Sprintf("sup-%d-%d", os.Getpid(), time.Now().UnixNano()))
	ln, err := net.Listen("unix", socket)
	if err != nil {
		h.t.Fatal(err)
	}
	defer ln.Close()
	exe, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	h.sup = exec.Command(exe, "supervisor")
	h.sup.Env = append(os.Environ(), envRole+"=supervisor", envSocket+"="+socket, envSelf+"="+h.id, envFlags+"="+flags)
	h.sup.Stderr, h.sup.Stdout, h.sup.ExtraFiles = h.log, h.log, h.extra
	if h.stderr != nil {
		h.sup.Stderr, h.sup.Stdout = h.stderr, h.stderr
	}
	h.sup.WaitDelay = 100 * time.Millisecond // the agent may hold the pipe
	if err := h.sup.Start(); err != nil {
		h.t.Fatal(err)
	}
	go func(sup *exec.Cmd) {
		sup.Wait()
		h.exited <- sup.ProcessState.Sys().(syscall.WaitStatus).ExitStatus()
	}(h.sup)
	ln.(*net.UnixListener).SetDeadline(time.Now().Add(20 * time.Second))
	if h.conn, err = ln.Accept(); err != nil {
		h.t.Fatalf("no agent: %v\n%s", err, h.log)
	}
	lines := bufio.NewScanner(h.conn)
	lines.Buffer(nil, 1<<20)
	lines.Scan()
	var hello report
	if err := json.Unmarshal(lines.Bytes(), &hello); err != nil {
		h.t.Fatal(err)
	}
	h.agent, h.cgroup = hello.PID, hello.Cgroup
	if want := strings.HasPrefix(flags, "cgroup"); h.cgroup != want {
		h.t.Fatalf("cgroups: %v, want %v\n%s", h.cgroup, want, h.log)
	}
	go h.hear(lines)
}

func (h *house) hear(lines *bufio.Scanner) {
	for lines.Scan() {
		var r report
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			panic(err)
		}
		if r.Event != "" {
			h.end <- r
			continue
		}
		h.mu.Lock()
		c := h.wait[r.N]
		h.mu.Unlock()
		c <- r
	}
}

// ask gives an order and returns where the reply will be.
func (h *house) ask(o order) <-chan report {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.next++
	o.N = h.next
	c := make(chan report, 1)
	h.wait[o.N] = c
	text, err := json.Marshal(o)
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.conn.Write(append(text, '\n')); err != nil {
		h.t.Fatal(err)
	}
	return c
}

const longest = 30 * time.Second

func (h *house) do(o order) report {
	h.t.Helper()
	return h.get(h.ask(o), o.Do)
}

func (h *house) get(c <-chan report, what string) report {
	h.t.Helper()
	select {
	case r := <-c:
		return r
	case <-time.After(longest):
		h.t.Fatalf("%s: no answer\n%s", what, h.log)
		return report{}
	}
}

// sh starts a shell script as a run.
func (h *house) sh(id, script string) int {
	h.t.Helper()
	r := h.do(h.shell(id, script))
	if r.Err != "" {
		h.t.Fatalf("start %s: %s\n%s", id, r.Err, h.log)
	}
	return r.PID
}

func (h *house) shell(id, script string) order {
	return order{Do: "start", ID: id, Argv: []string{"/bin/sh", "-c", script}, Env: h.env()}
}

func (h *house) env() []string {
	return []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", envSelf + "=" + h.id, "HERE=" + h.dir}
}

func (h *house) extend(d, grace time.Duration) {
	h.t.Helper()
	h.do(order{Do: "extend", For: d, Grace: grace})
}

// long gives authority that no test outlives.
func (h *house) long() { h.t.Helper(); h.extend(time.Minute, 100*time.Millisecond) }

func (h *house) waitFor(id string) report {
	h.t.Helper()
	return h.do(order{Do: "wait", ID: id})
}

// file waits until a script has made a file, and returns its text.
func (h *house) file(name string) string {
	h.t.Helper()
	path := filepath.Join(h.dir, name)
	var text []byte
	h.eventually(name+" is written", func() bool {
		var err error
		text, err = os.ReadFile(path)
		return err == nil && len(text) > 0 && text[len(text)-1] == '\n'
	})
	return strings.TrimSpace(string(text))
}

func (h *house) number(name string) int {
	h.t.Helper()
	n, err := strconv.Atoi(h.file(name))
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

func (h *house) eventually(what string, true func() bool) {
	h.t.Helper()
	for end := time.Now().Add(longest); !true(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("never true: %s\n%s", what, h.log)
		}
	}
}

func (h *house) kill(pid int, sig syscall.Signal) {
	h.t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		h.t.Fatalf("kill %d: %v", pid, err)
	}
}

// freeze stops a process, and waits until all its threads stand still.
func (h *house) freeze(pid int) {
	h.t.Helper()
	h.kill(pid, syscall.SIGSTOP)
	h.eventually("it stands still", func() bool {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		if err != nil || len(threads) == 0 {
			h.t.Fatalf("threads of %d: %v", pid, err)
		}
		for _, path := range threads {
			text, err := os.ReadFile(path)
			if err == nil && !bytes.Contains(text, []byte(") T ")) {
				return false
			}
		}
		return true
	})
}

func (h *house) exitCode() int {
	h.t.Helper()
	select {
	case code := <-h.exited:
		h.exited <- code
		return code
	case <-time.After(longest):
		h.t.Fatalf("supervisor does not end\n%s", h.log)
		return 0
	}
}

// alive lists the living processes of this test but the supervisor, the agent and waiting stages.
func (h *house) alive() []int {
	h.t.Helper()
	all, err := processes()
	if err != nil {
		h.t.Fatal(err)
	}
	var pids []int
	for _, p := range all {
		if p.pid == h.sup.Process.Pid || p.pid == h.agent {
			continue
		}
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.pid))
		if err == nil && bytes.Contains(text, []byte(envSelf+"="+h.id+"\x00")) {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

func isAlive(pid int) bool {
	_, ok := readProcess(pid)
	return ok
}

func (h *house) allDead() {
	h.t.Helper()
	if pids := h.alive(); len(pids) > 0 {
		h.t.Errorf("still alive: %v\n%s", describe(pids), h.log)
	}
}

func describe(pids []int) (out []string) {
	for _, pid := range pids {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		p, _ := readProcess(pid)
		out = append(out, fmt.Sprintf("%+v %q", p, text))
	}
	return out
}

// tearDown leaves nothing behind, and complains about what it must clean away.
func (h *house) tearDown() {
	if h.sup == nil || h.sup.Process == nil {
		return
	}
	h.sup.Process.Signal(syscall.SIGCONT)
	syscall.Kill(h.agent, syscall.SIGCONT)
	syscall.Kill(h.agent, syscall.SIGKILL)
	select {
	case <-h.exited:
	case <-time.After(longest):
		h.t.Errorf("supervisor does not end\n%s", h.log)
		h.sup.Process.Kill()
	}
	if h.conn != nil {
		h.conn.Close()
	}
	h.removeCgroups()
	for _, pid := range h.alive() {
		h.t.Errorf("left behind: %v", describe([]int{pid}))
		syscall.Kill(pid, syscall.SIGKILL)
	}
	if h.t.Failed() {
		h.t.Logf("log:\n%s", h.log)
	}
}

// removeCgroups does what the next start would do for a supervisor that was killed.
func (h *house) removeCgroups() {
	own, err := ownCgroup()
	if err != nil {
		return
	}
	dirs, err := filepath.Glob(filepath.Join(own, fmt.Sprintf("%s%d-*", cgroupPrefix, h.sup.Process.Pid)))
	if err != nil {
		h.t.Error(err)
	}
	for _, dir := range dirs {
		if err := removeCgroup(dir); err != nil {
			h.t.Logf("cgroup stays: %v", err)
		}
	}
}

// logged finds the value of an attribute in the supervisor's log.
func (h *house) logged(message, key string) string {
	h.t.Helper()
	found := regexp.MustCompile(`msg="?` + message + `"? .*\b` + key + `=("[^"]*"|\S+)`).FindStringSubmatch(h.log.String())
	if found == nil {
		h.t.Fatalf("no %q with %s in the log\n%s", message, key, h.log)
	}
	return strings.Trim(found[1], `"`)
}

func asErrno(err error) (syscall.Errno, bool) {
	var e syscall.Errno
	ok := errors.As(err, &e)
	return e, ok
}
