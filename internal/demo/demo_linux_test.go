package demo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A running coterie demo, and what it says.
type running struct {
	t     *testing.T
	cmd   *exec.Cmd
	self  string
	dir   string
	ended chan error

	mu   sync.Mutex // guards said
	said bytes.Buffer
}

func (r *running) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.Write(p)
}

func (r *running) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.String()
}

// program is coterie, built where every account can reach it.
func program(t *testing.T) string {
	t.Helper()
	building.Do(func() {
		dir, err := os.MkdirTemp("/tmp", "coterie-test-")
		if err == nil {
			builtIn, built = dir, filepath.Join(dir, "coterie")
			err = os.Chmod(dir, 0o755)
		}
		if err == nil {
			var said []byte
			if said, err = exec.Command("go", "build", "-o", built, "../../cmd/coterie").CombinedOutput(); err != nil {
				err = fmt.Errorf("%w: %s", err, said)
			}
		}
		notBuilt = err
	})
	if notBuilt != nil {
		t.Fatal(notBuilt)
	}
	return built
}

// What program has built, once.
var (
	building sync.Once
	builtIn  string
	built    string
	notBuilt error
)

func TestMain(m *testing.M) {
	code := m.Run()
	if builtIn != "" {
		if err := os.RemoveAll(builtIn); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// startDemo starts a demo as a user and waits until it is ready.
func startDemo(t *testing.T, uid int, args ...string) *running {
	t.Helper()
	r := &running{t: t, self: program(t), ended: make(chan error, 1)}
	r.cmd = r.command(uid, append([]string{"demo"}, args...)...)
	r.cmd.Stdout, r.cmd.Stderr = r, r
	begun := time.Now()
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { r.ended <- r.cmd.Wait() }()
	t.Cleanup(r.leave)
	r.until("Ready after", 30*time.Second)
	t.Logf("ready after %v", time.Since(begun).Round(time.Millisecond))
	found := regexp.MustCompile(`shared folder (\S+)/share`).FindStringSubmatch(r.text())
	if found == nil {
		t.Fatalf("no folder is told:\n%s", r.text())
	}
	r.dir = found[1]
	return r
}

func (r *running) command(uid int, args ...string) *exec.Cmd {
	cmd := exec.Command(r.self, args...)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "HOME=/nonexistent", "TMPDIR=/tmp")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if uid != os.Geteuid() {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}
	}
	return cmd
}

// until waits until something was said.
func (r *running) until(word string, within time.Duration) {
	r.t.Helper()
	for begun := time.Now(); !strings.Contains(r.text(), word); time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > within {
			r.t.Fatalf("never said %q:\n%s", word, r.text())
		}
		select {
		case err := <-r.ended:
			r.ended <- err
			r.t.Fatalf("ended (%v) before it said %q:\n%s", err, word, r.text())
		default:
		}
	}
}

// order gives the running demo an order and returns what is answered.
func (r *running) order(want int, args ...string) string {
	r.t.Helper()
	out, err := r.command(os.Geteuid(), append([]string{"demo", "--dir", r.dir}, args...)...).CombinedOutput()
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else if err != nil {
		r.t.Fatal(err)
	}
	if got != want {
		r.t.Errorf("%v: exit code %d, want %d:\n%s", args, got, want, out)
	}
	return string(out)
}

// end waits for the demo's end and returns its exit code.
func (r *running) end(within time.Duration) int {
	r.t.Helper()
	select {
	case err := <-r.ended:
		r.ended <- nil
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return exit.ExitCode()
		}
		if err != nil {
			r.t.Fatal(err)
		}
		return 0
	case <-time.After(within):
		r.t.Fatalf("does not end:\n%s", r.text())
		return -1
	}
}

func (r *running) signal(s os.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

// left is what there still is of the demo: processes that know its folder by their
// environment or their words, and the folder.
func (r *running) left() []string {
	var left []string
	for _, file := range []string{"environ", "cmdline"} {
		paths, err := filepath.Glob("/proc/[0-9]*/" + file)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err == nil && bytes.Contains(text, []byte(r.dir)) {
				left = append(left, path+": "+strings.ReplaceAll(string(text[:min(len(text), 200)]), "\x00", " "))
			}
		}
	}
	if _, err := os.Stat(r.dir); err == nil {
		left = append(left, r.dir)
	}
	return left
}

// gone waits until nothing is left.
func (r *running) gone() {
	r.t.Helper()
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		left := r.left()
		if len(left) == 0 {
			r.t.Logf("nothing is left after %v", time.Since(begun).Round(time.Millisecond))
			return
		}
		if time.Since(begun) > 15*time.Second {
			r.t.Fatalf("left:\n%s", strings.Join(left, "\n"))
		}
	}
}

// leave ends a demo that a failed test has left.
func (r *running) leave() {
	if r.t.Failed() {
		r.t.Logf("the demo said:\n%s", r.text())
	}
	select {
	case <-r.ended:
	default:
		r.signal(syscall.SIGKILL)
		<-r.ended
	}
}

const nobody = 65534

func TestADemoJudgesItself(t *testing.T) {
	t.Parallel()
	const length = 10 * time.Second
	r := startDemo(t, os.Geteuid(), "--for", length.String(), "--nodes", "4", "-o", "jsonl")
	if code := r.end(length + time.Minute); code != 0 {
		t.Errorf("exit code %d", code)
	}
	var result struct {
		Schema    string
		Well      bool
		Slots     int
		Takeovers []float64
	}
	lines := strings.Split(strings.TrimSpace(r.text()), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &result); err != nil {
		t.Error(err)
	}
	if result.Schema != "coterie.demo/v1" || !result.Well || result.Slots < 10 || len(result.Takeovers) == 0 {
		t.Errorf("got %+v", result)
	}
	for _, want := range []string{"kill -9 of the agent of", "kill -9 of all of", "take-overs", "verdict     every slot has exactly one row, and none ran twice"} {
		if !strings.Contains(r.text(), want) {
			t.Errorf("%q is not said", want)
		}
	}
	r.gone()
	t.Log(r.text())
}

func TestADemoObeysAndIsStillWell(t *testing.T) {
	t.Parallel()
	r := startDemo(t, os.Geteuid())
	for _, o := range []struct {
		code int
		args string
		want string
	}{
		{0, "kill app-b", "app-b is started again"},
		{0, "freeze app-a", "app-a knows nothing of it yet"},
		{0, "thaw app-a", "goes on as if nothing had happened"},
		{0, "cut-db 1s", "reach the database again"},
		{0, "cut-db 4s --node app-c --refuse", "app-c cut off from the database for 4s: connections break"},
		{0, "load --jobs 5 --for 2s", "the 5 jobs are gone again"},
		{4, "kill app-x", "COT-610"},
		{2, "kil app-a", `Did you mean "kill"`},
		{10, "kill app-a -n", "Would kill app-a"},
	} {
		if out := r.order(o.code, strings.Fields(o.args)...); !strings.Contains(out, o.want) {
			t.Errorf("%s: %q is not said:\n%s", o.args, o.want, out)
		}
	}
	r.counts("coterie_job_runs_total", "coterie_job_run_duration_seconds_count", "coterie_job_last_success_timestamp_seconds")
	r.order(0, "kill", "app-b", "--only", "agent")
	for marks := 1; marks > 0; time.Sleep(10 * time.Millisecond) {
		found, err := marked(r.dir)
		if err != nil {
			t.Fatal(err)
		}
		marks = len(slices.DeleteFunc(found, func(p process) bool { return p.node != "app-b" }))
	}
	if out := r.order(5, "freeze", "app-b"); !strings.Contains(out, "COT-705") {
		t.Errorf("freeze of a node that is down: %s", out)
	}
	if status := r.inside("status", "-o", "json"); !strings.Contains(status, `"name": "demo"`) {
		t.Errorf("status in the demo's environment:\n%s", status)
	}
	r.signal(os.Interrupt)
	if code := r.end(20 * time.Second); code != 0 || !strings.Contains(r.text(), "verdict     every slot has exactly one row") {
		t.Errorf("exit code %d", code)
	}
	r.gone()
}

// counts waits until a node's metrics tell of the runs that it had.
func (r *running) counts(names ...string) {
	r.t.Helper()
	url := regexp.MustCompile(`Status page (http://\S+)`).FindStringSubmatch(r.text())
	if url == nil {
		r.t.Fatal("no status page is named")
	}
	for begun := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		request, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, url[1]+"metrics", http.NoBody)
		if err != nil {
			r.t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			r.t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		if err := errors.Join(err, answer.Body.Close()); err != nil {
			r.t.Fatal(err)
		}
		missing := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return bytes.Contains(text, []byte(name+"{")) })
		if len(missing) == 0 {
			return
		}
		if time.Since(begun) > 20*time.Second {
			r.t.Fatalf("%v are not in the metrics:\n%s", missing, text)
		}
	}
}

// inside runs a command of ours in a shell that has read the demo's environment.
func (r *running) inside(args ...string) string {
	r.t.Helper()
	shell := exec.Command("/bin/sh", append([]string{"-c", `. "$0"; "$@"`, filepath.Join(r.dir, "env"), r.self}, args...)...)
	out, err := shell.CombinedOutput()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		r.t.Fatal(err)
	}
	return string(out)
}

func TestADemoThatFindsSomethingWrongFailsAndKeepsItsLogs(t *testing.T) {
	t.Parallel()
	r := startDemo(t, os.Geteuid())
	logs := filepath.Join(r.dir, "log")
	t.Cleanup(func() {
		if err := os.RemoveAll(r.dir); err != nil {
			t.Error(err)
		}
	})
	witness, err := os.OpenFile(filepath.Join(r.dir, "share", "witness.log"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintln(witness, "start   phantom due=2001-02-03T12:00:00Z token=999999 node=app-a pid=1")
	if err := errors.Join(err, witness.Close()); err != nil {
		t.Fatal(err)
	}
	r.signal(syscall.SIGTERM)
	if code := r.end(20 * time.Second); code != 1 || !strings.Contains(r.text(), "COT-702") || !strings.Contains(r.text(), "WRONG       phantom of 12:00:00.000") {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(r.text(), logs) {
		t.Errorf("%s is not named", logs)
	}
	for _, name := range []string{"app-a.log", "postgresql.log", "witness.log"} {
		if info, err := os.Stat(filepath.Join(logs, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left := r.left(); len(left) != 1 {
		t.Errorf("left:\n%s", strings.Join(left, "\n"))
	}
}

func TestADemoLeavesNothingHoweverItEnds(t *testing.T) {
	ends := map[string]func(r *running){
		"Ctrl-C":  func(r *running) { r.signal(os.Interrupt) },
		"SIGTERM": func(r *running) { r.signal(syscall.SIGTERM) },
		"SIGKILL": func(r *running) { r.signal(syscall.SIGKILL) },
		"SIGKILL while a node is frozen": func(r *running) {
			r.order(0, "freeze", "app-a")
			r.signal(syscall.SIGKILL)
		},
	}
	try := func(name string, uid int) {
		t.Run(name+" as "+strconv.Itoa(uid), func(t *testing.T) {
			t.Parallel()
			r := startDemo(t, uid)
			ends[name](r)
			r.end(20 * time.Second)
			r.gone()
		})
	}
	for name := range ends {
		try(name, os.Geteuid())
	}
	if os.Geteuid() == 0 {
		try("Ctrl-C", nobody)
		try("SIGKILL", nobody)
	}
}

func TestADemoThatIsStoppedWhileItStartsLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		for _, after := range []time.Duration{50 * time.Millisecond, 300 * time.Millisecond, 900 * time.Millisecond} {
			above := shortDir(t)
			if err := os.Chmod(above, 0o755); err != nil { // PostgreSQL may run as somebody else
				t.Fatal(err)
			}
			dir := filepath.Join(above, "demo")
			r := &running{t: t, self: program(t), dir: dir, ended: make(chan error, 1)}
			r.cmd = r.command(os.Geteuid(), "demo", "--dir", dir)
			r.cmd.Stdout, r.cmd.Stderr = r, r
			if err := r.cmd.Start(); err != nil {
				t.Fatal(err)
			}
			go func() { r.ended <- r.cmd.Wait() }()
			time.Sleep(after)
			r.signal(s)
			r.end(20 * time.Second)
			r.gone()
		}
	}
}

func TestTheNextDemoRemovesWhatAKilledReaperCouldNot(t *testing.T) {
	t.Parallel()
	r := startDemo(t, os.Geteuid())
	out, err := exec.Command("pgrep", "-f", "demo reap "+r.dir).Output()
	if err != nil {
		t.Fatalf("no reaper: %v", err)
	}
	reaper, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(reaper, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.signal(syscall.SIGKILL)
	r.end(5 * time.Second)
	if _, err := os.Stat(r.dir); err != nil {
		t.Fatalf("who removed it? %v", err)
	}
	again := startDemo(t, os.Geteuid())
	again.signal(os.Interrupt)
	again.end(20 * time.Second)
	r.gone()
	again.gone()
}
