package migrate

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/coterie-ha/coterie/test/migrate/through"
)

var (
	every = flag.Int("every", 31, "kill at each so-manieth effect; 1: at all of them")
	begin = flag.Int("begin", 1, "the first one")
)

var binary string

func TestMain(m *testing.M) {
	through.Main()
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "migrate-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "coterie")
	build := exec.Command("go", "build", "-tags", "killpoints", "-o", binary, "github.com/coterie-ha/coterie/cmd/coterie")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// site is an installation with a share, and how both looked at first.
type site struct {
	layout              Layout
	byRenames           bool // names are exchanged by renames, with a moment between them
	dir, install, share string
	plan                string
	was                 map[string]string // the installation
	items               map[string]string // the items as they are to be on the share
}

func newSite(t *testing.T, l Layout) *site {
	t.Helper()
	// In memory where that can be had: what is shown here are orders, not disks.
	dir, err := os.MkdirTemp("/dev/shm", "migrate-")
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &site{layout: l, dir: dir, install: filepath.Join(dir, "server"), share: filepath.Join(dir, "share"), plan: filepath.Join(dir, "plan.json")}
	s.fresh(t)
	s.coterie(t, 0, "migrate", "plan", s.install, "--to", s.appdata(), "--accept", "local-disk,unseen-processes", "--out", s.plan)
	s.was = look(t, s.install)
	from := s.install
	if l == Folder {
		from = filepath.Join(s.install, "appdata")
	}
	s.items = s.ofItems(look(t, from))
	return s
}

func (s *site) appdata() string { return filepath.Join(s.share, "appdata") }

// fresh makes installation and share anew.
func (s *site) fresh(t *testing.T) {
	t.Helper()
	for _, dir := range []string{s.install, s.share} {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(s.share, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.layout.Make(s.install); err != nil {
		t.Fatal(err)
	}
}

func look(t *testing.T, root string, except ...string) map[string]string {
	t.Helper()
	seen, err := Look(root, except...)
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// ofItems keeps what is moved of a tree, and of it what does not depend on the place.
func (s *site) ofItems(all map[string]string) map[string]string {
	kept := map[string]string{}
	for path, text := range all {
		for _, item := range []string{"var/plugins", "var/repository", "var/sa", "logs", "conf/server/notification-templates", "conf/encryption.keystore", "patches", "conf/server/log4j.properties"} {
			if path == item || strings.HasPrefix(path, item+"/") {
				kept[path] = text
			}
		}
	}
	return kept
}

// coterie runs the program, killed at an effect when that is not 0. It says whether it was.
func (s *site) coterie(t *testing.T, killAt int, args ...string) bool {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env = append(os.Environ(), "COTERIE_KILL_AT="+strconv.Itoa(killAt), "COTERIE_CONFIG=")
	if s.byRenames {
		cmd.Env = append(cmd.Env, "COTERIE_BY_RENAMES=yes")
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL && killAt > 0 {
			return true
		}
	}
	if err != nil {
		t.Fatalf("coterie %s (killed at %d): %v\n%s", strings.Join(args, " "), killAt, err, &out)
	}
	return false
}

// usable fails unless the server could start, from the old folders or from the share.
func (s *site) usable(t *testing.T, when string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.install, "conf/server/installed.properties"))
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	if s.byRenames {
		return
	}
	if s.layout == Links {
		s.linksUsable(t, when)
		return
	}
	if bytes.Contains(text, []byte("="+s.appdata()+"\r\n")) || bytes.Contains(text, []byte(": "+s.appdata()+"\r\n")) {
		s.whole(t, when, s.appdata())
		return
	}
	was := look(t, s.install, ".coterie")
	if wrong := Differ(s.was, withoutTemp(was)); len(wrong) > 0 {
		t.Fatalf("%s: the old folders are not as they were:\n%s", when, strings.Join(wrong, "\n"))
	}
}

// withoutTemp leaves out what stands beside the properties file until the next run.
func withoutTemp(seen map[string]string) map[string]string {
	for path := range seen {
		if strings.Contains(path, "/.installed.properties.coterie-") || strings.HasPrefix(path, ".installed.properties.coterie-") {
			delete(seen, path)
		}
	}
	return seen
}

// linksUsable wants each item whole where its place leads.
func (s *site) linksUsable(t *testing.T, when string) {
	t.Helper()
	for path, want := range s.items {
		info, err := os.Stat(filepath.Join(s.install, path))
		if err != nil && !strings.Contains(want, " -> ") {
			t.Fatalf("%s: %v", when, err)
		}
		if err == nil && info.Mode().IsRegular() {
			content := look(t, mustReal(t, filepath.Join(s.install, path)))["."]
			if content != want && !strings.Contains(want, " -> ") {
				t.Fatalf("%s: %s is %s, and was %s", when, path, content, want)
			}
		}
	}
}

func mustReal(t *testing.T, name string) string {
	t.Helper()
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		t.Fatal(err)
	}
	return real
}

// whole fails unless a folder has all items, with all that belongs to them.
func (s *site) whole(t *testing.T, when, dir string) {
	t.Helper()
	if wrong := Differ(s.items, s.ofItems(look(t, dir, ".coterie"))); len(wrong) > 0 {
		t.Fatalf("%s: %s is not whole:\n%s", when, dir, strings.Join(wrong, "\n"))
	}
}

// untouched fails unless all is as it was before the plan.
func (s *site) untouched(t *testing.T, when string) {
	t.Helper()
	if wrong := Differ(s.was, look(t, s.install)); len(wrong) > 0 {
		t.Fatalf("%s: the installation is not as it was:\n%s", when, strings.Join(wrong, "\n"))
	}
	if left := look(t, s.share); len(left) != 1 {
		t.Fatalf("%s: left on the share: %v", when, left)
	}
}

func TestAMigrationThatIsKilledAnywhereIsWholeAndGoesOnOrBack(t *testing.T) {
	for _, l := range []Layout{Folder, Upgraded, Links} {
		t.Run(string(l), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, l)
			last := false
			kills := 0
			for n := *begin; !last; n += *every {
				s.fresh(t)
				last = !s.coterie(t, n, "migrate", "apply", s.plan, "-y")
				when := fmt.Sprintf("apply killed at %d", n)
				s.usable(t, when)
				s.coterie(t, 0, "migrate", "apply", s.plan, "-y")
				s.usable(t, when+", gone on")
				s.whole(t, when+", gone on", s.appdata())
				s.coterie(t, 0, "migrate", "apply", s.plan, "-y") // again: nothing to do
				s.coterie(t, 0, "migrate", "verify", s.plan)

				s.fresh(t)
				s.coterie(t, n, "migrate", "apply", s.plan, "-y")
				s.coterie(t, 0, "migrate", "rollback", s.plan, "-y")
				s.untouched(t, when+", gone back")
				kills++
			}
			t.Logf("%d kills", kills-1)
		})
	}
}

// Where names cannot be exchanged in one step there is a moment in which a place is
// empty; who is killed there goes on and back all the same.
func TestWithoutAnExchangeOfNamesOneGoesOnAndBackAllTheSame(t *testing.T) {
	s := newSite(t, Links)
	s.byRenames = true
	effects := s.effects(t)
	for n := effects["begun cut"]; n <= effects["done cut"]; n += max(1, *every/8) {
		for _, then := range []string{"apply", "rollback"} {
			s.fresh(t)
			s.coterie(t, n, "migrate", "apply", s.plan, "-y", "--workers", "1")
			s.coterie(t, 0, "migrate", then, s.plan, "-y")
			when := fmt.Sprintf("killed at %d, then %s", n, then)
			if then == "rollback" {
				s.untouched(t, when)
				continue
			}
			s.linksUsable(t, when)
			s.whole(t, when, s.appdata())
			s.coterie(t, n-effects["begun cut"]+3, "migrate", "rollback", s.plan, "-y")
			s.coterie(t, 0, "migrate", "rollback", s.plan, "-y")
			s.untouched(t, when+", and back")
		}
	}
}

func TestGoingBackThatIsKilledAnywhereGoesOn(t *testing.T) {
	for _, l := range []Layout{Folder, Upgraded, Links} {
		t.Run(string(l), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, l)
			last := false
			for n := *begin; !last; n += *every {
				s.fresh(t)
				s.coterie(t, 0, "migrate", "apply", s.plan, "-y")
				last = !s.coterie(t, n, "migrate", "rollback", s.plan, "-y")
				when := fmt.Sprintf("rollback killed at %d", n)
				s.usable(t, when)
				s.coterie(t, 0, "migrate", "rollback", s.plan, "-y")
				s.untouched(t, when+", gone on")
			}
		})
	}
}

func TestFinishingThatIsKilledAnywhereGoesOn(t *testing.T) {
	for _, l := range []Layout{Folder, Upgraded, Links} {
		t.Run(string(l), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, l)
			last := false
			for n := *begin; !last; n += *every {
				s.fresh(t)
				s.coterie(t, 0, "migrate", "apply", s.plan, "-y")
				last = !s.coterie(t, n, "migrate", "finish", s.plan, "-y", "--alone")
				when := fmt.Sprintf("finish killed at %d", n)
				s.whole(t, when, s.appdata())
				s.coterie(t, 0, "migrate", "finish", s.plan, "-y", "--alone")
				s.whole(t, when+", gone on", s.appdata())
				s.finished(t, when)
			}
		})
	}
}

// finished fails unless the originals are gone, and what stays is there.
func (s *site) finished(t *testing.T, when string) {
	t.Helper()
	for path := range look(t, s.install, ".coterie") {
		if strings.Contains(path, "repository/") || strings.Contains(path, "encryption.keystore") && s.layout != Links || strings.Contains(path, ".before-") {
			t.Fatalf("%s: %s is left", when, path)
		}
	}
	if _, err := os.Stat(filepath.Join(s.install, "conf/installed.version")); err != nil {
		t.Fatalf("%s: the copy that stays: %v", when, err)
	}
	if left, err := filepath.Glob(filepath.Join(s.appdata(), ".coterie/migrations/*/stage")); err != nil || len(left) > 0 {
		t.Fatalf("%s: the stage is left: %v, %v", when, left, err)
	}
}
