//go:build linux

package supervisor

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestAProgramSeesOnlyWhatItWasGiven(t *testing.T) {
	t.Parallel()
	h := emptyHouse(t)
	lock, err := os.Open("/etc/passwd") // as a shell's "exec 3<file" does
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	h.extra = []*os.File{lock, lock} // the agent and the stages have a use for number 3 themselves
	h.open("nocgroup")
	h.long()
	r := h.do(order{Do: "start", ID: "env", Argv: []string{"/usr/bin/env"}, Env: []string{"A=\xff\n1", envSelf + "=" + h.id}})
	if r.Err != "" {
		t.Fatal(r.Err)
	}
	names := []string{}
	for v := range strings.SplitSeq(strings.ReplaceAll(h.waitFor("env").Output, "\n1", ""), "\n") {
		name, _, _ := strings.Cut(v, "=")
		names = append(names, name)
	}
	if want := []string{"A", envSelf, envRun, envGuard, envProgress, ""}; !slices.Equal(names, want) {
		t.Errorf("environment: got %q, want %q", names, want)
	}
	h.sh("fds", `ls -l /proc/self/fd | sed 's/.* \([0-9]*\) -> /\1 /'; cat; ps -o tty= -p $$ 2>/dev/null; pwd; [ $$ = $(cut -d" " -f5 /proc/$$/stat) ] && [ $$ = $(cut -d" " -f6 /proc/$$/stat) ] && echo own session; grep -E "^Sig(Blk|Ign)" /proc/self/status`)
	out := h.waitFor("fds").Output
	open := 0
	for l := range strings.Lines(out) {
		if n, err := strconv.Atoi(strings.Fields(l)[0]); err == nil && n > 2 {
			open++
		}
	}
	if !strings.Contains(out, "0 /dev/null") || !strings.Contains(out, "own session") || open != 2 { // progress, and the directory that ls reads
		t.Errorf("descriptors and session:\n%s", out)
	}
	for _, set := range []string{"SigBlk:\t", "SigIgn:\t"} {
		_, hex, _ := strings.Cut(out, set)
		hex, _, _ = strings.Cut(hex, "\n")
		// 32 and 33 are the C library's own: who started this test may have left them ignored.
		if bits, err := strconv.ParseUint(hex, 16, 64); err != nil || bits&^(1<<31|1<<32) != 0 {
			t.Errorf("signals are blocked or ignored:\n%s", out)
		}
	}
}

func TestOutputIsCarriedWholeWithoutNewlines(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "nocgroup")
	h.long()
	h.sh("a", "head -c 10485760 /dev/zero")
	h.sh("deaf", "exec >&- 2>&-; sleep 0.05; exit 2")
	if r := h.waitFor("a"); r.Size != 10<<20 || r.Exit.Code != 0 {
		t.Errorf("got %d bytes, exit %+v", r.Size, r.Exit)
	}
	if r := h.waitFor("deaf"); r.Exit.Code != 2 {
		t.Errorf("a run that closes its output: %+v", r)
	}
	r := h.do(order{Do: "start", ID: "quiet", Argv: []string{"/bin/sh", "-c", "head -c 1000000 /dev/zero; echo unwanted >&2"}, Env: h.env(), Quiet: true})
	if r.Err != "" || h.waitFor("quiet").Exit.Code != 0 {
		t.Error("a run whose output nobody wants does not end")
	}
	if strings.Contains(h.log.String(), "unwanted") {
		t.Error("its output is in the supervisor's log")
	}
	o := h.shell("slow", "head -c 60000 /dev/zero")
	o.Slow = true
	h.do(o)
	if r := h.waitFor("slow"); r.Size != 60000 {
		t.Errorf("a slow writer got %d bytes", r.Size)
	}
}

func TestFiveHundredStartsLeaveNothing(t *testing.T) {
	t.Parallel()
	mode := "nocgroup"
	if cgroupsHere() {
		mode = "cgroup"
	}
	for _, how := range []string{"", " stages"} {
		t.Run("as usual"+how, func(t *testing.T) { leaveNothing(t, mode+how, how != "") })
	}
}

func leaveNothing(t *testing.T, mode string, stages bool) {
	h := newHouse(t, mode)
	h.long()
	h.sh("warm", "true")
	h.waitFor("warm")
	count := func(pid int) int {
		names, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	// A spare stage is forked after a start, so counts settle a moment later.
	settled := func(pid int) (n int) {
		n = count(pid)
		for range 10 {
			time.Sleep(5 * time.Millisecond)
			n = max(n, count(pid))
		}
		return n
	}
	supervisor, agent := settled(h.sup.Process.Pid), settled(h.agent)
	began := time.Now()
	r := h.do(order{Do: "many", Argv: []string{"/bin/echo", "x"}, Env: h.env(), Times: 500, Abreast: 8})
	took := time.Since(began)
	if r.Err != "" || r.Size != 1000 || len(r.Took) != 500 {
		t.Fatalf("got %d bytes from %d runs, %s", r.Size, len(r.Took), r.Err)
	}
	slices.Sort(r.Took)
	t.Logf("%s: 500 runs in %v, eight abreast; start p50 %v, p99 %v", mode, took, r.Took[250], r.Took[495])
	r = h.do(order{Do: "many", Argv: []string{"/bin/echo", "x"}, Env: h.env(), Times: 50, Abreast: 1})
	slices.Sort(r.Took)
	own, children := cpuTime(t, h.sup.Process.Pid)
	t.Logf("CPU time for each: the supervisor %v, its children %v", own/550, children/550)
	t.Logf("one after the other: start p50 %v, p90 %v", r.Took[25], r.Took[45])
	h.eventually("descriptors are back", func() bool { return count(h.sup.Process.Pid) <= supervisor && count(h.agent) <= agent })
	living := 0
	names, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names { // zombies count here
		text, err := os.ReadFile("/proc/" + n.Name() + "/stat")
		if fields := strings.Fields(string(text[max(0, strings.LastIndexByte(string(text), ')')+1):])); err == nil && len(fields) > 1 && fields[1] == strconv.Itoa(h.sup.Process.Pid) {
			living++
		}
	}
	if want := map[bool]int{false: 1, true: 2}[stages]; living != want {
		t.Errorf("%d children, want the agent and, with stages, a waiting one: %d", living, want)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.sup.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(string(status)) {
		if strings.HasPrefix(l, "VmRSS") || strings.HasPrefix(l, "RssAnon") || strings.HasPrefix(l, "Threads") {
			t.Log(strings.Join(strings.Fields(l), " "))
		}
	}
}

func TestAnIdleSupervisorSleeps(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "nocgroup")
	h.long()
	h.sh("a", "exec sleep 1000")
	switches := func() (n int) {
		dirs, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", h.sup.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range dirs {
			text, err := os.ReadFile(d)
			if err != nil {
				continue
			}
			for l := range strings.Lines(string(text)) {
				if v, ok := strings.CutPrefix(l, "voluntary_ctxt_switches:"); ok {
					k, _ := strconv.Atoi(strings.TrimSpace(v))
					n += k
				}
			}
		}
		return n
	}
	time.Sleep(300 * time.Millisecond)
	before := switches()
	time.Sleep(time.Second)
	if n := switches() - before; n > 10 { // the runtime's own background thread goes to sleep step by step
		t.Errorf("woke up %d times in an idle second", n)
	} else {
		t.Logf("%d wake-ups in an idle second", n)
	}
}

func TestTheCheckedProgramRunsAlthoughItsFileIsReplaced(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "nocgroup")
	h.long()
	script := func(name, text string) string {
		path := h.dir + "/" + name
		if err := os.WriteFile(path, []byte("#!/bin/sh\necho "+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, evil := script("good", "checked"), script("evil", "exchanged")
	r := h.do(order{Do: "start", ID: "a", Argv: []string{good}, Env: h.env(), Program: good, Replace: evil})
	if r.Err != "" {
		t.Fatal(r.Err)
	}
	if r := h.waitFor("a"); r.Output != "checked\n" {
		t.Errorf("got %+v", r)
	}
	if text, err := os.ReadFile(good); err != nil || !strings.Contains(string(text), "exchanged") {
		t.Fatal("the file was not replaced: nothing is tested")
	}
}

func TestLimitsHold(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "nocgroup")
	h.long()
	o := h.shell("a", "ulimit -n; ulimit -f; ulimit -v; ulimit -t; head -c 100000 /dev/zero > $HERE/big; echo $?")
	o.Limits = Limits{OpenFiles: 77, FileBytes: 51200, MemoryBytes: 64 << 20, CPU: 1500 * time.Millisecond}
	if r := h.do(o); r.Err != "" {
		t.Fatal(r.Err)
	}
	if got := h.waitFor("a").Output; !strings.HasPrefix(got, "77\n100\n65536\n2\n") || strings.HasSuffix(got, "\n0\n") {
		t.Errorf("got %q", got)
	}
}

// The test binary stands in a directory that only its owner may enter, so the
// user changes after the stage's exec; and the change clears the parent-death
// signal, so it must be set again.
func TestAnotherUsersRunDiesWithTheSupervisor(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("ONLY ROOT CAN START PROGRAMS OF ANOTHER USER: not tested")
	}
	h := newHouse(t, "nocgroup")
	h.long()
	o := h.shell("a", "id -u; id -G; sleep 1000 & wait")
	o.Argv, o.User = []string{"/bin/sleep", "1000"}, "nobody"
	r := h.do(o)
	if r.Err != "" {
		t.Fatal(r.Err)
	}
	h.eventually("it runs as nobody", func() bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.PID))
		return err == nil && strings.Contains(string(text), "Uid:\t65534\t65534\t65534\t65534") && strings.Contains(string(text), "Name:\tsleep")
	})
	h.freeze(h.agent) // it must not help
	h.sup.Process.Kill()
	h.eventually("the run is dead", func() bool { return !isAlive(r.PID) })
}

func TestNoNewPrivilegesReachesRuns(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "nocgroup noprivs")
	h.long()
	h.sh("a", "grep NoNewPrivs /proc/self/status")
	if got := h.waitFor("a").Output; got != "NoNewPrivs:\t1\n" {
		t.Errorf("got %q", got)
	}
}

func TestASupervisorRefusesAProgramWithoutStage(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), stageless)
	if err := os.WriteFile(copied, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(copied, "supervisor")
	cmd.Env = append(os.Environ(), envRole+"=supervisor", envFlags+"=stages")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), ErrNoStage.Error()) {
		t.Errorf("got %v, %q", err, out)
	}
}

func TestAnUnsupervisedProcessIsTold(t *testing.T) {
	t.Setenv(envFD, "")
	if _, err := FromEnv(); !errors.Is(err, ErrNotSupervised) {
		t.Errorf("got %v", err)
	}
	for _, value := range []string{"4000", "0", "x", "-1"} {
		t.Setenv(envFD, value)
		if _, err := FromEnv(); !errors.Is(err, ErrNotSupervised) {
			t.Errorf("%s=%s: got %v", envFD, value, err)
		}
	}
}

// cpuTime is what a process has taken, and those of its children that it has waited for.
func cpuTime(t *testing.T, pid int) (own, children time.Duration) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')'):]))
	var ticks [4]int
	for i, f := range fields[12:16] { // user and system of each, from the third field on
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		ticks[i] = n
	}
	return time.Duration(ticks[0]+ticks[1]) * 10 * time.Millisecond, time.Duration(ticks[2]+ticks[3]) * 10 * time.Millisecond
}
