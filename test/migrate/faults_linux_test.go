package migrate

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coterie-ha/coterie/test/migrate/through"
)

var calls = flag.Int("calls", 997, "have each so-manieth call of the file system go wrong; 1: each")

var kinds = flag.String("faults", "", "only faults of this name")

// faulty is a site below a mount point whose calls go wrong, at both ends.
type faulty struct {
	*site
	server *through.Server
	t      *testing.T
}

func newFaulty(t *testing.T, l Layout) *faulty {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("NOT SHOWN: only root can mount a file system whose calls go wrong")
	}
	if *kinds != "" && !slices.ContainsFunc(faults, func(k kind) bool { return k.name == *kinds }) {
		t.Fatalf("no fault is called %q: none would be tried", *kinds)
	}
	dir, err := os.MkdirTemp("/dev/shm", "migrate-")
	if err != nil {
		dir = t.TempDir()
	}
	behind, seen := filepath.Join(dir, "behind"), filepath.Join(dir, "seen")
	if err := errors.Join(os.Mkdir(behind, 0o755), os.Mkdir(seen, 0o755)); err != nil {
		t.Fatal(err)
	}
	server, err := through.Mount(behind, seen, "fuse.sshfs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	s := &site{layout: l, dir: dir, install: filepath.Join(seen, "server"), share: filepath.Join(seen, "share"), plan: filepath.Join(dir, "plan.json")}
	s.fresh(t)
	s.coterie(t, 0, "migrate", "plan", s.install, "--to", s.appdata(), "--accept", "unseen-processes", "--out", s.plan)
	s.was = look(t, s.install)
	from := s.install
	if l == Folder {
		from = filepath.Join(s.install, "appdata")
	}
	s.items = s.ofItems(look(t, from))
	return &faulty{s, server, t}
}

func (f *faulty) set(fault through.Fault) (asked int, calls []through.Call) {
	f.t.Helper()
	asked, calls, err := f.server.Set(fault)
	if err != nil {
		f.t.Fatal(err)
	}
	return asked, calls
}

// try runs the program while a call goes wrong. It may end well, be killed where that
// was the fault, or say what is wrong by a code; it may not hang, nor panic.
func (f *faulty) try(fault through.Fault, args ...string) {
	f.t.Helper()
	f.set(fault)
	ctx, cancel := context.WithTimeout(f.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), "COTERIE_CONFIG=")
	if fault.Hang {
		cmd.Env = append(cmd.Env, "COTERIE_HURRY=yes")
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	f.set(through.Fault{})
	if ctx.Err() != nil {
		f.t.Fatalf("%v: does not end\n%s", args, &out)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		status, _ := exit.Sys().(syscall.WaitStatus)
		if fault.Kill && status.Signaled() || fault.Err != 0 && status.Exited() && strings.Contains(out.String(), "COT-") ||
			fault.Hang && status.ExitStatus() == 1 && strings.Contains(out.String(), "COT-415") {
			return
		}
	}
	if err != nil || fault.Hang {
		f.t.Fatalf("%v with %+v: %v, without a code\n%s", args, fault, err, &out)
	}
}

// count lists the calls that a command makes of the file system.
func (f *faulty) count(args ...string) []through.Call {
	f.t.Helper()
	f.set(through.Fault{List: true})
	f.coterie(f.t, 0, args...)
	_, asked := f.set(through.Fault{})
	if len(asked) < 50 {
		f.t.Fatalf("%v makes %d calls", args, len(asked))
	}
	return asked
}

// at is a call that goes wrong, for people.
func at(kind string, n int, all []through.Call) string {
	return fmt.Sprintf("%s at call %d of %d, %v %s", kind, n, len(all), all[n-1].Op, all[n-1].Path)
}

type kind struct {
	name  string
	fault through.Fault
}

var faults = []kind{
	{"EIO", through.Fault{Err: syscall.EIO}},
	{"ENOSPC", through.Fault{Err: syscall.ENOSPC}},
	{"kill", through.Fault{Kill: true}},
	{"gone", through.Fault{Err: syscall.EIO, On: true}},
	{"full", through.Fault{Err: syscall.ENOSPC, On: true}},
}

// points are the calls that are to go wrong: at other ones for each fault, so that few
// samples of all show more than the same ones of each.
func points(among []through.Call, fault int) []int {
	var all []int
	if *kinds != "" && *kinds != faults[fault].name {
		return nil
	}
	for i := 1 + fault*(*calls/len(faults)); i <= len(among); i += *calls {
		all = append(all, i)
	}
	return all
}

func TestACallThatGoesWrongLosesNothingAndIsGoneOnFromOrBack(t *testing.T) {
	for _, l := range []Layout{Upgraded, Folder, Links} {
		t.Run(string(l), func(t *testing.T) {
			t.Parallel()
			f := newFaulty(t, l)
			apply, back := []string{"migrate", "apply", f.plan, "-y", "--workers", "1"}, []string{"migrate", "rollback", f.plan, "-y"}
			f.fresh(t)
			n := f.count(apply...)
			m := f.count(back...)
			tried := 0
			for k, kind := range faults {
				for _, i := range points(n, k) {
					fault := kind.fault
					fault.At = i
					when := at(kind.name, i, n)
					f.fresh(t)
					f.try(fault, apply...)
					f.usable(t, when)
					f.coterie(t, 0, apply...)
					f.usable(t, when+", gone on")
					f.whole(t, when+", gone on", f.appdata())
					f.coterie(t, 0, "migrate", "verify", f.plan)

					f.fresh(t)
					f.try(fault, apply...)
					f.coterie(t, 0, back...)
					f.untouched(t, when+", gone back")
					tried++
				}
				for _, i := range points(m, k) {
					fault := kind.fault
					fault.At = i
					when := "on the way back, " + at(kind.name, i, m)
					f.fresh(t)
					f.coterie(t, 0, apply...)
					f.try(fault, back...)
					f.usable(t, when)
					f.coterie(t, 0, back...)
					f.untouched(t, when+", gone on")
					tried++
				}
			}
			t.Logf("%d calls forth, %d back, %d faults", len(n), len(m), tried)
		})
	}
}

// Whoever is killed while the share is claimed, or told of the first server, leaves nothing
// there that going back does not find.
func TestAKillWhileTheShareIsToldLeavesNothingBehind(t *testing.T) {
	f := newFaulty(t, Upgraded)
	apply := []string{"migrate", "apply", f.plan, "-y", "--workers", "1"}
	f.fresh(t)
	all := f.count(apply...)
	tried := 0
	for i, call := range all {
		claims := strings.Contains(call.Path, "migration.json") || strings.Contains(call.Path, "member.json")
		if !claims || call.Op == through.Lookup || call.Op == through.GetAttr {
			continue
		}
		tried++
		f.fresh(t)
		f.try(through.Fault{Kill: true, At: i + 1}, apply...)
		f.coterie(t, 0, "migrate", "rollback", f.plan, "-y")
		f.untouched(t, at("kill", i+1, all))
	}
	if tried < 10 {
		t.Errorf("%d kills", tried)
	}
}

// What deletes the originals leaves the share alone, whatever goes wrong.
func TestACallThatGoesWrongWhileOriginalsAreDeletedIsGoneOnFrom(t *testing.T) {
	for _, l := range []Layout{Upgraded, Folder, Links} {
		t.Run(string(l), func(t *testing.T) {
			t.Parallel()
			f := newFaulty(t, l)
			finish := []string{"migrate", "finish", f.plan, "-y", "--alone"}
			f.fresh(t)
			f.coterie(t, 0, "migrate", "apply", f.plan, "-y")
			n := f.count(finish...)
			tried := 0
			for k, kind := range faults {
				for _, i := range points(n, k) {
					fault := kind.fault
					fault.At = i
					when := at(kind.name, i, n)
					f.fresh(t)
					f.coterie(t, 0, "migrate", "apply", f.plan, "-y")
					f.try(fault, finish...)
					f.whole(t, when, f.appdata())
					f.coterie(t, 0, finish...)
					f.whole(t, when+", gone on", f.appdata())
					f.finished(t, when)
					tried++
				}
			}
			t.Logf("%d calls, %d faults", len(n), tried)
		})
	}
}

// A share that does not answer ends a command by a code, in seconds here, and what was
// begun is gone on with when it answers again.
func TestAShareThatHangsKeepsNobodyWaiting(t *testing.T) {
	f := newFaulty(t, Upgraded)
	apply, back := []string{"migrate", "apply", f.plan, "-y"}, []string{"migrate", "rollback", f.plan, "-y"}
	hang := func(at int) through.Fault { return through.Fault{Hang: true, On: true, At: at} }
	f.fresh(t)
	n := len(f.count(apply...))
	for _, at := range []int{1, n / 3, 2 * n / 3} {
		f.fresh(t)
		f.try(hang(at), apply...)
		f.usable(t, fmt.Sprintf("hung at call %d of %d", at, n))
	}
	f.coterie(t, 0, apply...)
	f.whole(t, "gone on", f.appdata())
	for _, args := range [][]string{
		{"migrate", "status", f.plan}, {"migrate", "verify", f.plan}, {"migrate", "verify", f.appdata()}, {"migrate", "finish", f.plan, "-y", "--alone"}, back,
		{"migrate", "plan", f.install, "--to", f.appdata(), "--out", filepath.Join(f.dir, "other.json")},
	} {
		f.try(hang(1), args...)
	}
	f.whole(t, "after all", f.appdata())
	f.coterie(t, 0, back...)
	f.untouched(t, "gone back")
}
