//go:build linux

package rig

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Side is one host of an export: where its commands run, and where the share is
// mounted there.
type Side struct {
	Name   string
	Inside []string // what to put before a command; nothing: this machine
	Tool   string
	Path   string
}

// Do has the tool do steps, which must succeed: Do(t, "write", "a", "text", ",", "rename", "a", "b").
// "@" at the beginning of a word is the share.
func (s Side) Do(t testing.TB, steps ...string) string {
	t.Helper()
	out, err := s.Try(t, steps...)
	if err != nil {
		t.Fatalf("%s: %s: %v\n%s", s.Name, strings.Join(steps, " "), err, out)
	}
	return out
}

// Try is Do for what may fail.
func (s Side) Try(t testing.TB, steps ...string) (string, error) {
	t.Helper()
	return s.Call(t, append([]string{s.Tool, "do"}, steps...)...)
}

// Call runs a command there.
func (s Side) Call(t testing.TB, argv ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	argv = s.argv(argv)
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if ctx.Err() != nil {
		err = fmt.Errorf("no answer within %v", patience)
	}
	return string(out), err
}

func (s Side) argv(argv []string) []string {
	all := append([]string{}, s.Inside...)
	for _, word := range argv {
		if rest, is := strings.CutPrefix(word, "@"); is {
			word = strings.TrimSuffix(s.Path+"/"+rest, "/")
		}
		all = append(all, word)
	}
	return all
}

// Begin starts a command there that goes on, waits until it has said a line that
// contains word, and gives what ends it.
func (s Side) Begin(t testing.TB, word string, argv ...string) (end func()) {
	t.Helper()
	argv = s.argv(argv)
	cmd := exec.CommandContext(context.Background(), argv[0], argv[1:]...)
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = in, in
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = in.Close() // the command's own is open
	ended := false
	end = func() {
		if !ended {
			ended = true
			_ = cmd.Process.Kill() // it may have ended
			_ = cmd.Wait()
			_ = out.Close()
		}
	}
	t.Cleanup(end)
	found, said := make(chan bool, 1), ""
	go func() {
		ok := false
		for scan := bufio.NewScanner(out); scan.Scan(); {
			if said += scan.Text() + "\n"; strings.Contains(scan.Text(), word) {
				ok = true
				break
			}
		}
		found <- ok
		if ok {
			_, _ = io.Copy(io.Discard, out) // so that it never waits to be read
		}
	}()
	select {
	case ok := <-found:
		if !ok {
			t.Fatalf("%s: %s ended and said\n%s", s.Name, strings.Join(argv, " "), said)
		}
	case <-time.After(patience):
		t.Fatalf("%s: %s never said %q", s.Name, strings.Join(argv, " "), word)
	}
	return end
}
