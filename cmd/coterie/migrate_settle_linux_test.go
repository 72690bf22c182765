package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo terminal: what is typed at the one end is what a program reads
// from the other.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = person.Close() })
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err = errors.Join(err, unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0)); err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return person, program
}

// Whoever interrupts a question is asked nothing more, and all is as it was.
func TestAQuestionThatIsInterruptedLeavesAllAsItWas(t *testing.T) {
	dir := t.TempDir()
	share, out := filepath.Join(dir, "mount", "appdata"), filepath.Join(dir, "plan.json")
	const told = "agentcomm.uri=wss://first:7919\nserver.appdata.dir=..\n"
	properties := func(server string) string {
		return filepath.Join(dir, server, "conf", "server", "installed.properties")
	}
	err := os.Mkdir(filepath.Dir(share), 0o755)
	for _, server := range []string{"first", "second"} {
		err = errors.Join(err, os.MkdirAll(filepath.Dir(properties(server)), 0o755), os.WriteFile(properties(server), []byte(told), 0o644),
			os.WriteFile(filepath.Join(dir, server, "conf", "installed.version"), []byte("version=7.3\n"), 0o644))
	}
	if err != nil {
		t.Fatal(err)
	}
	coterie := func(args ...string) *exec.Cmd {
		cmd := exec.Command("/proc/self/exe", args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "COTERIE_CONFIG=")
		return cmd
	}
	plan := func(server, out string, more ...string) *exec.Cmd {
		return coterie(append([]string{"migrate", "plan", server, "--to", share, "--out", out, "--accept", "local-disk,unseen-processes"}, more...)...)
	}
	for _, cmd := range []*exec.Cmd{plan("first", "first.json", "--set", "com.urbancode.ds.UDeployServer.multiserver=true"), coterie("migrate", "apply", "first.json", "-y")} {
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd.Args, err, text)
		}
	}
	person, program := terminal(t)
	cmd := plan("second", out, "--join")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err = errors.Join(cmd.Start(), program.Close())
	if err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	var shown bytes.Buffer
	for buf := make([]byte, 1<<10); !strings.HasSuffix(shown.String(), "agentcomm.uri: "); {
		n, err := person.Read(buf)
		if err != nil {
			t.Fatalf("%v, after %q", err, shown.String())
		}
		shown.Write(buf[:n])
	}
	if _, err := io.WriteString(person, "\x03"); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(person) // an error is how a terminal ends
	if err := cmd.Wait(); err == nil || !late.Stop() {
		t.Errorf("ended with %v, want 130 within a minute; %q", err, rest)
	} else if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("ended with %d, want 130; %q", code, rest)
	}
	if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the plan file: %v", err)
	}
	if text, err := os.ReadFile(properties("second")); err != nil || string(text) != told {
		t.Errorf("the second server is told %q, %v", text, err)
	}
	for _, name := range []string{filepath.Join(dir, "second", ".coterie"), filepath.Join(share, ".coterie", "joined")} {
		if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
