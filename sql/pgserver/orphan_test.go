//go:build linux

package pgserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childEnv makes the test binary a program that starts a server, says where,
// and waits to be killed.
const childEnv = "PGSERVER_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	s, err := Start(context.Background(), Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(s.Dir, s.Port, os.Geteuid())
	if os.Getenv(childEnv) == "panic" {
		panic("on purpose")
	}
	time.Sleep(time.Hour)
}

// child starts that program as somebody and returns what it says.
func child(t *testing.T, what string, uid int) (cmd *exec.Cmd, dir, port string) {
	t.Helper()
	cmd = exec.Command(copied(t))
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), childEnv+"="+what, "TMPDIR=/tmp", "HOME=/nonexistent")
	if uid != os.Geteuid() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	if what != "panic" {
		cmd.Stderr = os.Stderr
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(line)
	if words[2] != strconv.Itoa(uid) {
		t.Fatalf("the child runs as %s, want %d", words[2], uid)
	}
	return cmd, words[0], words[1]
}

// copied is the test binary where every account can reach it.
func copied(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "pgserver-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	text, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "child")
	if err := errors.Join(os.WriteFile(name, text, 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return name
}

func gone(t *testing.T, dir, port string) {
	t.Helper()
	begun := time.Now()
	for {
		_, err := os.Stat(dir)
		c, dialErr := net.DialTimeout("tcp", "127.0.0.1:"+port, 200*time.Millisecond)
		if dialErr == nil {
			_ = c.Close()
		}
		if errors.Is(err, os.ErrNotExist) && dialErr != nil {
			t.Logf("server and directory gone after %v", time.Since(begun))
			return
		}
		if time.Since(begun) > 5*time.Second {
			t.Fatalf("the server outlived its process: directory %v, port %v", err, dialErr)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestAServerDiesWithItsProcessHoweverThatDies(t *testing.T) {
	users := []int{os.Geteuid()}
	if os.Geteuid() == 0 {
		users = append(users, 65534)
	}
	for _, uid := range users {
		for _, what := range []string{"kill", "panic"} {
			t.Run(fmt.Sprintf("%s as %d", what, uid), func(t *testing.T) {
				cmd, dir, port := child(t, what, uid)
				if what == "kill" {
					if err := cmd.Process.Kill(); err != nil {
						t.Fatal(err)
					}
				}
				if err := cmd.Wait(); err == nil {
					t.Error("the child ended well")
				}
				gone(t, dir, port)
			})
		}
	}
}

func TestRootWithoutAnotherAccountRunsInANamespace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root needs a namespace")
	}
	s, err := Start(t.Context(), Options{as: &account{namespace: true}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Restart(t.Context(), Kill), s.Stop()); err != nil {
		t.Fatal(err)
	}
}

func TestADirectoryThatTheAccountCannotEnterIsNamed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root runs the server as somebody else")
	}
	closed, err := os.MkdirTemp("/tmp", "closed-") // mode 0700
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.RemoveAll(closed); err != nil {
			t.Error(err)
		}
	}()
	if _, err := Start(t.Context(), Options{Dir: filepath.Join(closed, "pg")}); err == nil || !strings.Contains(err.Error(), closed) {
		t.Errorf("got %v, want an error that names %s", err, closed)
	}
}

func TestAPortThatIsTakenIsExchanged(t *testing.T) {
	first, err := Start(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	second := &Server{Binaries: first.Binaries, who: whoRuns()}
	if err := second.makeDir(); err != nil {
		t.Fatal(err)
	}
	second.Port = first.Port
	if err := second.initdb(t.Context(), second.data()); err != nil {
		t.Fatal(err)
	}
	var early *StartError
	if _, err := second.runOnce(t.Context()); !errors.As(err, &early) || !early.passing() {
		t.Errorf("on a taken port: got %v, want a passing StartError", err)
	}
	second.Port = 0
	if err := second.Resume(t.Context()); err != nil || second.Port == first.Port {
		t.Errorf("got port %d, %v; want another than %d", second.Port, err, first.Port)
	}
	if err := errors.Join(second.Stop(), first.Stop()); err != nil {
		t.Error(err)
	}
}
