package migrate

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestTheShareOfAnotherTimeOrPlanIsLeftAlone(t *testing.T) {
	s := newSite(t, Upgraded)
	s.fresh(t)
	effects := s.effects(t)
	s.fresh(t)
	s.coterie(t, effects["done prove"], "migrate", "apply", s.plan, "-y")
	// It is not mounted: an empty folder.
	away := s.share + ".away"
	if err := os.Rename(s.share, away); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(s.appdata(), 0o755); err != nil {
		t.Fatal(err)
	}
	s.fails(t, 5, "COT-406", "migrate", "apply", s.plan, "-y")
	s.fails(t, 5, "COT-406", "migrate", "rollback", s.plan, "-y")
	if left := look(t, s.share); len(left) != 2 {
		t.Errorf("written to an empty mount point: %v", left)
	}
	s.coterie(t, 0, "migrate", "rollback", s.plan, "-y", "--leave-share")
	if wrong := Differ(s.was, look(t, s.install)); len(wrong) > 0 {
		t.Errorf("not as it was: %v", wrong)
	}
	// A file that somebody has put there is not overwritten.
	s.fresh(t)
	s.coterie(t, effects["done prove"], "migrate", "apply", s.plan, "-y")
	s.write(t, filepath.Join(s.appdata(), "logs/deployserver.out"), "of somebody")
	s.fails(t, 8, "COT-412", "migrate", "apply", s.plan, "-y")
	s.coterie(t, 0, "migrate", "rollback", s.plan, "-y")
	if got := s.read(t, filepath.Join(s.appdata(), "logs/deployserver.out")); got != "of somebody" {
		t.Errorf("it is %q", got)
	}
	if wrong := Differ(s.was, look(t, s.install)); len(wrong) > 0 {
		t.Errorf("not as it was: %v", wrong)
	}
}

func TestOfTwoRunsAtOnceOneIsAtWork(t *testing.T) {
	s := newSite(t, Upgraded)
	effects := s.effects(t)
	s.fresh(t)
	first := exec.CommandContext(t.Context(), binary, "migrate", "apply", s.plan, "-y", "--workers", "1")
	first.Env = append(os.Environ(), "COTERIE_CONFIG=", "COTERIE_KILL_STOPS=yes", "COTERIE_KILL_AT="+strconv.Itoa(effects["done copy"]))
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	awaitStopped(t, first.Process.Pid)
	s.fails(t, 5, "COT-405", "migrate", "apply", s.plan, "-y")
	s.fails(t, 5, "COT-405", "migrate", "rollback", s.plan, "-y")
	// Nor does another plan for the installation begin.
	other := filepath.Join(s.dir, "other.json")
	s.coterie(t, 0, "migrate", "plan", s.install, "--to", filepath.Join(s.share, "elsewhere"), "--accept", "local-disk,unseen-processes,open-files", "--out", other)
	s.fails(t, 5, "COT-405", "migrate", "apply", other, "-y")
	if err := first.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := first.Wait(); err != nil {
		t.Fatal(err)
	}
	s.whole(t, "the first run", s.appdata())
	// Another server's plan, made before the share was filled, finds it claimed.
	second := filepath.Join(s.dir, "second")
	if err := s.layout.Make(second); err != nil {
		t.Fatal(err)
	}
	s.fails(t, 5, "COT-402", "migrate", "plan", second, "--to", s.appdata(), "--accept", "local-disk,unseen-processes")
}

// awaitStopped waits until a process stands still.
func awaitStopped(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			t.Fatal(err)
		}
		if _, state, ok := strings.Cut(string(text), ") "); ok && strings.HasPrefix(state, "T") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d did not come to stand: %s", pid, text)
		}
	}
}

// The share fills up half-way: the run ends, the server has its folders, and when
// there is room again the same command goes on.
func TestAShareThatFillsUpLosesNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT SHOWN: a file system of a certain size needs root")
	}
	s := newSite(t, Upgraded)
	s.fresh(t)
	s.write(t, filepath.Join(s.dir, "go.sh"), `set -u
mount -t tmpfs -o size=80m,mode=755 none "$2" || exit 99
"$1" migrate plan "$3" --to "$2/appdata" --accept local-disk,unseen-processes --out "$4" >/dev/null || exit 98
head -c 83680000 /dev/zero > "$2/filler"
"$1" migrate apply "$4" -y; echo "FULL $?"
cmp "$3/conf/server/installed.properties" "$5" || exit 97
rm "$2/filler"
"$1" migrate apply "$4" -y; echo "ROOM $?"
"$1" migrate verify "$2/appdata" || exit 96
"$1" migrate rollback "$4" -y || exit 95
test -z "$(ls -A "$2")" || exit 94
`)
	was := filepath.Join(s.dir, "was.properties")
	s.write(t, was, s.read(t, filepath.Join(s.install, "conf/server/installed.properties")))
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "sh", filepath.Join(s.dir, "go.sh"), binary, s.share, s.install, filepath.Join(s.dir, "full.json"), was)
	cmd.Env = append(os.Environ(), "COTERIE_CONFIG=")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "FULL 8") || !strings.Contains(string(out), "make room") || !strings.Contains(string(out), "ROOM 0") {
		t.Fatalf("%v\n%s", err, out)
	}
	if wrong := Differ(s.was, look(t, s.install)); len(wrong) > 0 {
		t.Errorf("not as it was: %v", wrong)
	}
}
