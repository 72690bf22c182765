package worker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/appdata"
	"golang.org/x/sys/unix"
)

// TestMain makes the test's own program the worker, as the agent's is.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 {
		switch os.Args[1] {
		case "serve":
			if err := Serve(os.Stdin, os.Stdout); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		case "environment":
			await()
			fmt.Printf("{\"id\":1,\"error\":%q}\n", strings.Join(os.Environ(), " "))
			os.Exit(0)
		case "babble":
			await()
			fmt.Println("hello")
			os.Exit(0)
		case "flood":
			for {
				fmt.Print(strings.Repeat("x", 1<<16))
			}
		case "die":
			os.Exit(3)
		case "stop":
			_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP) // what hangs without a share
		}
	}
	os.Exit(m.Run())
}

// await takes the request, so that a worker that misbehaves is one that got it.
func await() {
	if _, err := os.Stdin.Read(make([]byte, 1000)); err != nil {
		panic(err)
	}
}

func pool(verb string) *Pool {
	return &Pool{Argv: []string{"/proc/self/exe", verb}, Stderr: os.Stderr, Deadline: 10 * time.Second}
}

func share(t *testing.T) appdata.Share {
	t.Helper()
	dir := t.TempDir()
	if err := appdata.CreateMarker(dir, appdata.Marker{Cluster: "c", ID: "id-1", Generation: 1}); err != nil {
		t.Fatal(err)
	}
	return appdata.Share{Path: dir, Cluster: "c", ID: "id-1", Node: "app-a"}
}

func TestWorkerProbesAndIsUsedAgain(t *testing.T) {
	p := pool("serve")
	defer p.Close()
	s := share(t)
	var pid int
	for range 20 {
		c, err := p.Probe(t.Context(), s)
		if err != nil || c.State != appdata.OK || !c.Writable {
			t.Fatalf("got %+v, %v", c, err)
		}
		if pid != 0 && p.idle[0].cmd.Process.Pid != pid {
			t.Fatal("another worker was started")
		}
		pid = p.idle[0].cmd.Process.Pid
	}
	if err := os.RemoveAll(filepath.Join(s.Path, ".coterie")); err != nil {
		t.Fatal(err)
	}
	if c, err := p.Probe(t.Context(), s); err != nil || c.State != appdata.NotMounted {
		t.Fatalf("got %+v, %v", c, err)
	}
}

func TestDeadIdleWorkerIsNoNews(t *testing.T) {
	p := pool("serve")
	defer p.Close()
	s := share(t)
	for range 3 {
		if c, err := p.Probe(t.Context(), s); err != nil || c.State != appdata.OK {
			t.Fatalf("got %+v, %v", c, err)
		}
		if err := p.idle[0].cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-p.idle[0].gone
	}
}

func TestStoppedWorkerIsHungAndKilled(t *testing.T) {
	p := pool("stop")
	p.Deadline = 300 * time.Millisecond
	defer p.Close()
	begun := time.Now()
	c, err := p.Probe(t.Context(), appdata.Share{Path: "/media/share", Node: "a"})
	if err != nil || c.State != appdata.Hung || c.Reason != "does not answer within 300ms" || c.Mount.FSType == "" {
		t.Fatalf("got %+v, %v", c, err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if n := p.Abandoned(); n != 0 {
		t.Errorf("%d abandoned; a stopped process can be killed", n)
	}
	_, err = p.do(t.Context(), request{})
	var hung *HungError
	if !errors.Is(err, ErrHung) || !errors.As(err, &hung) || hung.Within != p.Deadline {
		t.Errorf("got %v, want a HungError", err)
	}
}

func TestCallerWhoGoesIsNotMadeToWait(t *testing.T) {
	p := pool("stop")
	p.Deadline = time.Minute
	defer p.Close()
	cause := errors.New("the agent stops")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(200*time.Millisecond, func() { cancel(cause) })
	if _, err := p.Probe(ctx, appdata.Share{Path: "/", Node: "a"}); !errors.Is(err, cause) || errors.Is(err, ErrHung) {
		t.Fatalf("got %v, want %v", err, cause)
	}
}

func TestBrokenWorkersAreErrorsNotStates(t *testing.T) {
	for verb, want := range map[string]string{"die": "worker ended: exit status 3", "babble": "hello", "flood": "no end"} {
		p := pool(verb)
		if c, err := p.Probe(t.Context(), appdata.Share{Path: "/", Node: "a"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %+v, %v; want an error with %q", verb, c, err, want)
		}
		p.Close()
	}
	p := &Pool{Argv: []string{"/no/such/program"}}
	if c, err := p.Probe(t.Context(), appdata.Share{Path: "/", Node: "a"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %+v, %v", c, err)
	}
	p.Close()
	if _, err := p.Probe(t.Context(), appdata.Share{Path: "/", Node: "a"}); !errors.Is(err, errClosed) {
		t.Errorf("a closed pool answers %v", err)
	}
	p = pool("serve")
	defer p.Close()
	if c, err := p.Probe(t.Context(), appdata.Share{Path: "relative"}); err == nil {
		t.Errorf("a senseless share gave %+v", c)
	}
	if a, err := p.do(t.Context(), request{}); err != nil || a.Error == "" {
		t.Errorf("a request of no kind: %+v, %v", a, err)
	}
}

func TestWorkerInheritsNoSecrets(t *testing.T) {
	t.Setenv("COTERIE_DATABASE_PASSWORD", "hunter2")
	a, err := pool("environment").do(t.Context(), request{})
	if err != nil || a.Error != "" {
		t.Fatalf("the worker's environment is %q, %v", a.Error, err)
	}
}

func TestServeEndsWithItsInputThoughARequestHangs(t *testing.T) {
	for name, request := range map[string]string{"idle": "", "busy": `{"id":1,"probe":{"path":"/none","node":"a"}}` + "\n"} {
		in, requests := io.Pipe()
		_, out := io.Pipe() // nobody reads: the answer hangs
		ended := make(chan error)
		go func() { ended <- Serve(in, out) }()
		if _, err := io.WriteString(requests, request); err != nil {
			t.Fatal(err)
		}
		if err := requests.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Serve(strings.NewReader("{\n"), io.Discard); err == nil {
		t.Error("nonsense was served")
	}
}

// BenchmarkProbe is what one look at a healthy share costs, worker and disk included.
func BenchmarkProbe(b *testing.B) {
	p := pool("serve")
	defer p.Close()
	dir := b.TempDir()
	if err := appdata.CreateMarker(dir, appdata.Marker{Cluster: "c", ID: "id-1", Generation: 1}); err != nil {
		b.Fatal(err)
	}
	s := appdata.Share{Path: dir, Cluster: "c", ID: "id-1", Node: "app-a"}
	for b.Loop() {
		if c, err := p.Probe(b.Context(), s); err != nil || c.State != appdata.OK {
			b.Fatalf("got %+v, %v", c, err)
		}
	}
}

func TestASignOfLifeComesLateOrNamesThePlace(t *testing.T) {
	stopped := pool("stop")
	stopped.Deadline = 200 * time.Millisecond
	defer stopped.Close()
	_, hung, err := stopped.Touch(t.Context(), appdata.Share{Path: "/media/share"})
	if err != nil || hung == nil || hung.State != appdata.Hung || hung.Reason != "does not answer within 200ms" {
		t.Errorf("who does not answer is %+v, %v", hung, err)
	}
	p := pool("serve")
	defer p.Close()
	one, other := t.TempDir(), t.TempDir()
	places := map[string]bool{}
	for _, dir := range []string{one, other, one} {
		place, hung, err := p.Touch(t.Context(), appdata.Share{Path: dir})
		if err != nil || hung != nil {
			t.Fatalf("%+v, %v", hung, err)
		}
		places[place] = true
	}
	if len(places) != 2 {
		t.Errorf("two folders are %v", places)
	}
	if _, hung, err := p.Touch(t.Context(), appdata.Share{Path: one + "/none"}); err == nil || hung != nil {
		t.Errorf("nothing is %+v, %v", hung, err)
	}
}

// A sign of life is asked for twice a second, so its processor time is what counts:
// ours and the worker's.
func BenchmarkTouch(b *testing.B) {
	p := pool("serve")
	dir := b.TempDir()
	before := spent(b)
	for b.Loop() {
		if place, hung, err := p.Touch(b.Context(), appdata.Share{Path: dir}); err != nil || hung != nil || place == "" {
			b.Fatalf("got %q, %v, %v", place, hung, err)
		}
	}
	w := p.idle[0]
	p.Close()
	<-w.gone // only then its time is counted
	b.ReportMetric(float64((spent(b)-before).Microseconds())/float64(b.N), "µs-cpu/op")
}

// spent is the processor time of this process and of those it has had.
func spent(b *testing.B) (all time.Duration) {
	b.Helper()
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var r syscall.Rusage
		if err := syscall.Getrusage(who, &r); err != nil {
			b.Fatal(err)
		}
		all += time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	return all
}

// frozenFS is a file system whose server takes requests and never answers: to
// callers it is what a dead NFS server is, down to the kill that does not help.
type frozenFS struct{ dev *os.File }

func freeze(t *testing.T, target string) *frozenFS {
	t.Helper()
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatalf("open /dev/fuse: %v", err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40755,user_id=0,group_id=0,allow_other", fd)
	if err := unix.Mount("nas1:/export", target, "fuse.frozen", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		t.Fatalf("mount: %v", err)
	}
	// Only now can the runtime wait on it, so that Close ends a Read.
	f := &frozenFS{dev: os.NewFile(uintptr(fd), "/dev/fuse")}
	go f.serve()
	return f
}

// serve says hello as the protocol wants (see linux/fuse.h), then only listens.
func (f *frozenFS) serve() {
	buf := make([]byte, 1<<17)
	for {
		n, err := f.dev.Read(buf)
		if err != nil {
			return
		}
		if n < 16 || binary.NativeEndian.Uint32(buf[4:]) != 26 { // FUSE_INIT
			continue
		}
		reply := make([]byte, 16+64)
		binary.NativeEndian.PutUint32(reply[0:], uint32(len(reply)))
		copy(reply[8:16], buf[8:16]) // the request's number
		binary.NativeEndian.PutUint32(reply[16:], 7)
		binary.NativeEndian.PutUint32(reply[20:], 31)
		binary.NativeEndian.PutUint32(reply[36:], 1<<16) // max_write
		if _, err := f.dev.Write(reply); err != nil {
			return
		}
	}
}

func TestFrozenShareIsHungAndComesBack(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	s := share(t)
	p := pool("serve")
	p.Limit, p.Grace = 2, 100*time.Millisecond
	defer p.Close()
	probe := func(want appdata.State) appdata.Condition {
		t.Helper()
		begun := time.Now()
		c, err := p.Probe(t.Context(), s)
		if err != nil || c.State != want {
			t.Fatalf("got %+v, %v; want %s", c, err, want)
		}
		if took := time.Since(begun); took > p.Deadline+2*time.Second {
			t.Fatalf("the answer %s took %v", want, took)
		}
		return c
	}
	probe(appdata.OK)
	f := freeze(t, s.Path)
	p.Deadline = 500 * time.Millisecond
	threads := countDir(t, "/proc/self/task")
	for i, abandoned := range []int{1, 2, 2, 2, 2} {
		c := probe(appdata.Hung)
		if c.Mount.FSType != "fuse.frozen" || c.Mount.Source != "nas1:/export" || c.Usable() {
			t.Errorf("got %+v", c)
		}
		if n := p.Abandoned(); n != abandoned {
			t.Errorf("after %d probes %d workers are abandoned, want %d", i+1, n, abandoned)
		}
	}
	if n := countDir(t, "/proc/self/task"); n > threads+p.Limit+2 {
		t.Errorf("%d threads, %d before: the share eats the agent", n, threads)
	}
	// The server dies: its mount stays, and answers with errors.
	if err := f.dev.Close(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); p.Abandoned() > 0; {
		if time.Now().After(end) {
			t.Fatalf("%d workers still sit in a share that is gone", p.Abandoned())
		}
		<-time.After(10 * time.Millisecond)
	}
	p.Deadline = 10 * time.Second
	c := probe(appdata.NotMounted)
	if !strings.Contains(c.Reason, "transport endpoint is not connected") {
		t.Errorf("the reason is %q", c.Reason)
	}
	if err := unix.Unmount(s.Path, unix.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	probe(appdata.OK)
}

func countDir(t *testing.T, dir string) int {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// inNamespace runs the test again in a process that has its own mounts. Where
// that is forbidden nothing can stand in for a mount, and the test is skipped
// with the reason.
func inNamespace(t *testing.T) (inside bool) {
	t.Helper()
	const noMounts = "no mounts of our own"
	if os.Getenv("COTERIE_TEST_INSIDE") == t.Name() {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			t.Fatalf("%s: %v", noMounts, err)
		}
		if err := unix.Access("/dev/fuse", unix.R_OK|unix.W_OK); err != nil {
			t.Fatalf("%s: /dev/fuse: %v", noMounts, err)
		}
		return true
	}
	var refused []string
	for _, attr := range []*syscall.SysProcAttr{
		{Cloneflags: syscall.CLONE_NEWNS},
		{
			Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		},
	} {
		cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=60s")
		cmd.Env = append(os.Environ(), "COTERIE_TEST_INSIDE="+t.Name(), "GOCOVERDIR=")
		cmd.SysProcAttr = attr
		out, err := cmd.CombinedOutput()
		var started *exec.ExitError
		switch {
		case err == nil:
			return false
		case errors.As(err, &started) && !strings.Contains(string(out), noMounts):
			t.Fatalf("inside: %v\n%s", err, out)
		}
		refused = append(refused, err.Error())
	}
	if os.Getenv("COTERIE_CI") != "" {
		t.Fatalf("this machine lets us mount nothing: %s", strings.Join(refused, "; "))
	}
	t.Skipf("NOT TESTED: this machine lets us mount nothing: %s", strings.Join(refused, "; "))
	return false
}
