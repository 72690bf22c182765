//go:build linux && (amd64 || arm64)

package fork

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// run starts a shell's command and returns what it said.
func run(t *testing.T, text string, change func(*Program)) (string, syscall.WaitStatus) {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	p := Program{
		Paths: []string{"/bin/sh"}, Argv: []string{"sh", "-c", text}, Dir: "/", Cgroup: -1,
		Files: []int{int(null.Fd()), int(in.Fd()), int(in.Fd())},
	}
	if change != nil {
		change(&p)
	}
	failure, pid := start(t, p)
	in.Close()
	if failure.Step != None {
		t.Fatalf("it does not start: %+v", failure)
	}
	said, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(said), wait(t, pid)
}

func start(t *testing.T, p Program) (Failure, int) {
	t.Helper()
	pid, report, err := Start(p)
	if err != nil {
		t.Fatal(err)
	}
	defer report.Close()
	failure, err := Read(report)
	if err != nil {
		t.Fatal(err)
	}
	return failure, pid
}

func wait(t *testing.T, pid int) (status syscall.WaitStatus) {
	t.Helper()
	for {
		if _, err := syscall.Wait4(pid, &status, 0, nil); err != syscall.EINTR {
			if err != nil {
				t.Fatal(err)
			}
			return status
		}
	}
}

func locked(t *testing.T) {
	runtime.LockOSThread() // whose end would kill the children
	t.Cleanup(runtime.UnlockOSThread)
}

func TestAProgramHasItsDescriptorsAndNoOthers(t *testing.T) {
	locked(t)
	extra, err := os.Open("/etc/hostname")
	if err != nil {
		t.Fatal(err)
	}
	defer extra.Close()
	// What a hurried library has opened without close-on-exec is closed all the same.
	leak, err := unix.FcntlInt(extra.Fd(), unix.F_DUPFD, 40)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(leak)
	out, status := run(t, "ls -l /proc/self/fd | sed -n 's/.* \\([0-9]*\\) -> /\\1 /p'; exit 3", func(p *Program) {
		p.Files = append(p.Files, int(extra.Fd()))
	})
	if status.ExitStatus() != 3 || strings.Count(out, "\n") != 5 || !strings.Contains(out, "3 /etc/hostname") { // and the directory that ls reads
		t.Errorf("exit %d:\n%s", status.ExitStatus(), out)
	}
}

// Whatever numbers the descriptors have here, those there are from 0 on: also when
// they are each other's.
func TestDescriptorsAreExchanged(t *testing.T) {
	locked(t)
	dir := t.TempDir()
	var held []int
	var files [maxFiles - 3]int
	for i := range files {
		f, err := os.Create(filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		held = append(held, int(f.Fd()))
	}
	for i := range files {
		files[i] = held[len(held)-1-i]
	}
	out, _ := run(t, "ls -l /proc/self/fd | sed -n 's|.* \\([0-9]*\\) -> "+dir+"/|\\1 |p'", func(p *Program) {
		p.Files = append(p.Files, files[:]...)
	})
	if want := "3 4\n4 3\n5 2\n6 1\n7 0\n"; out != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

func TestASignalOfTheParentIsNotTheChilds(t *testing.T) {
	locked(t)
	out, _ := run(t, "cut -d' ' -f5,6 /proc/$$/stat; echo $$ $$; exec grep SigBlk /proc/self/status", nil)
	lines := strings.Split(out, "\n")
	if len(lines) < 3 || lines[0] != lines[1] || !strings.HasSuffix(lines[2], "\t0000000000000000") {
		t.Errorf("blocked signals, session and group:\n%s", out)
	}
}

func TestAChildSaysWhatFailed(t *testing.T) {
	locked(t)
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("no program"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		p    Program
		want Failure
	}{
		"no such file":      {Program{Paths: []string{"/no/such"}}, Failure{Exec, syscall.ENOENT}},
		"not executable":    {Program{Paths: []string{script}}, Failure{Exec, syscall.EACCES}},
		"a directory":       {Program{Paths: []string{"/"}}, Failure{Exec, syscall.EACCES}},
		"no such directory": {Program{Paths: []string{"/bin/true"}, Dir: "/no/such"}, Failure{Chdir, syscall.ENOENT}},
		"found nowhere":     {Program{Search: true, Paths: []string{"/no/such", script, "/"}}, Failure{Find, syscall.ENOENT}},
		"nowhere to search": {Program{Search: true}, Failure{Find, syscall.ENOENT}},
		"a limit":           {Program{Paths: []string{"/bin/true"}, Limits: []Limit{{-1, syscall.Rlimit{}}}}, Failure{SetLimits, syscall.EINVAL}},
		"a descriptor":      {Program{Paths: []string{"/bin/true"}, Files: []int{9999}}, Failure{SetFiles, syscall.EBADF}},
		"none":              {Program{Search: true, Paths: []string{"/no/such", "/bin/true"}}, Failure{}},
	} {
		c.p.Argv, c.p.Cgroup = []string{"x"}, -1
		if c.p.Dir == "" {
			c.p.Dir = "/"
		}
		got, pid := start(t, c.p)
		status := wait(t, pid)
		if got != c.want || (status.ExitStatus() == 127) != (c.want.Errno != 0) {
			t.Errorf("%s: got %+v, exit %d, want %+v", name, got, status.ExitStatus(), c.want)
		}
	}
	for name, p := range map[string]Program{
		"a name cut short":  {Paths: []string{"/bin/true\x00"}, Argv: []string{"x"}},
		"a NUL among them":  {Paths: []string{"/bin/true"}, Argv: []string{"x", "a\x00b"}},
		"no name":           {Paths: []string{"/bin/true"}},
		"more than it says": {Paths: []string{"/bin/true"}, Argv: []string{"x"}, Files: make([]int, maxFiles+1)},
	} {
		p.Cgroup = -1
		if _, _, err := Start(p); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A child that stands still before or after its exec holds up no other.
func TestAChildThatHangsHoldsNobodyUp(t *testing.T) {
	locked(t)
	pid, report, err := Start(Program{Paths: []string{"/bin/sleep"}, Argv: []string{"sleep", "1000"}, Dir: "/", Cgroup: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer report.Close()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if out, _ := run(t, "echo well", nil); out != "well\n" {
		t.Errorf("got %q", out)
	}
	t.Logf("another one took %v", time.Since(began))
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if f, err := Read(report); f.Step != None || err != nil {
		t.Errorf("got %+v, %v", f, err)
	}
	wait(t, pid)
}

func TestLimitsAreThoseThatWeWereStartedWith(t *testing.T) {
	locked(t)
	var raised syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &raised); err != nil {
		t.Fatal(err)
	}
	original, err := OpenFiles()
	if err != nil {
		t.Fatal(err)
	}
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &now); err != nil || now != raised {
		t.Errorf("the limit is %+v, was %+v, %v", now, raised, err)
	}
	out, _ := run(t, "ulimit -n; ulimit -f", func(p *Program) {
		p.Limits = []Limit{{syscall.RLIMIT_NOFILE, original}, {syscall.RLIMIT_FSIZE, syscall.Rlimit{Cur: 5120, Max: 5120}}}
	})
	if want := fmt.Sprintf("%d\n10\n", original.Cur); out != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

// Others write, allocate and collect garbage while we fork: nothing of it comes to
// the child, which has only its own thread.
func TestManyForksBesideABusyHeap(t *testing.T) {
	locked(t)
	stop := make(chan struct{})
	defer close(stop)
	for range 2 {
		go func() {
			for held := make([][]byte, 64); ; {
				select {
				case <-stop:
					return
				default:
				}
				for i := range held {
					held[i] = bytes.Repeat([]byte{1}, 4096)
				}
				runtime.GC()
			}
		}()
	}
	for range 50 {
		failure, pid := start(t, Program{Paths: []string{"/bin/true"}, Argv: []string{"true"}, Dir: "/", Cgroup: -1})
		if status := wait(t, pid); failure.Step != None || status != 0 {
			t.Fatalf("got %+v, status %v", failure, status)
		}
	}
}

// BenchmarkStart is what a start costs in processor time here and in the child, the
// program's own part included, beside one that waits for the exec.
func BenchmarkStart(b *testing.B) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for name, begin := range map[string]func() (int, io.Closer, error){
		"forked": func() (int, io.Closer, error) {
			return Start(Program{Paths: []string{"/bin/true"}, Argv: []string{"true"}, Dir: "/", Cgroup: -1})
		},
		"waited for": func() (int, io.Closer, error) {
			pid, err := syscall.ForkExec("/bin/true", []string{"true"}, &syscall.ProcAttr{Dir: "/"})
			return pid, io.NopCloser(nil), err
		},
	} {
		b.Run(name, func(b *testing.B) {
			own, children := cpu(syscall.RUSAGE_SELF), cpu(syscall.RUSAGE_CHILDREN)
			for b.Loop() {
				pid, report, err := begin()
				if err != nil {
					b.Fatal(err)
				}
				if _, err := syscall.Wait4(pid, nil, 0, nil); err != nil {
					b.Fatal(err)
				}
				report.Close()
			}
			b.ReportMetric(float64((cpu(syscall.RUSAGE_SELF)-own).Microseconds())/float64(b.N), "own-us/op")
			b.ReportMetric(float64((cpu(syscall.RUSAGE_CHILDREN)-children).Microseconds())/float64(b.N), "child-us/op")
		})
	}
}

func cpu(who int) time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(who, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
